/** What becomes of a terminating instance: one pure function of its flush commands, the time, and the policy. */

/** The states in which Systems Manager can report a command to one instance. */
export const UNDER_WAY = ['Pending', 'InProgress', 'Delayed', 'Cancelling'] as const;
export const FAILED = ['Failed', 'TimedOut', 'Undeliverable', 'Cancelled'] as const;

export type CommandStatus =
  | (typeof UNDER_WAY)[number]
  | (typeof FAILED)[number]
  | 'Success'
  /** Not a status of Systems Manager's: it refused the command, because it doesn't know the instance. */
  | 'Unmanaged';

/** One flush that was asked of the instance. */
export interface FlushCommand {
  readonly id: string;
  readonly status: CommandStatus;
  /** Milliseconds since 1970. */
  readonly requestedAt: number;
}

export interface Policy {
  /** Milliseconds from the first command on after which an instance is given up. */
  readonly budget: number;
  /** How often a flush is asked for, at most; events that come twice may add one. */
  readonly maxSends: number;
  /** Only the first command is sent by an event; only the watch sends another. */
  readonly caller: 'start' | 'finish' | 'watch';
  /** Whether the instance is known never to have been in service, or to have flushed when it left it. */
  readonly outOfService: boolean;
}

export type AbandonReason = 'unmanaged' | 'budget' | 'failed';

export type Action =
  | { readonly kind: 'send' }
  | { readonly kind: 'heartbeat' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'continue' }
  | { readonly kind: 'abandon'; readonly reason: AbandonReason };

const WAIT: Action = { kind: 'wait' };

/**
 * Decides the next step for an instance in Terminating:Wait.
 *
 * CONTINUE only after a flush that ended with 0 (or where there was nothing to flush), ABANDON when the budget is
 * spent or nothing else can be tried: the group's policy then retains the instance.
 */
export function decide(commands: readonly FlushCommand[], now: number, policy: Policy): Action {
  if (commands.some(({ status }) => status === 'Success')) return { kind: 'continue' };
  const { budget, maxSends, caller, outOfService } = policy;
  if (commands.length === 0) return caller === 'finish' ? WAIT : { kind: 'send' };
  const first = Math.min(...commands.map(({ requestedAt }) => requestedAt));
  if (now - first >= budget) return { kind: 'abandon', reason: 'budget' };
  if (commands.some(({ status }) => isUnderWay(status))) {
    return caller === 'watch' ? { kind: 'heartbeat' } : WAIT;
  }
  // A refusal is no try that failed: there was nobody to ask, and another try would find nobody either.
  if (commands.some(({ status }) => status === 'Unmanaged')) {
    return outOfService ? { kind: 'continue' } : { kind: 'abandon', reason: 'unmanaged' };
  }
  if (commands.length >= maxSends) return { kind: 'abandon', reason: 'failed' };
  return caller === 'watch' ? { kind: 'send' } : WAIT;
}

function isUnderWay(status: CommandStatus): boolean {
  return (UNDER_WAY as readonly string[]).includes(status);
}

/** A status as Systems Manager writes it; one that is not known counts as under way, so that the budget decides. */
export function commandStatus(text: string | undefined): CommandStatus {
  const known = [...UNDER_WAY, ...FAILED, 'Success'] as const;
  return known.find((status) => status === text) ?? 'InProgress';
}
