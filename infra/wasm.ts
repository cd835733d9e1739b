/**
 * Compiles the project's AssemblyScript, by the compiler that package.json pins, into modules that are checked in: for
 * each NAME.as a NAME-wasm.ts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import asc from 'assemblyscript/asc';
import { TailraceError } from '../base/errors.ts';

const ROOT = join(import.meta.dirname, '..');
/** Without their ending. */
export const SOURCES = ['producer/forward/transcode', 'producer/format/raw-lines', 'chunk/inflate'] as const;
const FLAGS = [
  '--runtime',
  'stub',
  '-O3',
  '--noAssert',
  '--enable',
  'simd',
  '--importMemory',
  '--use',
  'abort=',
];

/** The text of a source's module. */
export async function compiled(source: (typeof SOURCES)[number]): Promise<string> {
  const name = basename(source);
  const text = readFileSync(join(ROOT, `${source}.as`), 'utf8');
  let wasm = new Uint8Array(0);
  const { error, stderr } = await asc.main([`${name}.ts`, ...FLAGS, '--outFile', `${name}.wasm`], {
    readFile: (file) => (file === `${name}.ts` ? text : null),
    writeFile: (_, contents) => {
      wasm = Buffer.from(contents);
    },
    listFiles: () => [],
  });
  if (error) throw new TailraceError('CONFIG', `${source}.as: ${error.message}\n${stderr.toString()}`);
  const lines = Buffer.from(wasm)
    .toString('base64')
    .match(/.{1,110}/g)!
    .map((line) => `  '${line}',`);
  return `/** ${name}.as, compiled by infra/wasm.ts: not to be edited. */\nexport const WASM = [\n${lines.join('\n')}\n].join('');\n`;
}

/** The module that is checked in. */
export function targetOf(source: (typeof SOURCES)[number]): string {
  return join(ROOT, `${source}-wasm.ts`);
}

if (process.argv[1] === import.meta.filename)
  for (const source of SOURCES) writeFileSync(targetOf(source), await compiled(source));
