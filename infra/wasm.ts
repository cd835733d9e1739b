/**
 * Compiles the project's AssemblyScript, by the compiler that package.json pins, into modules that are checked in: for
 * each NAME.as a NAME-wasm.ts.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
/** Without their ending. */
export const SOURCES = ['producer/forward/transcode', 'chunk/inflate'] as const;
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
export function compiled(source: (typeof SOURCES)[number]): string {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-wasm-'));
  try {
    const name = basename(source);
    copyFileSync(join(ROOT, `${source}.as`), join(directory, `${name}.ts`));
    const compiler = join(ROOT, 'node_modules/assemblyscript/bin/asc.js');
    const args = [compiler, `${name}.ts`, ...FLAGS, '--outFile', `${name}.wasm`];
    execFileSync(process.execPath, args, { cwd: directory });
    const base64 = readFileSync(join(directory, `${name}.wasm`)).toString('base64');
    const lines = base64.match(/.{1,110}/g)!.map((line) => `  '${line}',`);
    return `/** ${name}.as, compiled by infra/wasm.ts: not to be edited. */\nexport const WASM = [\n${lines.join('\n')}\n].join('');\n`;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The module that is checked in. */
export function targetOf(source: (typeof SOURCES)[number]): string {
  return join(ROOT, `${source}-wasm.ts`);
}

if (process.argv[1] === import.meta.filename)
  for (const source of SOURCES) writeFileSync(targetOf(source), compiled(source));
