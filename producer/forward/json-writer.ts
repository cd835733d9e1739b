/**
 * Writes msgpack values as JSON, bytes to bytes: no JavaScript value is made of what passes through.
 *
 * The JSON form of what JSON doesn't have: integers keep all their digits; a float that is a whole number ends in
 * `.0`; NaN and the infinities are strings; bin is a string when it is UTF-8, else `{"base64": …}`; ext is
 * `{"ext": type, "base64": …}`, but EventTime and msgpack's timestamp are RFC 3339 strings; bytes of a str that are
 * no UTF-8 become U+FFFD and are counted; keys that are no strings become the string of their JSON form; a key's
 * second occurrence in one map gets `#2` behind it, and so on.
 */
import { isUtf8 } from 'node:buffer';
import { Tally, writeString } from '../format/json-bytes.ts';
import { TimeWriter } from './event-time.ts';
import { readUint32, skipValue } from './msgpack-scan.ts';

/** Maps with more keys than this are checked for repeated ones with a set. */
const SMALL_MAP = 64;
const SLOTS = 256;
/** Result of a step that must be made again by the general way. */
const AGAIN = -1;

/** JSON bytes that `bytes` of msgpack can't exceed, when all keys are strings and none repeats. */
export function plainBound(bytes: number): number {
  return bytes * 10 + 64;
}

/** JSON bytes that `bytes` of msgpack can't exceed. */
export function generalBound(bytes: number): number {
  return bytes * 26 + 64;
}

/** The key of the event's time, as `"key":`: the second one for records that have a `time` of their own. */
export const TIME = Buffer.from('"time":');
export const TIME_BESIDE = Buffer.from('"_time":');
export type TimeName = typeof TIME | typeof TIME_BESIDE;

/** A set of keys, found by their bytes. */
export class WatchedKeys {
  readonly #slots: (readonly Buffer[] | undefined)[] = new Array(SLOTS).fill(undefined);

  constructor(keys: readonly string[]) {
    for (const key of new Set(keys)) {
      const bytes = Buffer.from(key);
      const slot = slotOf(bytes, 0, bytes.length);
      this.#slots[slot] = [...(this.#slots[slot] ?? []), bytes];
    }
  }

  /** @param slot what {@link slotOf} says of the same key */
  has(slot: number, src: Buffer, key: number, end: number): boolean {
    const candidates = this.#slots[slot];
    return candidates?.some((bytes) => bytes.compare(src, key, end) === 0) ?? false;
  }
}

/** A small hash of a key, good enough for keys of one record. */
function slotOf(src: Uint8Array, key: number, end: number): number {
  const length = end - key;
  if (length === 0) return 0;
  return (length * 61 + src[key]! * 7 + src[end - 1]! * 13 + src[key + (length >> 1)]!) & (SLOTS - 1);
}

export class JsonWriter {
  /** Where is written to; the caller sees to the room. */
  out: Buffer = EMPTY;
  /** The offset in `out` behind what was written. */
  at = 0;
  /** Counts what was replaced by U+FFFD. */
  readonly tally = new Tally();
  /** Keys of a record that {@link plainEvent} doesn't write. */
  watched = new WatchedKeys([]);
  #source: Buffer = EMPTY;
  #sourceView: DataView = NOTHING;
  #target: Buffer = EMPTY;
  #targetView: DataView = NOTHING;
  readonly #times = new TimeWriter();
  /** Per depth of maps: marks of the keys seen, by a hash of them; a mark counts when it is of this map's generation. */
  readonly #seen: Int32Array[] = [];
  #generation = 0;
  #inKey = false;
  #general = false;

