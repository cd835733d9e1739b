/**
 * JSON that every strict reader takes. By the grammar an object may have a key twice, a number of any size, half a surrogate
 * pair and any depth; pyarrow, DuckDB, DataFusion, ClickHouse, polars and pandas each refuse a whole file for some of them.
 *
 * Frozen, as encoders.ts says.
 */
import { replaceLoneSurrogates } from '../../base/lone-surrogates.ts';

const STRING = /"(?:[^"\\]|\\.)*"/g;
/** One that may not fit into 64 bits. */
const LONG_INTEGER = /[:,[]\s*-?\d{19,}\s*[,\]}]/;
const MAX_DEPTH = 64;

/** @param line a JSON object on one line; where strict readers would refuse it, it becomes the text of a `message` */
export function strictText(line: string): string {
  const tokens = line.replace(STRING, '');
  const isReadable =
    countMembers(JSON.parse(line), 0) === tokens.split(':').length - 1 && !LONG_INTEGER.test(tokens);
  const bytes = Buffer.from(isReadable ? line : JSON.stringify({ message: line }));
  replaceLoneSurrogates(bytes, 0, bytes.length);
  return bytes.toString();
}

/** Members of all objects in a value, each name of an object once; NaN when a part of it cannot be read everywhere. */
function countMembers(value: unknown, depth: number): number {
  if (typeof value === 'number' && !Number.isFinite(value)) return Number.NaN;
  if (typeof value !== 'object' || value === null) return 0;
  if (depth === MAX_DEPTH) return Number.NaN;
  const parts = Object.values(value);
  const own = Array.isArray(value) ? 0 : parts.length;
  return parts.reduce<number>((sum, part) => sum + countMembers(part, depth + 1), own);
}
