/**
 * Joins the lines that Docker split: records with `partial_message`, `partial_id`, `partial_ordinal` and
 * `partial_last`, whose `log` is a part of at most 16 KiB. Parts that wait for others are in the state of each cut,
 * so an ack for one holds as for any event.
 */
import * as z from 'zod/mini';
import { checkState, type StateMap } from '../state.ts';
import { readHead } from './message.ts';
import { skipValue } from './msgpack-scan.ts';
import { mapHead, stringHead } from './msgpack-write.ts';

export const PARTIAL_KEY = 'partial_message';

const PREFIX = 'part/';
/** Lines that may wait at a time; one more, and the oldest goes without its missing parts. */
const MAX_WAITING = 1000;
/** Bytes of a line that are kept; more than that no event holds. */
const MAX_BYTES = 1024 * 1024;
/** Bytes of all waiting lines: they are in memory and in the state. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
/** What a part counts besides its bytes. */
const PART_BYTES = 128;
const PARTIAL_FIELDS = ['partial_message', 'partial_id', 'partial_ordinal', 'partial_last'];

/** Whether a key of the state is that of a line that waits for its parts. */
export function isPart(key: string): boolean {
  return key.startsWith(PREFIX);
}

/** A line put back together. */
export interface Joined {
  readonly tag: string;
  readonly seconds: number;
  readonly nanoseconds: number;
  /** The record as a msgpack map. */
  readonly record: Buffer;
  /** Whether parts are missing. */
  readonly incomplete: boolean;
}

interface Waiting {
  readonly key: string;
  readonly tag: string;
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Number of fields, and keys and values of them, besides the log and what tells of parts. */
  readonly fields: number;
  readonly rest: Buffer;
  readonly parts: Map<number, Buffer>;
  /** When its last part came, by a clock that only goes on; of an earlier run's, the start of this one. */
  seen: number;
  /** Bytes of the log's parts. */
  bytes: number;
  /** The ordinal of the last part; 0 until it came. */
  last: number;
}

const count = z.int().check(z.nonnegative());

/** A waiting line as the state keeps it; bytes are Base64. */
const storedLine = z.object({
  tag: z.string(),
  seconds: z.number(),
  nanoseconds: z.number(),
  fields: count,
  rest: z.string(),
  parts: z.array(z.tuple([count, z.string()])),
  seen: z.number(),
  bytes: count,
  last: count,
});

export class Partials {
  readonly #state: StateMap;
  /** In the order of their last parts. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #changed = new Set<string>();
  #waitingBytes = 0;
  /** Parts that came twice. */
  repeated = 0;

  /** @param now milliseconds of a clock that only goes on, as in `add` and `expire` */
  constructor(state: StateMap, now: number) {
    this.#state = state;
    for (const [key, value] of state.entries()) {
      if (!key.startsWith(PREFIX)) continue;
      const stored = checkState(key, value, storedLine);
      const parts = stored.parts.map(([ordinal, log]) => [ordinal, Buffer.from(log, 'base64')] as const);
      const rest = Buffer.from(stored.rest, 'base64');
      const line = { ...stored, key, rest, parts: new Map(parts), seen: now };
      this.#waiting.set(key, line);
      this.#waitingBytes += bytesOf(line);
    }
  }

