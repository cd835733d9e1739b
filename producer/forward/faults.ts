/** Entries of a message that cannot become events as they are: found and separated, so that the good ones are kept. */
import { checkTime, entryParts } from './entries.ts';
import { RefusedError } from './errors.ts';
import { skipAny, skipValue } from './msgpack-scan.ts';

/** The label of `tailrace_agent_forward_bad_events_total`; `internal` is a fault of this program. */
export type FaultReason = 'not_an_entry' | 'bad_time' | 'too_deep' | 'cut_off' | 'internal';

export interface Fault {
  readonly reason: FaultReason;
  /** Where the bytes of the entry are, or of all that follows where its end cannot be found. */
  readonly from: number;
  readonly to: number;
  /** Where its time is; null where there is none that means a time. */
  readonly time: number | null;
  /** Where its record is, and what precedes it as a time; null where there is no record. */
  readonly record: { readonly time: number; readonly from: number; readonly to: number } | null;
}

/** Says what is wrong with the entry at `from`, which cannot be taken as it is. */
export function faultAt(bytes: Buffer, from: number, end: number): Fault {
  const to = skipAny(bytes, from, end);
  if (to === -1) return { reason: 'cut_off', from, to: end, time: null, record: null };
  const parts = entryParts(bytes, from, to);
  if (parts === null) return { reason: 'not_an_entry', from, to, time: null, record: null };
  const fault = faultOf(bytes, parts.time, parts.record, to);
  return { ...(fault ?? { reason: 'not_an_entry', time: null, record: null }), from, to };
}

/** Says what is wrong with a time and a record of complete bytes; null if nothing is. */
export function faultOf(bytes: Buffer, time: number, record: number, end: number): Fault | null {
  const isTime = holds(() => checkTime(bytes, time, end, true));
  const isShallow = holds(() => void skipValue(bytes, record, end, 0));
  if (isTime && isShallow) return null;
  return {
    reason: isShallow ? 'bad_time' : 'too_deep',
    from: time,
    to: end,
    time: isTime ? time : null,
    record: { time, from: record, to: skipAny(bytes, record, end) },
  };
}

/** An entry of complete bytes that could not be written; one without a time of its own has `time` at `record`. */
export function internalFault(bytes: Buffer, time: number, record: number, end: number): Fault {
  const to = skipAny(bytes, record, end);
  return {
    reason: 'internal',
    from: time,
    to,
    time: time === record ? null : time,
    record: { time, from: record, to },
  };
}

function holds(check: () => void): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (error instanceof RefusedError) return false;
    throw error;
  }
}
