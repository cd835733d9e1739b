/** A Python with libraries that read archives, set up once in a folder ignored by git. */
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const REQUIREMENTS = path.join(import.meta.dirname, 'archive-readers-requirements.txt');
const FOLDER = path.join(import.meta.dirname, '..', '..', '.cache', 'archive-readers');

/** @returns its path, or why it is not available */
export async function archivePython(): Promise<{ readonly python: string } | { readonly skip: string }> {
  const python = path.join(FOLDER, 'venv', 'bin', 'python');
  const mark = path.join(FOLDER, 'built-from');
  const wanted = fs.readFileSync(REQUIREMENTS, 'utf8');
  if (fs.existsSync(mark) && fs.readFileSync(mark, 'utf8') === wanted) return { python };
  try {
    await run('python3', ['-m', 'venv', path.join(FOLDER, 'venv')]);
    await run(path.join(FOLDER, 'venv', 'bin', 'pip'), ['install', '--quiet', '--requirement', REQUIREMENTS]);
    fs.writeFileSync(mark, wanted);
    return { python };
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    const why = stderr?.trim().split('\n').at(-1) || message;
    return { skip: `no Python with duckdb and pyarrow: ${why}` };
  }
}
