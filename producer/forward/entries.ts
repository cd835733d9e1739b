/** The entries of a message, each an array of a time and a record, found and checked in one walk. */
import { malformed, RefusedError } from './errors.ts';
import { readUint32, skipAny, skipValue } from './msgpack-scan.ts';

/** Entries whose offsets are kept at once. */
const MOST_ENTRIES = 1 << 17;
const FIRST_ENTRIES = 1 << 12;

/** Where the parts of entries stand. */
export class EntryOffsets {
  #offsets = new Uint32Array(FIRST_ENTRIES * 3);
  count = 0;
  /** Where the entry begins that is being walked over. */
  #start = 0;

  /**
   * Finds the entries from `at` to `end`, or as many as are kept at a time, up to one that is not sound.
   *
   * @param most no more entries than this
   * @returns the offset behind the last that was found; `unsound` says whether the next one is not sound
   */
  find(
    bytes: Buffer,
    at: number,
    end: number,
    most = MOST_ENTRIES,
  ): { readonly at: number; readonly unsound: boolean } {
    this.count = 0;
    try {
      return { at: this.#walk(bytes, at, end, Math.min(most, MOST_ENTRIES)), unsound: false };
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      return { at: this.#start, unsound: true };
    }
  }

  #walk(bytes: Buffer, at: number, end: number, most: number): number {
    while (at < end && this.count < most) {
      const place = this.count * 3;
      if (place === this.#offsets.length) this.#grow();
      this.#start = at;
      const values = entryValues(bytes, at, end);
      const time = at + entryHead(bytes[at]!);
      checkTime(bytes, time, end, true);
      const record = skipValue(bytes, time, end, 0);
      at = skipValue(bytes, record, end, 0);
      this.#offsets[place] = time;
      this.#offsets[place + 1] = record;
      this.#offsets[place + 2] = at;
      for (let i = 2; i < values; i++) at = skipValue(bytes, at, end, 0);
      this.count++;
    }
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

/** Where the time and the record of the entry at `at` are; null if it is not an array of two values or more. */
export function entryParts(
  bytes: Buffer,
  at: number,
  end: number,
): { readonly time: number; readonly record: number } | null {
  const isArray = (bytes[at]! >= 0x90 && bytes[at]! < 0xa0) || bytes[at] === 0xdc || bytes[at] === 0xdd;
  if (!isArray || entryCount(bytes, at) < 2) return null;
  const time = at + entryHead(bytes[at]!);
  return { time, record: skipAny(bytes, time, end) };
}

/** How many values the entry at `at` has. */
function entryValues(bytes: Buffer, at: number, end: number): number {
  if (at >= end) throw malformed('fewer entries than the message says');
  const type = bytes[at]!;
  const isArray = (type >= 0x90 && type < 0xa0) || type === 0xdc || type === 0xdd;
  if (!isArray || at + entryHead(type) > end)
    throw malformed(`an entry that is not an array but msgpack type 0x${type.toString(16)}`);
  const values = entryCount(bytes, at);
  if (values < 2) throw malformed(`an entry of ${values} values`);
  if (at + entryHead(type) + values > end) throw malformed('an entry ends after its message');
  return values;
}

function entryCount(bytes: Buffer, at: number): number {
  const type = bytes[at]!;
  if (type < 0xa0) return type & 0x0f;
  return type === 0xdc ? bytes.readUInt16BE(at + 1) : readUint32(bytes, at + 1);
}

function entryHead(type: number): number {
  return type === 0xdc ? 3 : type === 0xdd ? 5 : 1;
}

/** Bytes before the time in an array of a time and metadata; 0 for anything else. */
export function timeAndMetadataHead(bytes: Uint8Array, at: number): number {
  const type = bytes[at]!;
  if (type > 0x90 && type < 0xa0) return 1;
  if (type === 0xdc) return (bytes[at + 1]! | bytes[at + 2]!) === 0 ? 0 : 3;
  return type === 0xdd && readUint32(bytes, at + 1) !== 0 ? 5 : 0;
}

/** @throws RefusedError if the value at `at`, which is complete, is not a time */
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
