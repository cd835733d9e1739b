/** The error of formats and transforms that cannot be compiled. */
import { TailraceError } from '../../base/errors.ts';

/** Thrown for a format or transform that contradicts itself; the message is fit to stand behind its key. */
export class FormatError extends TailraceError {
  constructor(message: string, cause?: unknown) {
    super('FORMAT', message, { cause });
  }
}
