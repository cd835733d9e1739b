/** The errors by which the forward server refuses what a client sent. */
import { TailraceError } from '../../base/errors.ts';

/** Why a message was refused; the label of `tailrace_agent_forward_refused_total`. */
export type RefusalReason =
  | 'malformed'
  | 'too_large'
  | 'bomb'
  | 'too_deep'
  | 'signal'
  | 'auth'
  | 'timeout'
  | 'internal';

/** Thrown when a connection sent what no client of the protocol sends: the connection is closed. */
export class RefusedError extends TailraceError {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string, cause?: unknown) {
    super(`FORWARD_${reason.toUpperCase() as Uppercase<RefusalReason>}`, message, { cause });
    this.reason = reason;
  }
}

export function malformed(message: string): RefusedError {
  return new RefusedError('malformed', message);
}
