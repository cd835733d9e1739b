/** Makes a record that is too large for a line smaller: long strings are cut, then fields left out. */
import { type Head, readHead } from './message.ts';
import { skipValue } from './msgpack-scan.ts';
import { mapHead, stringHead } from './msgpack-write.ts';

/** Fields up to this many bytes stay as they are while there is room. */
const SMALL_FIELD_BYTES = 1024;
/** Bytes of the longest head of a string. */
const HEAD_BYTES = 5;

interface Field {
  readonly key: Buffer;
  readonly value: Buffer;
  /** Where a str's or bin's content stands. */
  readonly text: Head | null;
}

/**
 * A copy of the record map at `at`, of `limit` bytes at most, in the order of its fields: small fields first have a
 * place, long strings share the rest, and other large values are left out when they don't fit.
 */
export function shorten(bytes: Buffer, at: number, end: number, limit: number): Buffer {
  const fields = readFields(bytes, at, end);
  let room = limit;
  const kept = new Map<Field, Buffer>();
  const large: Field[] = [];
  for (const field of fields) {
    const length = field.key.length + field.value.length;
    if (length > SMALL_FIELD_BYTES) large.push(field);
    else if (length <= room) {
      kept.set(field, field.value);
      room -= length;
    }
  }
  // Shortest first: what one doesn't use of its share is the next one's.
  large.sort((a, b) => a.value.length - b.value.length);
  for (const [i, field] of large.entries()) {
    const share = Math.floor(room / (large.length - i)) - field.key.length - HEAD_BYTES;
    if (field.value.length <= share) kept.set(field, field.value);
    else if (field.text !== null && share > 0) kept.set(field, cutText(bytes, field.text, share));
    else continue;
    room -= field.key.length + kept.get(field)!.length;
  }
  const parts = fields.flatMap((field) => (kept.has(field) ? [field.key, kept.get(field)!] : []));
  return Buffer.concat([mapHead(kept.size), ...parts]);
}

function readFields(bytes: Buffer, at: number, end: number): Field[] {
  const record = readHead(bytes, at)!;
  const fields: Field[] = [];
  at = record.at;
  for (let i = 0; i < record.count; i++) {
    const value = skipValue(bytes, at, end, 1);
    const next = skipValue(bytes, value, end, 1);
    const head = readHead(bytes, value);
    fields.push({
      key: bytes.subarray(at, value),
      value: bytes.subarray(value, next),
      text: head?.kind === 'bytes' ? head : null,
    });
    at = next;
  }
  return fields;
}

/** The first `length` bytes of a text as a str, less a UTF-8 sequence that would be cut in two. */
function cutText(bytes: Buffer, text: Head, length: number): Buffer {
  let end = text.at + length;
  while (end > text.at && end > text.at + length - 4 && (bytes[end]! & 0xc0) === 0x80) end--;
  const cut = bytes.subarray(text.at, end);
  return Buffer.concat([stringHead(cut.length), cut]);
}
