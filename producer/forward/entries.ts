/** The entries of a message, each an array of a time and a record, checked and found in one walk. */
import { malformed } from './errors.ts';
import { readUint32, skipValue } from './msgpack-scan.ts';

/** Entries whose offsets are kept at a time. */
const MOST_ENTRIES = 1 << 17;
const FIRST_ENTRIES = 1 << 12;

/** Where the parts of entries stand. */
export class EntryOffsets {
  #offsets = new Uint32Array(FIRST_ENTRIES * 3);
  count = 0;

  /**
   * Finds the entries from `at` to `end`, or as many as are kept at a time.
   *
   * @returns the offset behind the last that was found
   * @throws RefusedError for what is no entry
   */
  find(bytes: Buffer, at: number, end: number): number {
    let count = 0;
    while (at < end && count < MOST_ENTRIES) {
      if (count * 3 === this.#offsets.length) this.#grow();
      const values = entryValues(bytes, at, end);
      const time = at + entryHead(bytes[at]!);
      checkTime(bytes, time, end, true);
      const record = skipValue(bytes, time, end, 2);
      at = skipValue(bytes, record, end, 2);
      this.#offsets[count * 3] = time;
      this.#offsets[count * 3 + 1] = record;
      this.#offsets[count * 3 + 2] = at;
      for (let i = 2; i < values; i++) at = skipValue(bytes, at, end, 2);
      count++;
    }
    this.count = count;
    return at;
  }

  time(i: number): number {
    return this.#offsets[i * 3]!;
  }

  record(i: number): number {
    return this.#offsets[i * 3 + 1]!;
  }

  /** The offset behind the record. */
  end(i: number): number {
    return this.#offsets[i * 3 + 2]!;
  }

  #grow(): void {
    const larger = new Uint32Array(this.#offsets.length * 2);
    larger.set(this.#offsets);
    this.#offsets = larger;
  }
}

/**
 * Checks that from `at` on there are whole entries: `count` of them, or all up to `end`.
 *
 * @returns the offset behind them
 * @throws RefusedError when there aren't
 */
export function checkEntries(
  bytes: Buffer,
  at: number,
  end: number,
  count = Number.POSITIVE_INFINITY,
): number {
  for (let n = 0; n < count && (at < end || count !== Number.POSITIVE_INFINITY); n++) {
    const values = entryValues(bytes, at, end);
    at += entryHead(bytes[at]!);
    checkTime(bytes, at, end, true);
    for (let i = 0; i < values; i++) at = skipValue(bytes, at, end, 2);
  }
  return at;
}

/** How many values the entry at `at` has. */
function entryValues(bytes: Buffer, at: number, end: number): number {
  if (at >= end) throw malformed('fewer entries than the message says');
  const type = bytes[at]!;
  let values: number;
  if (type >= 0x90 && type < 0xa0) values = type & 0x0f;
  else if (type === 0xdc && at + 3 <= end) values = bytes.readUInt16BE(at + 1);
  else if (type === 0xdd && at + 5 <= end) values = readUint32(bytes, at + 1);
  else throw malformed(`an entry that is no array but msgpack type 0x${type.toString(16)}`);
  if (values < 2) throw malformed(`an entry of ${values} values`);
  if (at + entryHead(type) + values > end) throw malformed('an entry ends after its message');
  return values;
}

function entryHead(type: number): number {
  return type === 0xdc ? 3 : type === 0xdd ? 5 : 1;
}

/** Bytes before the time in an array of a time and metadata; 0 for what is no such array. */
export function timeAndMetadataHead(bytes: Uint8Array, at: number): number {
  const type = bytes[at]!;
  if (type > 0x90 && type < 0xa0) return 1;
  if (type === 0xdc) return (bytes[at + 1]! | bytes[at + 2]!) === 0 ? 0 : 3;
  return type === 0xdd && readUint32(bytes, at + 1) !== 0 ? 5 : 0;
}

/** @throws RefusedError when the value at `at`, which is complete, is no time */
export function checkTime(bytes: Buffer, at: number, end: number, metadata: boolean): void {
  if (at >= end) throw malformed('an entry ends after its message');
  const type = bytes[at]!;
  if (type < 0x80 || type >= 0xe0 || type === 0xc0 || (type >= 0xca && type <= 0xd3)) return;
  if (type === 0xd7 && bytes[at + 1] === 0) return;
  if (type === 0xc7 && bytes[at + 1] === 8 && bytes[at + 2] === 0) return;
  const head = timeAndMetadataHead(bytes, at);
  if (!metadata || head === 0) throw malformed(`a time of msgpack type 0x${type.toString(16)}`);
  checkTime(bytes, at + head, end, false);
}
