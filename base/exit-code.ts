/** The exit code of a command that fails. */
import { ERRORS } from './error-codes.ts';
import type { TailraceError } from './errors.ts';

/** @returns 2 when the configuration, or something it names, cannot be used; 1 when the work itself failed */
export function exitCodeOf({ code }: TailraceError): 1 | 2 {
  return ERRORS[code].exit;
}
