/** What becomes of a waiting instance: pure functions of its flush commands, the age of its wait, and the policy. */

/** The states in which Systems Manager can report a command to one instance. */
export const UNDER_WAY = ['Pending', 'InProgress', 'Delayed', 'Cancelling'] as const;
export const FAILED = [
  'Failed',
  'TimedOut',
  'Undeliverable',
  'Cancelled',
  'Incomplete',
  'AccessDenied',
  'InvalidPlatform',
  'NoInstancesInTag',
  'LimitExceeded',
  'RateExceeded',
  'Terminated',
] as const;

export type CommandStatus = (typeof UNDER_WAY)[number] | (typeof FAILED)[number] | 'Success';

/** One flush that the instance was asked for. */
export interface FlushCommand {
  readonly id: string;
  readonly status: CommandStatus;
  /** Milliseconds since 1970. */
  readonly requestedAt: number;
}

export interface Policy {
  /** Milliseconds from the beginning of the wait after which an instance is given up. */
  readonly budget: number;
  /** How often a flush is asked for, at most; events that come twice may add one. */
  readonly maxSends: number;
  /** Milliseconds from the beginning of the wait for which Systems Manager may not know the instance yet. */
  readonly registration: number;
}

/** Why no flush could be asked for, or nothing could be found out. */
export type Obstacle =
  /** Systems Manager does not know the instance. */
  | 'unmanaged'
  /** Anything else: a denied call, a wrong document, a service that does not answer. */
  | 'blocked';

export type GiveUpReason = 'unmanaged' | 'budget' | 'failed' | 'blocked';

export type Action<C extends FlushCommand = FlushCommand> =
  | { readonly kind: 'send' }
  | { readonly kind: 'wait' }
  /** Let the instance go: this command has flushed it. */
  | { readonly kind: 'continue'; readonly flushed: C }
  | { readonly kind: 'give-up'; readonly reason: GiveUpReason };

const WAIT: Action<never> = { kind: 'wait' };
const giveUp = (reason: GiveUpReason): Action<never> => ({ kind: 'give-up', reason });

/**
 * Decides the next step for a waiting instance.
 *
 * @param commands those that were sent for this wait, and no other; null when they cannot be listed
 * @param age milliseconds since the wait began
 */
export function decide<C extends FlushCommand>(
  commands: readonly C[] | null,
  age: number,
  { budget, maxSends }: Policy,
): Action<C> {
  const spent = age >= budget;
  if (commands === null) return spent ? giveUp('blocked') : WAIT;
  const flushed = commands.find(({ status }) => status === 'Success');
  if (flushed) return { kind: 'continue', flushed };
  if (spent) return giveUp(commands.length === 0 ? 'blocked' : 'budget');
  if (commands.some(({ status }) => isUnderWay(status))) return WAIT;
  return commands.length >= maxSends ? giveUp('failed') : { kind: 'send' };
}

/** Decides what follows when a flush could not be asked for: the next pass retries it, within limits. */
export function afterObstacle(
  obstacle: Obstacle,
  age: number,
  { budget, registration }: Policy,
): Action<never> {
  if (obstacle === 'unmanaged') {
    return age >= Math.min(registration, budget) ? giveUp('unmanaged') : WAIT;
  }
  return age >= budget ? giveUp('blocked') : WAIT;
}

function isUnderWay(status: CommandStatus): boolean {
  return (UNDER_WAY as readonly string[]).includes(status);
}

/** A status as Systems Manager writes it; an unknown one counts as under way, so that the budget decides. */
export function commandStatus(text: string | undefined): CommandStatus {
  const known = [...UNDER_WAY, ...FAILED, 'Success'] as const;
  return known.find((status) => status === text) ?? 'InProgress';
}
