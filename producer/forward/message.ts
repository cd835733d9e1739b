/** The envelope of a forward message: tag, entries and options, found in complete msgpack bytes. */
import { hash } from 'node:crypto';
import { malformed, RefusedError } from './errors.ts';
import { readUint32, skipAny, skipValue } from './msgpack-scan.ts';

export type Mode = 'message' | 'forward' | 'packed';

export interface Message {
  readonly mode: Mode;
  readonly tag: string;
  /**
   * Where the entries are: a time and a record (message), or any number of entries one after another (forward and
   * packed, without the array's or string's head).
   */
  readonly from: number;
  readonly to: number;
  readonly options: Options;
}

export interface Options {
  /** The client's id of the message, and the whole msgpack value that an ack must repeat. */
  readonly chunk: { readonly id: Buffer; readonly value: Buffer } | null;
  readonly compressed: 'gzip' | 'zstd' | null;
}

/** Far above what anybody uses: a tag that has no builders of its own is repeated in each of its events. */
const MAX_TAG_BYTES = 64 * 1024;
/** Bytes that are kept of a longer one, which a digest of the whole follows. */
const KEPT_TAG_BYTES = 1024;
/** Far above what clients send: ids are kept until their acks are written. */
const MAX_ID_BYTES = 1024;
const NO_OPTIONS: Options = { chunk: null, compressed: null };
const CHUNK = Buffer.from('chunk');
const COMPRESSED = Buffer.from('compressed');
const SIGNAL = Buffer.from('fluent_signal');

/**
 * Reads the envelope of the message at `[at, end)`.
 *
 * @returns null for nil, the heartbeat
 * @throws RefusedError for anything that is not a message of the forward protocol
 */
export function readMessage(bytes: Buffer, at: number, end: number): Message | null {
  if (bytes[at] === 0xc0) return null;
  const outer = readHead(bytes, at);
  if (outer?.kind !== 'array' || outer.count < 2)
    throw malformed('a message that is not an array of tag and events');
  const tagHead = readHead(bytes, outer.at);
  if (tagHead?.kind !== 'bytes') throw malformed('a tag that is not a string');
  const tag = readTag(bytes, tagHead);
  const second = tagHead.end < end ? readHead(bytes, tagHead.end) : null;
  if (second?.kind === 'bytes' && !isTextTime(bytes, second, outer.count, end)) {
    const options = outer.count > 2 ? readOptions(bytes, second.end, end) : NO_OPTIONS;
    return { mode: 'packed', tag, from: second.at, to: second.end, options };
  }
  if (second?.kind === 'array' && !(outer.count > 2 && isTimeWithMetadata(bytes, second, end))) {
    let to = second.at;
    for (let i = 0; i < second.count; i++) to = skipAny(bytes, to, end);
    const options = outer.count > 2 ? readOptions(bytes, to, end) : NO_OPTIONS;
    return { mode: 'forward', tag, from: second.at, to, options };
  }
  if (outer.count < 3) throw malformed('a message without a record');
  const to = skipAny(bytes, skipAny(bytes, tagHead.end, end), end);
  // Values behind the options are some later version's: fluentd ignores them as well.
  const options = outer.count > 3 ? readOptions(bytes, to, end) : NO_OPTIONS;
  return { mode: 'message', tag, from: tagHead.end, to, options };
}

/** Whether an array behind the tag is a time with metadata, and not the entries. */
function isTimeWithMetadata(bytes: Buffer, array: Head, end: number): boolean {
  if (array.count === 0 || array.count > 2 || kindOf(bytes[array.at]!) !== null) return false;
  return array.count === 1 || kindOf(bytes[skipAny(bytes, array.at, end)]!) === 'map';
}

/**
 * Whether a string behind the tag is the time of a single event, though no client should write it so, and not packed
 * entries: those begin with an array, or their options say how they are compressed.
 */
function isTextTime(bytes: Buffer, text: Head, count: number, end: number): boolean {
  // What is inside a string need not be msgpack, nor complete: only the type of its first byte is asked for.
  if (count < 3 || text.count === 0 || kindOf(bytes[text.at]!) === 'array') return false;
  if (kindOf(bytes[text.end]!) !== 'map') return false;
  if (count > 3) return true;
  const { chunk, compressed } = readOptions(bytes, text.end, end);
  return chunk === null && compressed === null;
}

