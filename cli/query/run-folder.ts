/** The folder of one run of a command: removed however the run ends, and by the next run where it could not be. */
import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAME = /^tailrace-query-(\d+)-/;

export interface RunFolder {
  /** Without symbolic links. */
  readonly path: string;
  remove(): void;
}

/** @param parent where temporary files go; the system's folder for them unless it is named */
export function createRunFolder(parent: string = tmpdir()): RunFolder {
  for (const name of readdirSync(parent)) {
    const pid = Number(NAME.exec(name)?.[1] ?? 0);
    // Of another user's runs nothing is known, and nothing can be removed.
    if (pid > 0 && !isAlive(pid)) removeQuietly(join(parent, name));
  }
  const path = realpathSync(mkdtempSync(join(parent, `tailrace-query-${process.pid}-`)));
  const remove = (): void => {
    process.off('exit', remove);
    removeQuietly(path);
  };
  process.on('exit', remove);
  return { path, remove };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function removeQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // It is another user's.
  }
}
