/** Why the system refused, in its own words. */
import { getSystemErrorMessage } from 'node:util';

/** Such as `no such file or directory` for ENOENT; the error's message where it is not one of the system's. */
export function systemReason(error: unknown): string {
  const { errno, code, message } = error as NodeJS.ErrnoException;
  if (code === 'EISDIR') return 'is a directory';
  if (code === 'ENOTDIR') return 'a part of its path is not a directory';
  if (typeof errno !== 'number' || errno >= 0) return code ?? message;
  return getSystemErrorMessage(errno) ?? code ?? message;
}
