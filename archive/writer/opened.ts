/**
 * Opens a foreign record that others compressed or aggregated: the lines of NDJSON that it comes to.
 *
 * Frozen: two workers of different releases must make the same lines of the same record. A change is a new version
 * next to this one, which a new encoder names. It depends on nothing that a release of Node may change: inflating and
 * JSON.parse have one right answer; nothing is compressed.
 */
import { isUtf8 } from 'node:buffer';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { codecAt } from '../../chunk/header.ts';

/** What one record may come to: a larger one is kept as the bytes that came. */
const MAX_OPENED_BYTES = 32 * 1024 * 1024;

/** What the compressed records of one object may come to together: from there on they are kept as the bytes that came. */
const MAX_OPENED_TOTAL = 128 * 1024 * 1024;

/** The lines of a record without their ends, in its order; at least one. */
interface OpenedRecord {
  readonly lines: readonly string[];
  /** Bytes of the lines and their ends. */
  readonly bytes: number;
  /** Lines that strict readers would have refused. */
  readonly rewritten: number;
  /** Whether the record was compressed and is opened: what of it counts against a budget of memory. */
  readonly wasCompressed: boolean;
}

/** Makes a line that every strict reader takes; each encoder has its own. */
export type StrictLine = (line: string) => string;

/**
 * A record as lines of NDJSON:
 *
 * - gzip (of one or more members) and zstd are decompressed, once, when they come to at most `most` bytes
 * - what CloudWatch Logs delivers to a subscription becomes a line for each of its log events
 * - JSON objects, one or several, a line each or not, stand as they are
 * - other text is a `message`: whole when it came so, a line each when it was compressed
 * - everything else is `base64` of the record as it came
 *
 * @param most bytes that the decompressed record may have
 */
export function openRecord(data: Buffer, strict: StrictLine, most = MAX_OPENED_BYTES): OpenedRecord {
  const plain = decompressed(data, most);
  if (plain === null) return made(linesOfPlain(data), strict, false);
  if (!isUtf8(plain)) return made([JSON.stringify({ base64: data.toString('base64') })], strict, false);
  return made(linesOfOpened(plain.toString('utf8')), strict, true);
}

/** The records of one object, in their order: how much is opened of all of them is bounded. */
export function openRecords(
  records: readonly { readonly data: Buffer }[],
  strict: StrictLine,
  total = MAX_OPENED_TOTAL,
): OpenedRecord[] {
  let left = total;
  return records.map(({ data }) => {
    const opened = openRecord(data, strict, Math.min(MAX_OPENED_BYTES, left));
    if (opened.wasCompressed) left = Math.max(0, left - opened.bytes);
    return opened;
  });
}

function made(found: readonly string[], strict: StrictLine, wasCompressed: boolean): OpenedRecord {
  const lines = found.map(strict);
  const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
  const rewritten = lines.filter((line, i) => line !== found[i]).length;
  return { lines, bytes, rewritten, wasCompressed };
}

/** Null when it is not compressed, damaged, or comes to more. */
function decompressed(data: Buffer, maxOutputLength: number): Buffer | null {
  // A chunk among foreign records is a damaged one: what is in it must not pass for events.
  if (maxOutputLength < 1 || codecAt(data, 0) !== null) return null;
  try {
    if (data.length >= 18 && data[0] === 0x1f && data[1] === 0x8b && data[2] === 8) {
      return gunzipSync(data, { maxOutputLength });
    }
    if (data.length >= 9 && data.readUInt32LE(0) === 0xfd2fb528) {
      return zstdDecompressSync(data, { maxOutputLength });
    }
  } catch {
    // Torn, damaged, or larger than it may be.
  }
  return null;
}

/** A record that was not compressed. */
function linesOfPlain(data: Buffer): string[] {
  if (!isUtf8(data)) return [JSON.stringify({ base64: data.toString('base64') })];
  const text = data.toString('utf8');
  return jsonLines(text) ?? [JSON.stringify({ message: text })];
}

function linesOfOpened(text: string): string[] {
  const whole = cloudWatchLines(text) ?? jsonLines(text);
  if (whole !== null) return whole;
  const lines = text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) return [JSON.stringify({ message: text })];
  return lines.map((line) => (isJsonObject(line) ? line.trim() : JSON.stringify({ message: line })));
}

/** One JSON object over any number of lines, or one on each line; null when it is anything else. */
function jsonLines(text: string): string[] | null {
  // Line breaks stand only between the tokens of valid JSON, so a blank in their place changes nothing.
  if (isJsonObject(text)) return [text.replace(/[\r\n]/g, ' ').trim()];
  const lines = text.split('\n').filter((line) => !/^[ \t\r]*$/.test(line));
  if (lines.length < 2 || !lines.every(isJsonObject)) return null;
  return lines.map((line) => line.trim());
}

function isJsonObject(text: string): boolean {
  if (!/^[ \t\r\n]*\{/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

interface CloudWatchMessage {
  readonly messageType: string;
  readonly owner: string;
  readonly logGroup: string;
  readonly logStream: string;
  readonly logEvents: readonly Readonly<Record<string, unknown>>[];
}

/** What a subscription of CloudWatch Logs delivers: a line for each log event; its tests of the target are lines, too. */
function cloudWatchLines(text: string): string[] | null {
  if (!/^\s*\{/.test(text) || !text.includes('"logEvents"')) return null;
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isCloudWatchMessage(message) || message.messageType !== 'DATA_MESSAGE') return null;
  if (message.logEvents.length === 0) return null;
  const { owner, logGroup, logStream, logEvents } = message;
  return logEvents.map((event) => JSON.stringify({ owner, logGroup, logStream, ...event }));
}

function isCloudWatchMessage(value: unknown): value is CloudWatchMessage {
  const { messageType, owner, logGroup, logStream, logEvents } = value as Partial<CloudWatchMessage>;
  return (
    [messageType, owner, logGroup, logStream].every((part) => typeof part === 'string') &&
    Array.isArray(logEvents) &&
    logEvents.every((event) => typeof event === 'object' && event !== null && !Array.isArray(event))
  );
}

/**
 * What a record says it comes to when it is opened, bytes, without opening it: for the size of a batch. A record may lie:
 * what is opened is bounded all the same.
 */
export function openedSize(data: Buffer): number {
  if (data.length < 18) return data.length;
  if (data[0] === 0x1f && data[1] === 0x8b && data[2] === 8) {
    // The length of the last member, RFC 1952.
    const said = data.readUInt32LE(data.length - 4);
    return said <= MAX_OPENED_BYTES ? Math.max(data.length, said) : data.length;
  }
  // zstd's frames say it seldom: text comes to about that much.
  if (data.readUInt32LE(0) === 0xfd2fb528) return data.length * 8;
  return data.length;
}
