/**
 * NUL in the names of JSON's members, `"a\u0000b"`: every reader takes it in a value. In a name DataFusion refuses the whole
 * file for it, and DuckDB and ClickHouse end the name there.
 */

const BACKSLASH = 0x5c;
const ESCAPE = Buffer.from('\\u0000');

export const ESCAPE_BYTES = ESCAPE.length;

/** What is written for it, and as an escape of as many bytes. */
export const REPLACEMENT_TEXT = '\ufffd';
export const REPLACEMENT_BYTES = Buffer.from(REPLACEMENT_TEXT);
export const REPLACEMENT = Buffer.from('\\ufffd');

/** Where escapes of NUL begin in the inside of a valid JSON string, from `from` to `to`. */
export function nulEscapes(bytes: Buffer, from: number, to: number): number[] {
  const found: number[] = [];
  for (let at = bytes.indexOf(BACKSLASH, from); at !== -1 && at < to; at = bytes.indexOf(BACKSLASH, at)) {
    const isNul =
      at + ESCAPE_BYTES <= to && bytes.compare(ESCAPE, 0, ESCAPE.length, at, at + ESCAPE.length) === 0;
    if (isNul) found.push(at);
    at += isNul ? ESCAPE_BYTES : 2;
  }
  return found;
}

const json = JSON as unknown as { isRawJSON(value: unknown): boolean };

/** A value of JSON whose members' names have none, and how many it had; a name that is taken then gets `#2` behind it. */
export function withoutNulNames(value: unknown): { readonly value: unknown; readonly replaced: number } {
  // A number with all its digits is an object as well (the proposal JSON.parse source text access).
  if (typeof value !== 'object' || value === null || json.isRawJSON(value)) return { value, replaced: 0 };
  let replaced = 0;
  const inner = (part: unknown): unknown => {
    const changed = withoutNulNames(part);
    replaced += changed.replaced;
    return changed.value;
  };
  if (Array.isArray(value)) return { value: value.map(inner), replaced };
  const members: Record<string, unknown> = Object.create(null);
  for (const [name, part] of Object.entries(value)) {
    replaced += name.split('\0').length - 1;
    const whole = name.replaceAll('\0', REPLACEMENT_TEXT);
    let free = whole;
    for (let n = 2; free in members; n++) free = `${whole}#${n}`;
    members[free] = inner(part);
  }
  return { value: members, replaced };
}
