/**
 * Halves of surrogate pairs in JSON: `"\ud800"` is JSON by its grammar and no text (RFC 8259, section 8.2). DuckDB, pyarrow,
 * ClickHouse and DataFusion refuse the whole file for one of them.
 */

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const ESCAPE_BYTES = 6;
const REPLACEMENT = Buffer.from('\\ufffd');

/**
 * Replaces escapes of half a pair by that of U+FFFD, in place: both have six bytes.
 *
 * @param bytes valid JSON from `from` to `to`
 * @returns how many there were
 */
export function replaceLoneSurrogates(bytes: Buffer, from: number, to: number): number {
  let replaced = 0;
  for (let at = bytes.indexOf(BACKSLASH, from); at !== -1 && at < to; at = bytes.indexOf(BACKSLASH, at)) {
    if (bytes[at + 1] !== LETTER_U) {
      at += 2;
      continue;
    }
    const unit = unitAt(bytes, at);
    const isPair = isHigh(unit) && at + 2 * ESCAPE_BYTES <= to && isLow(unitAt(bytes, at + ESCAPE_BYTES));
    if (!isPair && (isHigh(unit) || isLow(unit))) {
      REPLACEMENT.copy(bytes, at);
      replaced += 1;
    }
    at += isPair ? 2 * ESCAPE_BYTES : ESCAPE_BYTES;
  }
  return replaced;
}

/** The code unit of the escape at `at`; -1 when it is not a `\u` escape. */
function unitAt(bytes: Buffer, at: number): number {
  if (bytes[at] !== BACKSLASH || bytes[at + 1] !== LETTER_U) return -1;
  return Number.parseInt(bytes.toString('latin1', at + 2, at + ESCAPE_BYTES), 16);
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
