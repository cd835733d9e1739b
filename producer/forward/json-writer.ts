/**
 * Writes msgpack values as JSON, bytes to bytes: no JavaScript value is made of what passes through.
 *
 * The JSON form of what JSON doesn't have: integers keep all their digits; a float that is a whole number ends in
 * `.0`; NaN and the infinities are null, and their text comes under the key a second time; bin is a string, of
 * its base64 when it is not UTF-8; ext is `{"ext": type, "base64": …}`, but EventTime and msgpack's timestamp are
 * RFC 3339 strings; bytes of a str that are not UTF-8 become U+FFFD and are counted; keys that are not strings become
 * the string of their JSON form; a NUL in a key becomes
 * U+FFFD; a key's second occurrence in one map gets `#2` behind it, and so on.
 */
import { ESCAPE_BYTES, nulEscapes, REPLACEMENT_BYTES } from '../../base/nul-escapes.ts';
import { JsonOutput } from './json-output.ts';
import { freeName, isName, repeats, SLOTS, slotOf, WatchedKeys } from './keys.ts';
import { readUint32, skipAny } from './msgpack-scan.ts';

/** Maps with more keys than this are checked for repeated ones with a set. */
const SMALL_MAP = 64;
/** Result of a step that must be repeated by the general way. */
const AGAIN = -1;

/** JSON bytes that `bytes` of msgpack cannot exceed, when all keys are strings and none repeats. */
export function plainBound(bytes: number): number {
  return bytes * 10 + 64;
}

/** JSON bytes that `bytes` of msgpack cannot exceed. */
export function generalBound(bytes: number): number {
  return bytes * 26 + 64;
}

/** The key of the event's time, as `"key":`: the second one for records that have a `time` of their own. */
export const TIME = Buffer.from('"time":');
export const TIME_BESIDE = Buffer.from('"_time":');
export type TimeName = typeof TIME | typeof TIME_BESIDE;

export class JsonWriter extends JsonOutput {
  /** Keys of a record that {@link plainEvent} doesn't write. */
  watched = new WatchedKeys([]);
  /** Per depth of maps: marks of the keys seen, by a hash of them; a mark counts when it is of this map's generation. */
  readonly #seen: Int32Array[] = [];
  #generation = 0;
  #inKey = false;
  general = false;

  /**
   * Writes `{"time":"…"` and the pairs of the record map that begins at `at`, without the closing brace.
   *
   * @param name {@link TIME}, or {@link TIME_BESIDE} for a record that has a `time`
   * @returns whether it could be done: false when the other name would be right, or neither is free, or the record
   * has a watched key, one that repeats or one that is not a string; `at` is then where it was
   */
  plainEvent(src: Buffer, at: number, name: TimeName, seconds: number, nanoseconds: number): boolean {
    const start = this.at;
    const { replaced, adjusted } = this.tally;
    const out = this.out;
    let to = start;
    out[to++] = 0x7b;
    for (let i = 0; i < name.length; i++) out[to++] = name[i]!;
    out[to++] = 0x22;
    to = this.times.write(out, to, seconds, nanoseconds);
    out[to++] = 0x22;
    this.at = to;
    this.general = false;
    if (this.#pairs(src, at, 1, name) !== AGAIN) return true;
    this.at = start;
    this.odd = '';
    Object.assign(this.tally, { replaced, adjusted });
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
    this.general = true;
    const names = new Map<string, number>();
    this.out[this.at++] = 0x7b;
    this.#manyPairs(src, at, 1, names);
    const time = freeName(names, names.has('time') ? '_time' : 'time');
    if (names.size > 1) this.out[this.at++] = 0x2c;
    this.ascii(`"${time}":"`);
    this.at = this.times.write(this.out, this.at, seconds, nanoseconds);
    this.out[this.at++] = 0x22;
    for (const [name, json] of extra) {
      this.at += this.out.write(`,"${freeName(names, name)}":${json}`, this.at);
    }
  }

  /** Writes one value and returns the offset behind it. `depth`: how many arrays and maps it is in. */
  value(src: Buffer, at: number, depth: number): number {
    const type = src[at]!;
    if (type < 0x80) {
      this.smallInteger(type);
      return at + 1;
    }
    if (type >= 0xe0) {
      this.out[this.at++] = 0x2d;
      this.smallInteger(0x100 - type);
      return at + 1;
    }
    if (type >= 0xa0 && type < 0xc0) return this.string(src, at + 1, at + 1 + (type & 0x1f));
    switch (type) {
      case 0xc0:
        this.ascii('null');
        return at + 1;
      case 0xc2:
        this.ascii('false');
        return at + 1;
      case 0xc3:
        this.ascii('true');
        return at + 1;
      case 0xc4:
        return this.binary(src, at + 2, src[at + 1]!);
      case 0xc5:
        return this.binary(src, at + 3, src.readUInt16BE(at + 1));
      case 0xc6:
        return this.binary(src, at + 5, readUint32(src, at + 1));
      case 0xc7:
        return this.ext(src, at + 2, src[at + 1]!);
      case 0xc8:
        return this.ext(src, at + 3, src.readUInt16BE(at + 1));
      case 0xc9:
        return this.ext(src, at + 5, readUint32(src, at + 1));
      case 0xca:
        this.float(src.readFloatBE(at + 1));
        return this.odd !== '' && !this.general ? AGAIN : at + 5;
      case 0xcb:
        this.float(src.readDoubleBE(at + 1));
        return this.odd !== '' && !this.general ? AGAIN : at + 9;
      case 0xcc:
        this.smallInteger(src[at + 1]!);
        return at + 2;
      case 0xcd:
        this.smallInteger((src[at + 1]! << 8) | src[at + 2]!);
        return at + 3;
      case 0xce:
        this.integer(readUint32(src, at + 1));
        return at + 5;
      case 0xcf:
        this.bigInteger(readUint32(src, at + 1), readUint32(src, at + 5), src, at);
        return at + 9;
      case 0xd0:
        this.integer(src.readInt8(at + 1));
        return at + 2;
      case 0xd1:
        this.integer(src.readInt16BE(at + 1));
        return at + 3;
      case 0xd2:
        this.integer(src.readInt32BE(at + 1));
        return at + 5;
      case 0xd3:
        this.bigInteger(src.readInt32BE(at + 1), readUint32(src, at + 5), src, at);
        return at + 9;
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.ext(src, at + 1, 1 << (type - 0xd4));
      case 0xd9:
        return this.string(src, at + 2, at + 2 + src[at + 1]!);
      case 0xda:
        return this.string(src, at + 3, at + 3 + ((src[at + 1]! << 8) | src[at + 2]!));
      case 0xdb:
        return this.string(src, at + 5, at + 5 + readUint32(src, at + 1));
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
      // The plain way has come to its end inside: the whole event is rewritten.
      if (at === AGAIN) return AGAIN;
    }
    this.out[this.at++] = 0x5d;
    return at;
  }

  #map(src: Buffer, at: number, depth: number): number {
    this.out[this.at++] = 0x7b;
    const end = this.general
      ? this.#manyPairs(src, at, depth + 1, new Map())
      : this.#pairs(src, at, depth + 1, null);
    this.out[this.at++] = 0x7d;
    return end;
  }

