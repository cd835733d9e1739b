/** The times of forward events: what clients send, and how the NDJSON line has them. */
import { timeAndMetadataHead } from './entries.ts';
import { malformed } from './errors.ts';
import { readUint32 } from './msgpack-scan.ts';

/** Greater integers are not seconds (they would be after the year 5138) but milliseconds, then micro-, nanoseconds. */
const MILLISECONDS_FROM = 1e11;
const MICROSECONDS_FROM = 1e14;
const NANOSECONDS_FROM = 1e17;
const NANOSECONDS = 1_000_000_000n;
/** RFC 3339 has four digits for the year. */
const MIN_SECONDS = -62167219200;
const MAX_SECONDS = 253402300799;

/** A time as whole seconds since 1970 and nanoseconds; one object is reused for all events. */
export class EventTime {
  seconds = 0;
  nanoseconds = 0;
  /** Whether the client gave none (0, nil, no number that means a time): the event happened now. */
  absent = false;

  get milliseconds(): number {
    return this.seconds * 1000 + Math.floor(this.nanoseconds / 1e6);
  }

  /** Takes a number of unstated unit: an integer of seconds or smaller units, a float of seconds. */
  setNumber(value: number): void {
    const size = Math.abs(value);
    if (size > NANOSECONDS_FROM) this.#setUnits(value, 1e9);
    else if (size > MICROSECONDS_FROM) this.#setUnits(value, 1e6);
    else if (size > MILLISECONDS_FROM) this.#setUnits(value, 1e3);
    else {
      this.seconds = Math.floor(value);
      // A double of seconds is good to about a microsecond: more digits than that would be made up.
      this.nanoseconds = Math.round((value - this.seconds) * 1e6) * 1000;
      this.#carry();
    }
    if (!(this.seconds >= MIN_SECONDS && this.seconds <= MAX_SECONDS)) this.absent = true;
  }

  setMilliseconds(milliseconds: number): void {
    this.#setUnits(milliseconds, 1e3);
  }

  #setUnits(value: number, perSecond: number): void {
    this.seconds = Math.floor(value / perSecond);
    this.nanoseconds = Math.round((value - this.seconds * perSecond) * (1e9 / perSecond));
    this.#carry();
  }

  #carry(): void {
    if (this.nanoseconds < 1e9) return;
    this.seconds += Math.floor(this.nanoseconds / 1e9);
    this.nanoseconds %= 1e9;
  }

  /**
   * Reads the time of an entry: EventTime in both encodings, integers and floats, nil, or an array of one of these
   * and metadata.
   *
   * @throws RefusedError for any other type
   */
  read(bytes: Buffer, at: number): void {
    this.absent = false;
    const type = bytes[at]!;
    if (type === 0xd7 && bytes[at + 1] === 0) {
      this.#setEventTime(bytes, at + 2);
      return;
    }
    if (type === 0xce) {
      this.seconds = readUint32(bytes, at + 1);
      this.nanoseconds = 0;
      this.absent = this.seconds === 0;
      return;
    }
    if (type === 0xc7 && bytes[at + 1] === 8 && bytes[at + 2] === 0) {
      this.#setEventTime(bytes, at + 3);
      return;
    }
    const head = timeAndMetadataHead(bytes, at);
    if (head > 0) {
      this.read(bytes, at + head);
      return;
    }
    if (type === 0xcf || type === 0xd3) {
      this.#setInteger(type === 0xcf ? bytes.readBigUInt64BE(at + 1) : bytes.readBigInt64BE(at + 1));
      return;
    }
    const value = readNumber(bytes, at);
    this.absent = value === 0 || !Number.isFinite(value);
    if (!this.absent) this.setNumber(value);
  }

  /** Takes an integer of 64 bits: as nanoseconds it has more digits than a double. */
  #setInteger(value: bigint): void {
    const number = Number(value);
    this.absent = value === 0n;
    if (!this.absent) this.setNumber(number);
    if (!this.absent && Math.abs(number) > NANOSECONDS_FROM) {
      this.nanoseconds = Number(((value % NANOSECONDS) + NANOSECONDS) % NANOSECONDS);
      this.seconds = Number((value - BigInt(this.nanoseconds)) / NANOSECONDS);
    }
  }

  #setEventTime(bytes: Uint8Array, at: number): void {
    this.seconds = readUint32(bytes, at);
    this.nanoseconds = readUint32(bytes, at + 4);
    this.#carry();
    this.absent = this.seconds === 0 && this.nanoseconds === 0;
  }
}

/** A number of any msgpack type but the integers of 64 bits, as a double; 0 for nil. */
function readNumber(bytes: Buffer, at: number): number {
  const type = bytes[at]!;
  if (type < 0x80) return type;
  if (type >= 0xe0) return type - 0x100;
  switch (type) {
    case 0xc0:
      return 0;
    case 0xca:
      return bytes.readFloatBE(at + 1);
    case 0xcb:
      return bytes.readDoubleBE(at + 1);
    case 0xcc:
      return bytes[at + 1]!;
    case 0xcd:
      return bytes.readUInt16BE(at + 1);
    case 0xce:
      return readUint32(bytes, at + 1);
    case 0xd0:
      return bytes.readInt8(at + 1);
    case 0xd1:
      return bytes.readInt16BE(at + 1);
    case 0xd2:
      return bytes.readInt32BE(at + 1);
    default:
      throw malformed(`a time of msgpack type 0x${type.toString(16)}`);
  }
}

/**
 * Writes times as RFC 3339 in UTC, with three digits of the second where it isn't a whole one, and nine where the
 * client gave more than three.
 */
export class TimeWriter {
  #seconds = Number.NaN;
  /** `2026-11-23T21:03:16`, for the second that was written last: logs come in runs of one second. */
  readonly #prefix = Buffer.alloc(SECONDS_BYTES);

  /** @returns the offset behind what was written, at most 30 bytes */
  write(out: Uint8Array, at: number, seconds: number, nanoseconds: number): number {
    const prefix = this.#prefix;
    if (seconds !== this.#seconds) {
      this.#seconds = seconds;
      prefix.write(new Date(seconds * 1000).toISOString(), 0, SECONDS_BYTES, 'latin1');
    }
    for (let i = 0; i < SECONDS_BYTES; i++) out[at + i] = prefix[i]!;
    at += SECONDS_BYTES;
    if (nanoseconds !== 0) {
      const exact = nanoseconds % 1e6 !== 0;
      let rest = exact ? nanoseconds : (nanoseconds / 1e6) | 0;
      const digits = exact ? 9 : 3;
      out[at] = 0x2e;
      for (let i = at + digits; i > at; i--) {
        const tenth = (rest / 10) | 0;
        out[i] = 48 + rest - tenth * 10;
        rest = tenth;
      }
      at += digits + 1;
    }
    out[at] = 0x5a;
    return at + 1;
  }
}

const SECONDS_BYTES = 19;
