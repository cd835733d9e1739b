/** Brings other implementations by their registries into .cache/compat/, each in a pinned version and only once. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';

const CACHE = path.join(import.meta.dirname, '..', '..', '.cache', 'compat');

/** @returns the path of a program of a Go module */
export async function goProgram(name: string, source: string, version: string): Promise<string> {
  const folder = path.join(CACHE, `${name}-${version}`);
  const program = path.join(folder, name);
  if (!fs.existsSync(program))
    await run('go', ['install', `${source}@${version}`], { GOBIN: folder, GOFLAGS: '-p=2' });
  return program;
}

/** @returns the folder of programs of a Python environment that has these packages */
export async function pythonPrograms(name: string, ...packages: readonly string[]): Promise<string> {
  const folder = path.join(CACHE, name);
  const programs = path.join(folder, 'bin');
  const mark = path.join(folder, 'has');
  const wanted = packages.join('\n');
  if (fs.existsSync(mark) && fs.readFileSync(mark, 'utf8') === wanted) return programs;
  await run('python3', ['-m', 'venv', folder]);
  await run(path.join(programs, 'pip'), ['install', '--quiet', ...packages]);
  fs.writeFileSync(mark, wanted);
  return programs;
}

/** @throws Error with the end of what the program wrote, when it fails or is not there */
async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text = (text + part).slice(-2000);
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${text.trim()}`);
}