  /**
   * The pairs of the map at `at` whose keys are all strings and all different; a constant says where they are not.
   *
   * @param reserved a key that the record may not have, as `"key":`, which is in the output already
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
      const before = this.at;
      const invalid = this.tally.replaced;
      this.string(src, key, end);
      // Different bytes may have become the same text; and of what is escaped, a NUL may not stay.
      if (this.tally.replaced !== invalid || this.at - before !== length + 2) return AGAIN;
      this.out[this.at++] = 0x3a;
      at = this.value(src, end, depth);
      if (at === AGAIN) return AGAIN;
    }
    return reserved !== null && !hasTime ? AGAIN : at;
  }

  /** The pairs of the map at `at`, whatever the keys; `names` are those taken already, each with the number that its next copy tries. */
  #manyPairs(src: Buffer, at: number, depth: number, names: Map<string, number>): number {
    const count = mapCount(src, at);
    const outer = this.odd;
    at += mapHead(src, at);
    for (let i = 0; i < count; i++) {
      if (i > 0) this.out[this.at++] = 0x2c;
      const start = this.at;
      at = this.#key(src, at, depth);
      for (const nul of nulEscapes(this.out, start + 1, this.at - 1).reverse()) {
        REPLACEMENT_BYTES.copy(this.out, nul);
        this.out.copyWithin(nul + REPLACEMENT_BYTES.length, nul + ESCAPE_BYTES, this.at);
        this.at -= ESCAPE_BYTES - REPLACEMENT_BYTES.length;
        this.tally.adjusted++;
      }
      // The text as written is what must differ, so it is what is compared.
      const name = this.out.toString('latin1', start + 1, this.at - 1);
      const free = freeName(names, name);
      if (free !== name) {
        this.tally.adjusted++;
        this.at--;
        this.ascii(`${free.slice(name.length)}"`);
      }
      this.out[this.at++] = 0x3a;
      this.odd = '';
      at = this.value(src, at, depth);
      if (this.odd === '') continue;
      this.tally.adjusted++;
      this.ascii(`,"${freeName(names, name)}":"${this.odd}"`);
    }
    this.odd = outer;
    return at;
  }

  /** A key of any type, as a string. */
  #key(src: Buffer, at: number, depth: number): number {
    const type = src[at]!;
    const start = this.at;
    const container = (type >= 0x80 && type < 0xa0) || (type >= 0xdc && type < 0xe0);
    if (container && this.#inKey) {
      // Quotes in quotes in quotes would double the text at each level.
      const end = skipAny(src, at, src.length);
      this.ascii(`"msgpack:${src.toString('base64', at, end)}"`);
      return end;
    }
    const { asText } = this;
    const inKey = this.#inKey;
    this.#inKey = true;
    this.asText = true;
    const end = this.value(src, at, depth);
    this.#inKey = inKey;
    this.asText = asText;
    if (this.out[start] !== 0x22) {
      const json = Buffer.from(this.out.subarray(start, this.at));
      this.at = start;
      this.string(json, 0, json.length);
    }
    return end;
  }
}

function mapCount(src: Buffer, at: number): number {
  const type = src[at]!;
  return type === 0xde ? src.readUInt16BE(at + 1) : type === 0xdf ? readUint32(src, at + 1) : type & 0x0f;
}

function mapHead(src: Uint8Array, at: number): number {
  return src[at] === 0xde ? 3 : src[at] === 0xdf ? 5 : 1;
}
