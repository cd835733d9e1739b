/**
 * Compiles the project's AssemblyScript, by the compiler that package.json pins, into modules that are checked in: for
 * each NAME.as a NAME-wasm.ts.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import asc from 'assemblyscript/asc';
import { TailraceError } from '../base/errors.ts';

const ROOT = join(import.meta.dirname, '..');
/** Without their ending. */
export const SOURCES = [
  'producer/forward/transcode',
  'producer/format/raw-lines',
  'chunk/inflate',
  'chunk/deflate',
] as const;
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
  const wasm = await wasmOf(source);
  const lines = Buffer.from(wasm)
    .toString('base64')
    .match(/.{1,110}/g)!
    .map((line) => `  '${line}',`);
  return `/** ${basename(source)}.as, compiled by infra/wasm.ts: not to be edited. */\nexport const WASM = [\n${lines.join('\n')}\n].join('');\n`;
}

/**
 * A source, with what it imports, compiled.
 *
 * @param edit changes the text of a file before it is compiled; its path has no ending
 */
export async function wasmOf(
  source: (typeof SOURCES)[number],
  edit: (path: string, text: string) => string = (_, text) => text,
): Promise<Uint8Array> {
  const name = basename(source);
  const folder = dirname(source);
  let wasm = new Uint8Array(0);
  const { error, stderr } = await asc.main([`${name}.ts`, ...FLAGS, '--outFile', `${name}.wasm`], {
    readFile: (file) => {
      const path = join(folder, file.replace(/\.ts$/, ''));
      const full = join(ROOT, `${path}.as`);
      return file.endsWith('.ts') && existsSync(full) ? edit(path, readFileSync(full, 'utf8')) : null;
    },
    writeFile: (_, contents) => {
      wasm = Buffer.from(contents);
    },
    listFiles: () => [],
  });
  if (error) throw new TailraceError('CONFIG', `${source}.as: ${error.message}\n${stderr.toString()}`);
  return wasm;
}

/** The module that is checked in. */
export function targetOf(source: (typeof SOURCES)[number]): string {
  return join(ROOT, `${source}-wasm.ts`);
}

if (process.argv[1] === import.meta.filename)
  for (const source of SOURCES) writeFileSync(targetOf(source), await compiled(source));
