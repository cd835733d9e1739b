/** Writes single values as JSON into a buffer: strings, bytes, numbers and times. */
import { isUtf8 } from 'node:buffer';
import { plainBytes, Tally, writeString } from '../format/json-bytes.ts';
import { TimeWriter } from './event-time.ts';
import { readUint32 } from './msgpack-scan.ts';

const EMPTY = Buffer.alloc(0);
const NOTHING = new DataView(new ArrayBuffer(0));

/** A place in a buffer, and what writes JSON there. The offsets returned are those behind what was read. */
export class JsonOutput {
  /** Where is written to; the caller sees to the room. */
  out: Buffer = EMPTY;
  /** The offset in `out` behind what was written. */
  at = 0;
  /** Counts what was replaced by U+FFFD, and what was adjusted for strict readers. */
  readonly tally = new Tally();
  /** The numbers that JSON does not have and that were written as null since this was last empty. */
  protected odd = '';
  /** Whether what is written becomes the text of a string, where such a number may stand. */
  protected asText = false;
  #source: Buffer = EMPTY;
  #sourceView: DataView = NOTHING;
  #target: Buffer = EMPTY;
  #targetView: DataView = NOTHING;
  protected readonly times = new TimeWriter();

  /** Lets go of the buffers at work, which may be large. */
  forget(): void {
    this.out = EMPTY;
    this.#look(EMPTY);
  }

  protected string(src: Buffer, at: number, end: number): number {
    if (src !== this.#source || this.out !== this.#target) this.#look(src);
    const out = this.out;
    const from = this.#sourceView;
    const to = this.#targetView;
    let place = this.at;
    out[place++] = 0x22;
    // Four bytes at a time up to the first that JSON doesn't copy. The last word is read and written beyond the end:
    // what follows covers that.
    const readable = src.length - 3;
    const writable = out.length - 3;
    while (at < end && at < readable && place < writable) {
      const word = from.getInt32(at, true);
      to.setInt32(place, word, true);
      const plain = plainBytes(word);
      const left = end - at;
      if (left <= plain) {
        at = end;
        place += left;
        break;
      }
      at += plain;
      place += plain;
      if (plain < 4) break;
    }
    if (at < end) place = writeString(out, place, src, at, end, this.tally);
    out[place++] = 0x22;
    this.at = place;
    return end;
  }

  /** Replaces the views when the buffers in use are others. */
  #look(src: Buffer): void {
    const { out } = this;
    this.#source = src;
    this.#sourceView = new DataView(src.buffer, src.byteOffset, src.length);
    this.#target = out;
    this.#targetView = new DataView(out.buffer, out.byteOffset, out.length);
  }

  protected binary(src: Buffer, at: number, length: number): number {
    const bytes = src.subarray(at, at + length);
    if (isUtf8(bytes)) return this.string(src, at, at + length);
    // A string as where it is UTF-8: readers want one type of a name.
    this.ascii('"base64:');
    this.#base64(bytes);
    this.out[this.at++] = 0x22;
    return at + length;
  }

  /** @param at the offset of the ext's type byte */
  protected ext(src: Buffer, at: number, length: number): number {
    const type = src.readInt8(at);
    const from = at + 1;
    const end = from + length;
    if (type === 0 && length === 8) {
      const seconds = readUint32(src, from);
      const nanoseconds = readUint32(src, from + 4);
      if (nanoseconds < 1e9) return this.timestamp(seconds, nanoseconds, end);
    } else if (type === -1 && length === 4) {
      return this.timestamp(readUint32(src, from), 0, end);
    } else if (type === -1 && length === 8) {
      const high = readUint32(src, from);
      if (high >>> 2 < 1e9) {
        return this.timestamp((high & 3) * 2 ** 32 + readUint32(src, from + 4), high >>> 2, end);
      }
    } else if (type === -1 && length === 12) {
      const seconds = Number(src.readBigInt64BE(from + 4));
      const nanoseconds = readUint32(src, from);
      if (seconds >= -62167219200 && seconds <= 253402300799 && nanoseconds < 1e9) {
        return this.timestamp(seconds, nanoseconds, end);
      }
    }
    this.ascii(`{"ext":${type},"base64":"`);
    this.#base64(src.subarray(from, end));
    this.ascii('"}');
    return end;
  }

  protected timestamp(seconds: number, nanoseconds: number, end: number): number {
    this.out[this.at++] = 0x22;
    this.at = this.times.write(this.out, this.at, seconds, nanoseconds);
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

  protected float(value: number): void {
    // Most floats in logs are durations with few digits, which need no search for the shortest form: distinct
    // decimals of up to 15 digits are distinct doubles.
    const millionths = Math.round(value * 1e6);
    if (value > 0 && value < 1e6 && millionths / 1e6 === value && millionths % 1e6 !== 0) {
      this.#decimal(millionths);
      return;
    }
    if (Number.isInteger(value)) {
      if (Object.is(value, -0)) this.ascii('-0.0');
      else if (Math.abs(value) < 1e15) this.ascii(`${value}.0`);
      // pandas refuses digits of more than 64 bits, even with a fraction.
      else if (Math.abs(value) >= 2 ** 63) this.ascii(value.toExponential());
      else this.ascii(String(value));
    } else if (Number.isFinite(value) || this.asText) this.ascii(String(value));
    else {
      this.ascii('null');
      this.odd += this.odd === '' ? value : `, ${value}`;
    }
  }

  /** A number of millionths that are not a whole number, without the zeros at its end. */
  #decimal(millionths: number): void {
    const whole = Math.floor(millionths / 1e6);
    let rest = millionths - whole * 1e6;
    this.smallInteger(whole);
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
  protected bigInteger(high: number, low: number, src: Buffer, at: number): void {
    const value = high * 2 ** 32 + low;
    if (Number.isSafeInteger(value)) this.integer(value);
    else this.ascii(String(src[at] === 0xcf ? src.readBigUInt64BE(at + 1) : src.readBigInt64BE(at + 1)));
  }

  protected integer(value: number): void {
    if (value >= 0 && value < 1e9) this.smallInteger(value);
    else this.ascii(String(value));
  }

  /** 0 to 999,999,999. */
  protected smallInteger(value: number): void {
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

  protected ascii(text: string): void {
    const out = this.out;
    let to = this.at;
    for (let i = 0; i < text.length; i++) out[to++] = text.charCodeAt(i);
    this.at = to;
  }
}