/** The tag; of one that is too long, its beginning and a digest, so that different tags stay different. */
function readTag(bytes: Buffer, { at, end, count }: Head): string {
  if (count <= MAX_TAG_BYTES) return bytes.toString('utf8', at, end);
  const digest = hash('sha256', bytes.subarray(at, end), 'hex').slice(0, 32);
  return `${bytes.toString('utf8', at, at + KEPT_TAG_BYTES)}…${digest}`;
}

function readOptions(bytes: Buffer, at: number, end: number): Options {
  const head = readHead(bytes, at);
  if (head === null && bytes[at] === 0xc0) return NO_OPTIONS;
  if (head?.kind !== 'map') throw malformed('options that are not a map');
  let chunk: Options['chunk'] = null;
  let compressed: Options['compressed'] = null;
  at = head.at;
  for (let i = 0; i < head.count; i++) {
    const key = readHead(bytes, at);
    const from = skipValue(bytes, at, end, 2);
    const to = skipValue(bytes, from, end, 2);
    if (key?.kind === 'bytes') {
      const value = readHead(bytes, from);
      if (isKey(bytes, key, CHUNK) && bytes[from] !== 0xc0) {
        if (to - from > MAX_ID_BYTES) throw new RefusedError('too_large', `a chunk id of ${to - from} bytes`);
        // Any type will do: it is the client's own. Copied, because it outlives the buffer.
        const id = value?.kind === 'bytes' ? bytes.subarray(value.at, value.end) : bytes.subarray(from, to);
        chunk = { id: Buffer.from(id), value: Buffer.from(bytes.subarray(from, to)) };
      } else if (isKey(bytes, key, COMPRESSED) && value?.kind === 'bytes') {
        compressed = readCompressed(bytes.toString('latin1', value.at, value.end));
      } else if (isKey(bytes, key, SIGNAL) && (bytes[from] === 1 || bytes[from] === 2)) {
        const what = bytes[from] === 1 ? 'metrics' : 'traces';
        throw new RefusedError('signal', `${what} are not events: let this client send logs alone`);
      }
    }
    at = to;
  }
  return { chunk, compressed };
}

function readCompressed(name: string): Options['compressed'] {
  if (name === 'gzip' || name === 'zstd') return name;
  if (name === 'text' || name === '') return null;
  throw malformed(`unknown compression ${JSON.stringify(name.slice(0, 20))}`);
}

/** The head of an array, map, or str or bin, with where its content begins and, of a str or bin, ends. */
export interface Head {
  readonly kind: 'array' | 'map' | 'bytes';
  readonly at: number;
  readonly count: number;
  readonly end: number;
}

/** What begins with this byte; null for any other type. */
function kindOf(type: number): Head['kind'] | null {
  if (type >= 0x80 && type < 0x90) return 'map';
  if (type >= 0x90 && type < 0xa0) return 'array';
  if (type >= 0xa0 && type < 0xc0) return 'bytes';
  if ((type >= 0xc4 && type <= 0xc6) || (type >= 0xd9 && type <= 0xdb)) return 'bytes';
  if (type === 0xdc || type === 0xdd) return 'array';
  return type === 0xde || type === 0xdf ? 'map' : null;
}

/** Reads a head inside bytes that are known to be complete; null for any other type. */
export function readHead(bytes: Buffer, at: number): Head | null {
  const type = bytes[at]!;
  if (type >= 0x80 && type < 0x90) return { kind: 'map', at: at + 1, count: type & 0x0f, end: -1 };
  if (type >= 0x90 && type < 0xa0) return { kind: 'array', at: at + 1, count: type & 0x0f, end: -1 };
  if (type >= 0xa0 && type < 0xc0) return text(at + 1, type & 0x1f);
  switch (type) {
    case 0xc4:
    case 0xd9:
      return text(at + 2, bytes[at + 1]!);
    case 0xc5:
    case 0xda:
      return text(at + 3, bytes.readUInt16BE(at + 1));
    case 0xc6:
    case 0xdb:
      return text(at + 5, readUint32(bytes, at + 1));
    case 0xdc:
    case 0xde:
      return {
        kind: type === 0xdc ? 'array' : 'map',
        at: at + 3,
        count: bytes.readUInt16BE(at + 1),
        end: -1,
      };
    case 0xdd:
    case 0xdf:
      return { kind: type === 0xdd ? 'array' : 'map', at: at + 5, count: readUint32(bytes, at + 1), end: -1 };
    default:
      return null;
  }
}

function text(at: number, length: number): Head {
  return { kind: 'bytes', at, count: length, end: at + length };
}

function isKey(bytes: Buffer, head: Head, name: Buffer): boolean {
  return head.count === name.length && bytes.compare(name, 0, name.length, head.at, head.end) === 0;
}
