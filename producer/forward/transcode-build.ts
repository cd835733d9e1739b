/**
 * Compiles transcode.as with AssemblyScript, whose version package.json pins, and writes transcode-wasm.ts; with
 * `--check`, says whether that file is what the source gives.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TARGET = join(import.meta.dirname, 'transcode-wasm.ts');

/** The text of transcode-wasm.ts. */
export function compiled(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-wasm-'));
  try {
    copyFileSync(join(import.meta.dirname, 'transcode.as'), join(directory, 'transcode.ts'));
    const compiler = join(import.meta.dirname, '../../node_modules/assemblyscript/bin/asc.js');
    const flags = [
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
    const args = [compiler, 'transcode.ts', ...flags, '--outFile', 'transcode.wasm'];
    execFileSync(process.execPath, args, { cwd: directory });
    const base64 = readFileSync(join(directory, 'transcode.wasm')).toString('base64');
    const lines = base64.match(/.{1,110}/g)!.map((line) => `  '${line}',`);
    return `/** transcode.as, compiled by transcode-build.ts: not to be edited. */\nexport const WASM = [\n${lines.join('\n')}\n].join('');\n`;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

if (process.argv[1] === import.meta.filename) writeFileSync(TARGET, compiled());