  /**
   * Writes `{"time":"…"` and the pairs of the record map that begins at `at`, without the closing brace.
   *
   * @param name {@link TIME}, or {@link TIME_BESIDE} for a record that has a `time`
   * @returns whether it could be done: false when the other name would be right, or neither is free, or the record
   * has a watched key, one that repeats or one that is no string; `at` is then where it was
   */
  plainEvent(src: Buffer, at: number, name: TimeName, seconds: number, nanoseconds: number): boolean {
    const start = this.at;
    const invalid = this.tally.replaced;
    const out = this.out;
    let to = start;
    out[to++] = 0x7b;
    for (let i = 0; i < name.length; i++) out[to++] = name[i]!;
    out[to++] = 0x22;
    to = this.#times.write(out, to, seconds, nanoseconds);
    out[to++] = 0x22;
    this.at = to;
    this.#general = false;
    if (this.#pairs(src, at, 1, name) !== AGAIN) return true;
    this.at = start;
    this.tally.replaced = invalid;
    return false;
  }

  /**
   * Writes the same, whatever the keys are; where names clash, the record's own come first.
   *
   * @param extra further fields, name and JSON, that stand behind the record's
   */
  generalEvent(
    src: Buffer,
    at: number,
    seconds: number,
    nanoseconds: number,
    extra: readonly (readonly [name: string, json: string])[],
  ): void {
    this.#general = true;
    const names = new Map<string, number>();
    this.out[this.at++] = 0x7b;
    this.#manyPairs(src, at, 1, names);
    const time = this.#freeName(names, names.has('time') ? '_time' : 'time');
    if (names.size > 1) this.out[this.at++] = 0x2c;
    this.#ascii(`"${time}":"`);
    this.at = this.#times.write(this.out, this.at, seconds, nanoseconds);
    this.out[this.at++] = 0x22;
    for (const [name, json] of extra) {
      this.at += this.out.write(`,"${this.#freeName(names, name)}":${json}`, this.at);
    }
  }

  /** Writes one value and returns the offset behind it. `depth`: how many arrays and maps it stands in. */
  value(src: Buffer, at: number, depth: number): number {
    const type = src[at]!;
    if (type < 0x80) {
      this.#smallInteger(type);
      return at + 1;
    }
    if (type >= 0xe0) {
      this.out[this.at++] = 0x2d;
      this.#smallInteger(0x100 - type);
      return at + 1;
    }
    if (type >= 0xa0 && type < 0xc0) return this.#string(src, at + 1, at + 1 + (type & 0x1f));
    switch (type) {
      case 0xc0:
        this.#ascii('null');
        return at + 1;
      case 0xc2:
        this.#ascii('false');
        return at + 1;
      case 0xc3:
        this.#ascii('true');
        return at + 1;
      case 0xc4:
        return this.#binary(src, at + 2, src[at + 1]!);
      case 0xc5:
        return this.#binary(src, at + 3, src.readUInt16BE(at + 1));
      case 0xc6:
        return this.#binary(src, at + 5, readUint32(src, at + 1));
      case 0xc7:
        return this.#ext(src, at + 2, src[at + 1]!);
      case 0xc8:
        return this.#ext(src, at + 3, src.readUInt16BE(at + 1));
      case 0xc9:
        return this.#ext(src, at + 5, readUint32(src, at + 1));
      case 0xca:
        this.#float(src.readFloatBE(at + 1));
        return at + 5;
      case 0xcb:
        this.#float(src.readDoubleBE(at + 1));
        return at + 9;
      case 0xcc:
        this.#smallInteger(src[at + 1]!);
        return at + 2;
      case 0xcd:
        this.#smallInteger((src[at + 1]! << 8) | src[at + 2]!);
        return at + 3;
      case 0xce:
        this.#integer(readUint32(src, at + 1));
        return at + 5;
      case 0xcf:
        this.#bigInteger(readUint32(src, at + 1), readUint32(src, at + 5), src, at);
        return at + 9;
      case 0xd0:
        this.#integer(src.readInt8(at + 1));
        return at + 2;
      case 0xd1:
        this.#integer(src.readInt16BE(at + 1));
        return at + 3;
      case 0xd2:
        this.#integer(src.readInt32BE(at + 1));
        return at + 5;
      case 0xd3:
        this.#bigInteger(src.readInt32BE(at + 1), readUint32(src, at + 5), src, at);
        return at + 9;
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#ext(src, at + 1, 1 << (type - 0xd4));
      case 0xd9:
        return this.#string(src, at + 2, at + 2 + src[at + 1]!);
      case 0xda:
        return this.#string(src, at + 3, at + 3 + ((src[at + 1]! << 8) | src[at + 2]!));
      case 0xdb:
        return this.#string(src, at + 5, at + 5 + readUint32(src, at + 1));
      case 0xdc:
        return this.#array(src, at + 3, src.readUInt16BE(at + 1), depth);
      case 0xdd:
        return this.#array(src, at + 5, readUint32(src, at + 1), depth);
      default:
        return type < 0xa0 && type >= 0x90
          ? this.#array(src, at + 1, type & 0x0f, depth)
          : this.#map(src, at, depth);
    }
  }

  #array(src: Buffer, at: number, count: number, depth: number): number {
    this.out[this.at++] = 0x5b;
    for (let i = 0; i < count; i++) {
      if (i > 0) this.out[this.at++] = 0x2c;
      at = this.value(src, at, depth + 1);
      // The plain way has come to its end inside: the whole event is written again.
      if (at === AGAIN) return AGAIN;
    }
    this.out[this.at++] = 0x5d;
    return at;
  }