  /** Whether lines wait for parts. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Takes the record map at `at` when it is a part of a line.
   *
   * @returns null when it is none that could be joined: it is an event of its own; else the lines that it completes
   */
  add(
    tag: string,
    seconds: number,
    nanoseconds: number,
    bytes: Buffer,
    at: number,
    end: number,
    now: number,
  ): readonly Joined[] | null {
    const part = readPart(bytes, at, end);
    if (part === null) return null;
    const key = `${PREFIX}${tag}/${part.id}`;
    let line = this.#waiting.get(key);
    if (line === undefined) {
      const { fields, rest } = part;
      line = { key, tag, seconds, nanoseconds, fields, rest, parts: new Map(), seen: now, bytes: 0, last: 0 };
    } else {
      this.#waitingBytes -= bytesOf(line);
    }
    // Behind all that wait for longer.
    this.#waiting.delete(key);
    this.#waiting.set(key, line);
    this.#changed.add(key);
    line.seen = now;
    if (line.parts.has(part.ordinal)) {
      this.repeated++;
    } else {
      const room = Math.max(0, MAX_BYTES - line.bytes);
      line.parts.set(part.ordinal, part.log.subarray(0, room));
      line.bytes += Math.min(room, part.log.length);
    }
    if (part.last) line.last = part.ordinal;
    this.#waitingBytes += bytesOf(line);
    if (line.last > 0 && line.parts.size === line.last) return [this.#join(line, false)];
    const givenUp: Joined[] = [];
    for (const oldest of this.#waiting.values()) {
      if (this.#waiting.size <= MAX_WAITING && this.#waitingBytes <= MAX_WAITING_BYTES) break;
      givenUp.push(this.#join(oldest, true));
    }
    return givenUp;
  }

  /** Gives up on lines for which nothing came since `before`. */
  expire(before: number): Joined[] {
    const joined: Joined[] = [];
    for (const line of this.#waiting.values()) {
      if (line.seen > before) break;
      joined.push(this.#join(line, true));
    }
    return joined;
  }

  /**
   * Writes what changed into the state of the next cut.
   *
   * @param seen milliseconds since 1970: earlier releases go by it
   */
  beforeCut(seen: number): void {
    for (const key of this.#changed) {
      const line = this.#waiting.get(key);
      if (line === undefined) {
        this.#state.delete(key);
        continue;
      }
      const { tag, seconds, nanoseconds, fields, bytes, last } = line;
      const parts = [...line.parts].map(([ordinal, log]) => [ordinal, log.toString('base64')] as const);
      const rest = line.rest.toString('base64');
      this.#state.set(key, { tag, seconds, nanoseconds, fields, rest, parts, seen, bytes, last });
    }
    this.#changed.clear();
  }

  #join(line: Waiting, incomplete: boolean): Joined {
    this.#waiting.delete(line.key);
    this.#waitingBytes -= bytesOf(line);
    this.#changed.add(line.key);
    const parts = [...line.parts].sort(([a], [b]) => a - b).map(([, log]) => log);
    const log = Buffer.concat(parts);
    const record = Buffer.concat([
      mapHead(line.fields + 1),
      line.rest,
      stringHead(3),
      LOG,
      stringHead(log.length),
      log,
    ]);
    const { tag, seconds, nanoseconds } = line;
    return { tag, seconds, nanoseconds, record, incomplete };
  }
}

/** What a waiting line takes of the memory. */
function bytesOf(line: Waiting): number {
  return line.bytes + line.rest.length + (line.parts.size + 1) * PART_BYTES;
}

const LOG = Buffer.from('log');

interface Part {
  readonly id: string;
  readonly ordinal: number;
  readonly last: boolean;
  readonly log: Buffer;
  readonly fields: number;
  readonly rest: Buffer;
}

/** Reads a record as a part; null when it lacks what joining needs, or is larger than Docker makes any. */
function readPart(bytes: Buffer, at: number, end: number): Part | null {
  if (end - at > MAX_BYTES) return null;
  const record = readHead(bytes, at)!;
  const marks = new Map<string, string>();
  const rest: Buffer[] = [];
  let log: Buffer | null = null;
  at = record.at;
  for (let i = 0; i < record.count; i++) {
    const value = skipValue(bytes, at, end, 1);
    const next = skipValue(bytes, value, end, 1);
    const keyHead = readHead(bytes, at);
    const valueHead = readHead(bytes, value);
    const key = keyHead?.kind === 'bytes' ? bytes.toString('latin1', keyHead.at, keyHead.end) : '';
    if (valueHead?.kind === 'bytes' && PARTIAL_FIELDS.includes(key)) {
      marks.set(key, bytes.toString('latin1', valueHead.at, valueHead.end));
    } else if (valueHead?.kind === 'bytes' && key === 'log' && log === null) {
      log = Buffer.from(bytes.subarray(valueHead.at, valueHead.end));
    } else {
      rest.push(bytes.subarray(at, next));
    }
    at = next;
  }
  const id = marks.get('partial_id');
  const ordinal = Number(marks.get('partial_ordinal'));
  const partial = marks.get('partial_message') === 'true';
  if (!partial || id === undefined || log === null || !Number.isInteger(ordinal) || ordinal < 1) return null;
  return {
    id,
    ordinal,
    last: marks.get('partial_last') === 'true',
    log,
    fields: rest.length,
    rest: Buffer.concat(rest),
  };
}
