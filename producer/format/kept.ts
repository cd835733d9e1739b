/** Lines that are kept as text, because their format does not take them or they are too long: hidden like all others. */
import { isUtf8 } from 'node:buffer';
import { createHmac } from 'node:crypto';
import { type Target, TRUNCATED, writeMessage } from './parser.ts';
import type { TextRule, Transform } from './transform.ts';

/** Hex digits of the hash that stands for a line. */
export const HASH_DIGITS = 32;
/** What a cut may have left of an address: too little to be found, and too much to be shown. */
const CUT_ADDRESS = /[0-9A-Fa-f]{1,4}[:.][0-9A-Fa-f:.]*$/;
/** Characters at the end of a cut line that a part of an address may be in. */
const CUT_CHARACTERS = 60;

/**
 * Writes `{"message": the line, …, mark: true}`, with the redactions that find something in it, or with a hash of the
 * line where they cannot.
 *
 * @param mark UNPARSED, or TRUNCATED for the beginning of a line
 */
export function keepLine(
  target: Target,
  transform: Transform,
  bytes: Buffer,
  start: number,
  end: number,
  mark: Buffer,
): void {
  const { text: rule, added } = transform;
  if (rule === null) {
    writeMessage(target, bytes, start, end, mark, added);
    return;
  }
  const line = bytes.toString('utf8', start, end);
  if (!selects(rule, line)) {
    target.tally.excluded++;
    return;
  }
  if (!isUtf8(bytes.subarray(start, end))) target.tally.replaced++;
  if (rule.redact === null) {
    target.tally.hashed++;
    const extra = Buffer.from(`${added},"_hash":"${hashOf(rule, bytes.subarray(start, end))}"`);
    writeMessage(target, MASKED, 0, MASKED.length, mark, extra);
    return;
  }
  let kept = rule.redact(line);
  if (mark === TRUNCATED && rule.addresses) {
    kept = kept.slice(0, -CUT_CHARACTERS) + kept.slice(-CUT_CHARACTERS).replace(CUT_ADDRESS, '');
  }
  const text = Buffer.from(kept);
  writeMessage(target, text, 0, text.length, mark, added);
}

const MASKED = Buffer.from('***');

/** Hides in a field of an event what would be hidden in a line that is kept as text: its own format did not take it. */
export function hideText(
  target: Target,
  { text: rule }: Transform,
  record: Record<string, unknown>,
  field: string,
): void {
  const value = record[field];
  if (rule === null || typeof value !== 'string') return;
  record[field] = rule.redact === null ? MASKED.toString() : rule.redact(value);
  if (rule.redact !== null) return;
  target.tally.hashed++;
  record['_hash'] = hashOf(rule, Buffer.from(value));
}

function hashOf({ key }: TextRule, bytes: Buffer): string {
  return createHmac('sha256', key).update(bytes).digest('hex').slice(0, HASH_DIGITS);
}

export function selects(rule: TextRule, line: string): boolean {
  return (
    !rule.exclude.some((pattern) => pattern.test(line)) && rule.include.every((pattern) => pattern.test(line))
  );
}
