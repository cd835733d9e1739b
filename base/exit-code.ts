/** The exit code of a command that fails. */
import type { TailraceError } from './errors.ts';

/** Errors in the configuration or the environment: nothing was started. */
const NOTHING_BEGUN = new Set([
  'ARCHIVE_UNAVAILABLE',
  'CONFIG',
  'DATA_DIR',
  'DATA_DIR_IN_USE',
  'JARS_UNAVAILABLE',
  'LISTEN',
  'NO_ARCHIVE',
  'NO_SPOOL',
  'STATE_LOCKED',
  'STREAM',
]);

/** @returns 2 when the configuration, or something it names, cannot be used; 1 when the work itself failed */
export function exitCodeOf({ code }: TailraceError): 1 | 2 {
  return NOTHING_BEGUN.has(code) ? 2 : 1;
}
