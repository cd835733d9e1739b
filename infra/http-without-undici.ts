/**
 * An esbuild plugin: modules get Node's http by `require`. An `import` of it reads each of its properties, and three of
 * them load undici: 8 MiB and a fifth of an agent's start for what no program here uses.
 */
import * as http from 'node:http';
import type { Plugin } from 'esbuild';

/** The properties that load undici. */
const UNDICI = ['WebSocket', 'CloseEvent', 'MessageEvent'];
const NAMES = Object.keys(http).filter((name) => name !== 'default' && !UNDICI.includes(name));

export const httpWithoutUndici: Plugin = {
  name: 'http-without-undici',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === 'require-call' ? null : { path: 'http', namespace: 'required' },
    );
    onLoad({ filter: /^http$/, namespace: 'required' }, () => ({
      contents: [
        "const http = require('node:http');",
        'export default http;',
        ...NAMES.map((name) => `export const ${name} = http.${name};`),
      ].join('\n'),
    }));
  },
};