  #map(src: Buffer, at: number, depth: number): number {
    this.out[this.at++] = 0x7b;
    const end = this.#general
      ? this.#manyPairs(src, at, depth + 1, new Map())
      : this.#pairs(src, at, depth + 1, null);
    this.out[this.at++] = 0x7d;
    return end;
  }

  /**
   * The pairs of the map at `at` whose keys are all strings and all different: AGAIN when they are not.
   *
   * @param reserved a key that the record may not have, as `"key":`, which stands in the output already
   */
  #pairs(src: Buffer, at: number, depth: number, reserved: Buffer | null): number {
    const count = mapCount(src, at);
    if (count > SMALL_MAP) return AGAIN;
    const first = at + mapHead(src, at);
    this.#seen[depth] ??= new Int32Array(SLOTS);
    const seen = this.#seen[depth];
    this.#generation = (this.#generation + 1) | 0;
    const generation = this.#generation;
    at = first;
    let hasTime = reserved === TIME;
    for (let i = 0; i < count; i++) {
      const type = src[at]!;
      let key = at + 1;
      let length = type & 0x1f;
      if (type < 0xa0 || type >= 0xc0) {
        if (type !== 0xd9) return AGAIN;
        length = src[key++]!;
      }
      const end = key + length;
      const slot = slotOf(src, key, end);
      if (seen[slot] === generation && repeats(src, first, i, key, end)) return AGAIN;
      seen[slot] = generation;
      if (reserved !== null) {
        if (length === reserved.length - 3 && isName(src, key, reserved)) return AGAIN;
        if (length === 4 && isName(src, key, TIME)) hasTime = true;
        if (this.watched.has(slot, src, key, end)) return AGAIN;
      }
      if (i > 0 || reserved !== null) this.out[this.at++] = 0x2c;
      const invalid = this.tally.replaced;
      this.#string(src, key, end);
      // Different bytes may have become the same text.
      if (this.tally.replaced !== invalid) return AGAIN;
      this.out[this.at++] = 0x3a;
      at = this.value(src, end, depth);
      if (at === AGAIN) return AGAIN;
    }
    return reserved !== null && !hasTime ? AGAIN : at;
  }

  /** The pairs of the map at `at`, whatever the keys; `names` are those taken already, each with the number that its next copy tries. */
  #manyPairs(src: Buffer, at: number, depth: number, names: Map<string, number>): number {
    const count = mapCount(src, at);
    at += mapHead(src, at);
    for (let i = 0; i < count; i++) {
      if (i > 0) this.out[this.at++] = 0x2c;
      const start = this.at;
      at = this.#key(src, at, depth);
      // The text as written is what must differ, so it is what is compared.
      const name = this.out.toString('latin1', start + 1, this.at - 1);
      const free = this.#freeName(names, name);
      if (free !== name) {
        this.at--;
        this.#ascii(`${free.slice(name.length)}"`);
      }
      this.out[this.at++] = 0x3a;
      at = this.value(src, at, depth);
    }
    return at;
  }

  /** `name`, or where it is taken the first of `name#2`, `name#3`, … that isn't. */
  #freeName(names: Map<string, number>, name: string): string {
    let next = names.get(name);
    if (next === undefined) {
      names.set(name, 2);
      return name;
    }
    let free: string;
    do free = `${name}#${next++}`;
    while (names.has(free));
    names.set(name, next);
    names.set(free, 2);
    return free;
  }

  /** A key of any type, as a string. */
  #key(src: Buffer, at: number, depth: number): number {
    const type = src[at]!;
    const start = this.at;
    const container = (type >= 0x80 && type < 0xa0) || (type >= 0xdc && type < 0xe0);
    if (container && this.#inKey) {
      // Quotes in quotes in quotes would double the text at each level.
      const end = skipValue(src, at, src.length, 0);
      this.#ascii(`"msgpack:${src.toString('base64', at, end)}"`);
      return end;
    }
    const inKey = this.#inKey;
    this.#inKey = true;
    const end = this.value(src, at, depth);
    this.#inKey = inKey;
    if (this.out[start] !== 0x22) {
      const json = Buffer.from(this.out.subarray(start, this.at));
      this.at = start;
      this.#string(json, 0, json.length);
    }
    return end;
  }

  #string(src: Buffer, at: number, end: number): number {
    if (src !== this.#source || this.out !== this.#target) this.#look(src);
    const out = this.out;
    const from = this.#sourceView;
    const to = this.#targetView;
    let place = this.at;
    out[place++] = 0x22;
    // Four bytes at a time up to the first that JSON doesn't copy: a control character, a quote, a backslash, or one
    // of a longer UTF-8 sequence. In each byte of `odd` the highest bit tells; the lowest such bit is exact, borrows go
    // upwards only.
    while (at + 4 <= end) {
      const word = from.getInt32(at, true);
      const odd = (word | (word - BLANKS) | ((word ^ QUOTES) - ONES) | ((word ^ BACKSLASHES) - ONES)) & HIGHS;
      to.setInt32(place, word, true);
      if (odd !== 0) {
        const plain = (31 - Math.clz32(odd & -odd)) >> 3;
        at += plain;
        place += plain;
        break;
      }
      at += 4;
      place += 4;
    }
    if (at < end) place = writeString(out, place, src, at, end, this.tally);
    out[place++] = 0x22;
    this.at = place;
    return end;
  }

  /** Makes the views anew when the buffers at work are others. */
  #look(src: Buffer): void {
    const { out } = this;
    this.#source = src;
    this.#sourceView = new DataView(src.buffer, src.byteOffset, src.length);
    this.#target = out;
    this.#targetView = new DataView(out.buffer, out.byteOffset, out.length);
  }

  #binary(src: Buffer, at: number, length: number): number {
    const bytes = src.subarray(at, at + length);
    if (isUtf8(bytes)) return this.#string(src, at, at + length);
    this.#ascii('{"base64":"');
    this.#base64(bytes);
    this.#ascii('"}');
    return at + length;
  }

  /** @param at the offset of the ext's type byte */
  #ext(src: Buffer, at: number, length: number): number {
    const type = src.readInt8(at);
    const from = at + 1;
    const end = from + length;
    if (type === 0 && length === 8) {
      const seconds = readUint32(src, from);
      const nanoseconds = readUint32(src, from + 4);
      if (nanoseconds < 1e9) return this.#timestamp(seconds, nanoseconds, end);
    } else if (type === -1 && length === 4) {
      return this.#timestamp(readUint32(src, from), 0, end);
    } else if (type === -1 && length === 8) {
      const high = readUint32(src, from);
      if (high >>> 2 < 1e9) {
        return this.#timestamp((high & 3) * 2 ** 32 + readUint32(src, from + 4), high >>> 2, end);
      }
    } else if (type === -1 && length === 12) {
      const seconds = Number(src.readBigInt64BE(from + 4));
      const nanoseconds = readUint32(src, from);
      if (seconds >= -62167219200 && seconds <= 253402300799 && nanoseconds < 1e9) {
        return this.#timestamp(seconds, nanoseconds, end);
      }
    }
    this.#ascii(`{"ext":${type},"base64":"`);
    this.#base64(src.subarray(from, end));
    this.#ascii('"}');
    return end;
  }

  #timestamp(seconds: number, nanoseconds: number, end: number): number {
    this.out[this.at++] = 0x22;
    this.at = this.#times.write(this.out, this.at, seconds, nanoseconds);
    this.out[this.at++] = 0x22;
    return end;
  }

  #base64(bytes: Buffer): void {
    // A string of all of it would be twice the memory of a large bin: piece by piece, in multiples of three.
    for (let at = 0; at < bytes.length; at += 49152) {
      this.at += this.out.write(
        bytes.toString('base64', at, Math.min(at + 49152, bytes.length)),
        this.at,
        'latin1',
      );
    }
  }

  #float(value: number): void {
    // Most floats in logs are durations with few digits, which need no search for the shortest form: distinct
    // decimals of up to 15 digits are distinct doubles.
    const millionths = Math.round(value * 1e6);
    if (value > 0 && value < 1e6 && millionths / 1e6 === value && millionths % 1e6 !== 0) {
      this.#decimal(millionths);
      return;
    }
    if (Number.isInteger(value)) {
      if (Object.is(value, -0)) this.#ascii('-0.0');
      else if (Math.abs(value) < 1e15) this.#ascii(`${value}.0`);
      else this.#ascii(String(value));
    } else if (Number.isFinite(value)) this.#ascii(String(value));
    else this.#ascii(`"${value}"`);
  }

  /** A number of millionths that are no whole number, without the zeros at its end. */
  #decimal(millionths: number): void {
    const whole = Math.floor(millionths / 1e6);
    let rest = millionths - whole * 1e6;
    this.#smallInteger(whole);
    const out = this.out;
    out[this.at] = 0x2e;
    let digits = 6;
    for (; rest % 10 === 0; rest /= 10) digits--;
    for (let i = digits; i > 0; i--) {
      const tenth = (rest / 10) | 0;
      out[this.at + i] = 48 + rest - tenth * 10;
      rest = tenth;
    }
    this.at += digits + 1;
  }

  /** `high` and `low` are the halves of the integer at `at`. */
  #bigInteger(high: number, low: number, src: Buffer, at: number): void {
    const value = high * 2 ** 32 + low;
    if (Number.isSafeInteger(value)) this.#integer(value);
    else this.#ascii(String(src[at] === 0xcf ? src.readBigUInt64BE(at + 1) : src.readBigInt64BE(at + 1)));
  }

  #integer(value: number): void {
    if (value >= 0 && value < 1e9) this.#smallInteger(value);
    else this.#ascii(String(value));
  }

  /** 0 to 999,999,999. */
  #smallInteger(value: number): void {
    const out = this.out;
    if (value < 10) {
      out[this.at++] = 48 + value;
      return;
    }
    let digits = 2;
    for (let bound = 100; value >= bound; bound *= 10) digits++;
    const end = this.at + digits;
    for (let i = end - 1; i >= this.at; i--) {
      const tenth = (value / 10) | 0;
      out[i] = 48 + value - tenth * 10;
      value = tenth;
    }
    this.at = end;
  }

  #ascii(text: string): void {
    const out = this.out;
    let to = this.at;
    for (let i = 0; i < text.length; i++) out[to++] = text.charCodeAt(i);
    this.at = to;
  }
}

