/** The lines of what cannot become an event: its text as `message`, marked `"_unparsed": true`. */
import { isUtf8 } from 'node:buffer';
import { createHmac } from 'node:crypto';
import { MAX_DEPTH, MAX_LINE_BYTES } from '../builder.ts';
import { HASH_DIGITS, selects } from '../format/kept.ts';
import type { Destination } from './destinations.ts';
import { type EventTime, TimeWriter } from './event-time.ts';
import type { Fault } from './faults.ts';
import { generalBound, JsonWriter } from './json-writer.ts';
import { skipAny, skipValue } from './msgpack-scan.ts';
import { transformLine } from './transform-line.ts';

/** Levels of nesting that are written as JSON; the writer calls itself for each. */
const MAX_TEXT_DEPTH = 600;
/** Bytes of text that a line may hold at most: in JSON a byte takes up to six. */
const MAX_TEXT_BYTES = MAX_LINE_BYTES / 2;

interface Text {
  readonly text: string;
  readonly hash: string | null;
}

/** @returns null where the destination's patterns leave it out */
export function markedLine(
  destination: Destination,
  bytes: Buffer,
  { from, to, record }: Fault,
  time: EventTime,
): Buffer | null {
  const found =
    record === null
      ? keptText(destination, plainText(bytes, from, to))
      : recordText(destination, bytes, record.from, record.to);
  if (found === null) return null;
  const written = Buffer.alloc(32);
  const at = new TimeWriter().write(written, 0, time.seconds, time.nanoseconds);
  const hash = found.hash === null ? '' : `,"_hash":"${found.hash}"`;
  const tag = destination.tag === null ? '' : `,"_tag":${JSON.stringify(destination.tag)}`;
  const rest = `","time":"${written.toString('latin1', 0, at)}"${destination.added}${tag}${hash}`;
  let text = beginning(found.text, MAX_TEXT_BYTES);
  let cut = found.text.length > MAX_TEXT_BYTES;
  for (let letters = MAX_TEXT_BYTES; Buffer.byteLength(text) + rest.length * 3 + 100 > MAX_LINE_BYTES; ) {
    letters = Math.floor(letters / 2);
    text = beginning(found.text, letters);
    cut = true;
  }
  return Buffer.from(`{"message":${text}${rest}${cut ? ',"_truncated":true' : ''},"_unparsed":true}\n`);
}

/** The first letters of a text as a JSON string without its last quote; a pair of surrogates may be cut in two. */
function beginning(text: string, letters: number): string {
  return JSON.stringify(text.slice(0, letters).toWellFormed()).slice(0, -1);
}

/** A record's text, after its fields were transformed like those of any other. */
function recordText(destination: Destination, bytes: Buffer, from: number, to: number): Text | null {
  const json = jsonOf(bytes, from, to);
  if (json === null || !json.startsWith('{') || destination.transforms.length === 0)
    return keptText(destination, json ?? plainText(bytes, from, to));
  const transformed = transformLine(json, destination.transforms);
  return transformed === null ? null : { text: transformed, hash: null };
}

/** A text whose fields are not known, as the destination's rules keep it. */
function keptText({ transforms }: Destination, text: string): Text | null {
  let kept: Text = { text, hash: null };
  for (const { text: rule } of transforms) {
    if (rule === null) continue;
    if (!selects(rule, kept.text)) return null;
    if (rule.redact !== null) kept = { ...kept, text: rule.redact(kept.text) };
    else {
      const hash = createHmac('sha256', rule.key).update(text).digest('hex').slice(0, HASH_DIGITS);
      kept = { text: '***', hash };
    }
  }
  return kept;
}

/** The text of a value: a string as it is, all else as JSON, and its bytes where it is cut off or nested too deep. */
export function textOf(bytes: Buffer, from: number, to: number): string {
  const end = skipAny(bytes, from, to);
  const json = end === -1 ? null : jsonOf(bytes, from, end);
  if (json === null) return plainText(bytes, from, to);
  return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

/** A sound value as JSON; null if it is nested too deep for the writer. */
function jsonOf(bytes: Buffer, from: number, to: number): string | null {
  if (to - from > MAX_LINE_BYTES) return null;
  try {
    skipValue(bytes, from, to, MAX_DEPTH - MAX_TEXT_DEPTH);
  } catch {
    return null;
  }
  const writer = new JsonWriter();
  writer.out = Buffer.allocUnsafe(generalBound(to - from));
  writer.general = true;
  writer.value(bytes, from, 0);
  return writer.out.toString('utf8', 0, writer.at);
}

function plainText(bytes: Buffer, from: number, to: number): string {
  const part = bytes.subarray(from, Math.min(to, from + MAX_LINE_BYTES));
  return isUtf8(part) ? part.toString() : `base64:${part.toString('base64')}`;
}
