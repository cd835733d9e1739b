/**
 * JSON that every strict reader takes. By the grammar an object may have a key twice, a number of any size, half a surrogate
 * pair and any depth; pyarrow, DuckDB, DataFusion, ClickHouse, polars and pandas each refuse a whole file for some of them.
 *
 * Frozen, as encoders.ts says.
 */
import { replaceLoneSurrogates } from '../../base/lone-surrogates.ts';

const STRING = /"(?:[^"\\]|\\.)*"/g;

/** What readers were found to refuse when a version of the code was frozen. */
interface Limits {
  /** Levels of objects and arrays, the line's own included. */
  readonly maxDepth: number;
  /** @param tokens a line without its strings */
  readonly hasLongInteger: (tokens: string) => boolean;
  /** Whether names of members may have a NUL. */
  readonly nulNames: boolean;
}

const LONG_INTEGER = /[:,[]\s*-?\d{19,}\s*[,\]}]/;
/** The whole part of a number that may not fit into 64 bits: neither a fraction nor an exponent. */
const LONG_WHOLE = /(?<![\d.eE+-])-?\d{19,}/g;
/** No whole part of 64 bits has more letters. */
const WHOLE_LETTERS = 20;

/** Of encoders 2 and 3: every integer of 19 digits counts as too long, such as a time in nanoseconds. */
const FIRST: Limits = { maxDepth: 64, hasLongInteger: (tokens) => LONG_INTEGER.test(tokens), nulNames: true };
/** Of encoder 4: DataFusion from Python takes 63 levels, and pandas whole parts of 64 bits. */
const EXACT: Limits = {
  maxDepth: 63,
  hasLongInteger: (tokens) => (tokens.match(LONG_WHOLE) ?? []).some(isBeyond64Bits),
  nulNames: true,
};
/** Of encoder 5: DataFusion takes no NUL in a name. */
const NAMES: Limits = { ...EXACT, nulNames: false };

/** @param line a JSON object on one line; where strict readers would refuse it, it becomes the text of a `message` */
export function strictText(line: string): string {
  return strictly(line, FIRST);
}

/** As {@link strictText}, of encoder 4. */
export function exactlyStrictText(line: string): string {
  return strictly(line, EXACT);
}

/** As {@link strictText}, of encoder 5. */
export function strictNamesText(line: string): string {
  return strictly(line, NAMES);
}

function strictly(line: string, limits: Limits): string {
  const tokens = line.replace(STRING, '');
  const members = tokens.split(':').length - 1;
  const isReadable = countMembers(JSON.parse(line), 0, limits) === members && !limits.hasLongInteger(tokens);
  const bytes = Buffer.from(isReadable ? line : JSON.stringify({ message: line }));
  replaceLoneSurrogates(bytes, 0, bytes.length);
  return bytes.toString();
}

function isBeyond64Bits(whole: string): boolean {
  if (whole.length > WHOLE_LETTERS) return true;
  const value = BigInt(whole);
  return value !== BigInt.asIntN(64, value) && value !== BigInt.asUintN(64, value);
}

/** Members of all objects in a value, each name of an object once; NaN when a part of it cannot be read everywhere. */
function countMembers(value: unknown, depth: number, limits: Limits): number {
  if (typeof value === 'number' && !Number.isFinite(value)) return Number.NaN;
  if (typeof value !== 'object' || value === null) return 0;
  if (depth === limits.maxDepth) return Number.NaN;
  if (!limits.nulNames && Object.keys(value).some((name) => name.includes('\0'))) return Number.NaN;
  const parts = Object.values(value);
  const own = Array.isArray(value) ? 0 : parts.length;
  return parts.reduce<number>((sum, part) => sum + countMembers(part, depth + 1, limits), own);
}
