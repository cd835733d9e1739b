/** The JSON form of the protocol: where texts end in the stream, and acks. */
import { malformed, RefusedError } from './errors.ts';
import { generalBound, JsonWriter } from './json-writer.ts';
import { readHead } from './message.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether the first byte of a connection says that its client speaks JSON. */
export function isJsonStart(byte: number): boolean {
  return byte === 0x7b || byte === 0x5b;
}

/** As MessageScanner, for JSON texts behind each other; white space between them belongs to the next one. */
export class JsonScanner {
  readonly #maxBytes: number;
  #start = 0;
  #at = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  begin(offset: number): void {
    this.#start = offset;
    this.#at = offset;
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
  }

  moved(by: number): void {
    this.#start -= by;
    this.#at -= by;
  }

  /**
   * @returns the offset behind the text, or -1 when it goes on after `end`
   * @throws RefusedError when what stands there is no array, or longer than the maximum
   */
  scan(bytes: Uint8Array, end: number): number {
    let at = this.#at;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE && this.#depth > 0) {
        this.#inString = true;
      } else if (byte === 0x5b || byte === 0x7b) {
        this.#depth++;
      } else if (byte === 0x5d || byte === 0x7d) {
        if (--this.#depth === 0) {
          this.#at = at + 1;
          return at + 1;
        }
        if (this.#depth < 0) throw malformed('a JSON text that closes what it has not opened');
      } else if (this.#depth === 0 && !isSpace(byte)) {
        throw malformed('JSON that is not an array');
      }
    }
    if (end - this.#start > this.#maxBytes) {
      throw new RefusedError('too_large', `a message of more than ${this.#maxBytes} bytes`);
    }
    this.#at = at;
    return -1;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** The ack of a JSON message, with the id as it came, byte for byte; `value` is the id as msgpack. */
export function jsonAck(value: Buffer): Buffer {
  const head = readHead(value, 0);
  // A letter for each byte, so that bytes that are not UTF-8 stay what they are.
  if (head?.kind === 'bytes')
    return Buffer.from(`{"ack":${JSON.stringify(value.toString('latin1', head.at, head.end))}}`, 'latin1');
  const writer = new JsonWriter();
  writer.out = Buffer.allocUnsafe(generalBound(value.length));
  writer.value(value, 0, 0);
  return Buffer.concat([Buffer.from('{"ack":'), writer.out.subarray(0, writer.at), Buffer.from('}')]);
}
