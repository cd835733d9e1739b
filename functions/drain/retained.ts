/** Which retained instances are ended: those that have flushed after all, and those beyond the bound. */
import type { Member } from './waits.ts';

export interface Retained {
  readonly member: Member;
  /** Milliseconds since 1970 at which its last wait began; null when no activity says so. */
  readonly begun: number | null;
  /** Whether our hook gave it up, and not another one of its group. */
  readonly ours: boolean;
  /** Whether a flush that it was asked for in that wait succeeded, too late. */
  readonly flushed: boolean;
}

/**
 * Of those beyond `maximum` the latest: an operator may be at work on the others. An ended instance still stops its
 * agent's unit, which flushes and spills once more. The service refuses to end members of a warm pool this way.
 */
export function retainedToEnd(retained: readonly Retained[], maximum: number): Retained[] {
  const endable = retained.filter(({ ours, member }) => ours && member.state === 'Terminating:Retained');
  const kept = endable
    .filter(({ flushed }) => !flushed)
    .toSorted((a, b) => (a.begun ?? 0) - (b.begun ?? 0) || (a.member.instance < b.member.instance ? -1 : 1));
  return [...endable.filter(({ flushed }) => flushed), ...kept.slice(maximum)];
}
