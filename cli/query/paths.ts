/** The files and folders that a query is given: looked at before anything is read. */
import { realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { TailraceError } from '../../base/errors.ts';

/**
 * The folder without symbolic links.
 *
 * @throws TailraceError CONFIG when it is not one
 */
export function existingFolder(option: string, path: string): string {
  if (!isFolder(path)) throw new TailraceError('CONFIG', `${option} ${path}: there is no such folder`);
  return realpathSync(path);
}

/** @throws TailraceError CONFIG when no file can be written there */
export function requirePlaceOf(output: string): void {
  const path = resolve(output);
  if (isFolder(path)) throw new TailraceError('CONFIG', `--output ${output}: is a folder: name a file in it`);
  if (!isFolder(dirname(path)))
    throw new TailraceError('CONFIG', `--output ${output}: there is no folder ${dirname(output)}: create it`);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
