/** What a command ends with when it can't do what it was asked for. */
import type { TailraceError } from './errors.ts';

/** Errors of configuration and surroundings: nothing was begun. */
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

/** @returns 2 when the configuration or what it names can't be used, 1 when the work itself failed */
export function exitCodeOf({ code }: TailraceError): 1 | 2 {
  return NOTHING_BEGUN.has(code) ? 2 : 1;
}
