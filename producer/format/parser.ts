/** What every format compiles to, and the events that no format makes sense of. */
import { MAX_LINE_BYTES, type TagBuilders } from '../builder.ts';
import { stringRoom, type Tally, writeString } from './json-bytes.ts';

/** Turns one line at a time into an event. */
export interface LineParser {
  /**
   * Takes the line `bytes[start, end)`, without its line break, and writes one event, or none where a transform
   * leaves it out. Never throws, whatever the bytes are.
   */
  parse(bytes: Buffer, start: number, end: number): void;
  /**
   * Takes whole lines from `bytes[start]` on for as long as they are of the usual kind, each with its line break before
   * `end` and no longer than `maxLine`, and returns where the first other one begins. Finding each line's end ahead of
   * reading it takes longer than doing both at once.
   */
  lines?(bytes: Buffer, start: number, end: number, maxLine: number): number;
}

/** Where the events of one source go. */
export interface Target {
  readonly builders: TagBuilders;
  readonly tally: Tally;
  /** Milliseconds since 1970: the arrival of what is being read, set once a turn by the input. */
  readonly clock: { now: number };
}

/** Most bytes of one event's JSON, its newline included. */
export const MAX_EVENT_BYTES = MAX_LINE_BYTES;

export const UNPARSED = Buffer.from('","_unparsed":true}\n');
export const TRUNCATED = Buffer.from('","_truncated":true}\n');
const MESSAGE = Buffer.from('{"message":"');
const NO_MARK = Buffer.from('"}\n');

/** What stands before and behind a line that {@link writeMessage} writes without a mark. */
export function messageFrame(added: Buffer): { readonly head: Buffer; readonly tail: Buffer } {
  return { head: MESSAGE, tail: Buffer.concat([NO_MARK.subarray(0, 1), added, NO_MARK.subarray(1)]) };
}

/** Bytes that any line fits into, at six for one, with its marks. */
const SAFE_CUT = Math.floor((MAX_EVENT_BYTES - 128) / 6);

/**
 * Writes a line as `{"message": …}` into the builder of the arrival's hour. Where its JSON would be over the maximum
 * the line is cut, and marked.
 *
 * @param mark {@link UNPARSED}, {@link TRUNCATED}, or nothing
 * @param added members to stand behind the message, each with a comma before it
 */
export function writeMessage(
  target: Target,
  bytes: Buffer,
  start: number,
  end: number,
  mark: Buffer = NO_MARK,
  added: Buffer | null = null,
): void {
  const { builders, tally } = target;
  const extra = added === null ? 0 : added.length;
  const room = MESSAGE.length + mark.length + extra;
  let need = stringRoom(bytes, start, end) + room;
  if (need > MAX_EVENT_BYTES && end - start > SAFE_CUT) {
    const cut = cutToFit(bytes, start, end, MAX_EVENT_BYTES - room - TRUNCATED.length);
    if (cut < end) {
      end = cut;
      mark = TRUNCATED;
    }
    need = stringRoom(bytes, start, end) + room;
  }
  const builder = builders.at(target.clock.now);
  builder.reserve(need);
  const out = builder.buffer;
  let at = builder.length;
  // A loop costs less than a call of Buffer.set for so few bytes.
  for (let i = 0; i < MESSAGE.length; i++) out[at++] = MESSAGE[i]!;
  at = writeString(out, at, bytes, start, end, tally);
  if (added !== null && extra > 0) {
    out[at] = 0x22;
    out.set(added, at + 1);
    at += 1 + extra;
    // What follows in the mark is the message's closing quote, which stands already.
    out.set(mark.subarray(1), at);
    at += mark.length - 1;
  } else {
    for (let i = 0; i < mark.length; i++) out[at++] = mark[i]!;
  }
  tally.events++;
  if (mark === UNPARSED) tally.unparsed++;
  else if (mark === TRUNCATED) tally.truncated++;
  builder.commit(at);
}

/** Where to cut a line so that its JSON is at most `room` bytes and no UTF-8 sequence is split. */
function cutToFit(bytes: Buffer, start: number, end: number, room: number): number {
  let used = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    // At worst: an escape for a control character, and U+FFFD for each byte above 0x7f.
    used += byte < 0x20 ? 6 : byte === 0x22 || byte === 0x5c ? 2 : byte < 0x80 ? 1 : 3;
    if (used > room) return beforeSequence(bytes, start, i);
  }
  return end;
}

/** The start of the UTF-8 sequence that `at` is inside of, or `at`. */
export function beforeSequence(bytes: Buffer, start: number, at: number): number {
  for (let i = at; i > start && at - i < 4; i--) if ((bytes[i]! & 0xc0) !== 0x80) return i;
  return at;
}