const EMPTY = Buffer.alloc(0);
const NOTHING = new DataView(new ArrayBuffer(0));

// Four times a byte, for all four bytes of a word at once.
const BLANKS = 0x20202020;
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;
const ONES = 0x01010101;
const HIGHS = 0x80808080;

function mapCount(src: Buffer, at: number): number {
  const type = src[at]!;
  return type === 0xde ? src.readUInt16BE(at + 1) : type === 0xdf ? readUint32(src, at + 1) : type & 0x0f;
}

function mapHead(src: Uint8Array, at: number): number {
  return src[at] === 0xde ? 3 : src[at] === 0xdf ? 5 : 1;
}

/** Whether the key from `key` to `end` is one of the first `count` string keys from `at` on. */
function repeats(src: Buffer, at: number, count: number, key: number, end: number): boolean {
  for (let i = 0; i < count; i++) {
    const from = at + (src[at] === 0xd9 ? 2 : 1);
    const to = src[at] === 0xd9 ? from + src[at + 1]! : from + (src[at]! & 0x1f);
    if (to - from === end - key && src.compare(src, key, end, from, to) === 0) return true;
    at = skipValue(src, to, src.length, 0);
  }
  return false;
}

/** Whether the key at `at` is the one that stands in `name`, written as `"key":`. */
function isName(src: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let i = 1; i < name.length - 2; i++) if (src[at + i - 1] !== name[i]) return false;
  return true;
}
