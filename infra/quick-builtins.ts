/**
 * An esbuild plugin for a quicker start in less memory: modules get Node's own modules by `require`, and those that few
 * programs use only at their first use. An `import` reads each property of a module, and some properties load others:
 * three of http's load undici, two of crypto's WebCrypto.
 */
import { builtinModules, createRequire } from 'node:module';
import type { Plugin } from 'esbuild';

const require = createRequire(import.meta.url);

/** What packages name at their top and use later or never, and what takes Node milliseconds to load. */
const LATE = ['child_process', 'cluster', 'dgram', 'http2', 'readline', 'v8'];
const FILTER = new RegExp(
  `^(?:node:)?(?:${builtinModules.filter((name) => /^[a-z]/.test(name)).join('|')})$`,
);

export const quickBuiltins: Plugin = {
  name: 'quick-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: FILTER }, ({ path, kind, namespace }) => {
      const name = path.replace(/^node:/, '');
      // What the modules below ask for is Node's own.
      if (namespace === 'builtin' || namespace === 'late') return { path: `node:${name}`, external: true };
      if (LATE.includes(name)) return { path: name, namespace: 'late' };
      return kind === 'import-statement' ? { path: name, namespace: 'builtin' } : null;
    });
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({ contents: required(path) }));
    onLoad({ filter: /./, namespace: 'late' }, ({ path }) => ({ contents: late(path) }));
  },
};

/** Marked as pure, an export that nobody imports is left out: its property is not read. */
function required(name: string): string {
  return [
    `const module = require('node:${name}');`,
    'const get = (name) => module[name];',
    'export default module;',
    ...namesOf(name).map((key) => `export const ${key} = /* @__PURE__ */ get('${key}');`),
  ].join('\n');
}

/** Of http2 one takes the constants apart at its top, to use them later. */
function late(name: string): string {
  const { constants = {} } = require(`node:${name}`) as { constants?: object };
  return [
    'let module;',
    `const load = () => (module ??= require('node:${name}'));`,
    'const define = (object, names, of) => {',
    '  for (const name of names)',
    '    Object.defineProperty(object, name, { enumerable: true, configurable: true, get: () => of()[name] });',
    '};',
    `define(exports, ${JSON.stringify(namesOf(name))}, load);`,
    "if (Object.hasOwn(exports, 'constants')) {",
    '  const constants = {};',
    `  define(constants, ${JSON.stringify(Object.keys(constants))}, () => load().constants);`,
    "  Object.defineProperty(exports, 'constants', { enumerable: true, value: constants });",
    '}',
  ].join('\n');
}

function namesOf(name: string): string[] {
  return Object.keys(require(`node:${name}`) as object).filter(
    (key) => /^[A-Za-z_$][\w$]*$/.test(key) && !/^(default|module|get|constructor)$/.test(key),
  );
}
