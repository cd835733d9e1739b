/** Transforms an event that is written already: for the records that a transform has something to do with. */
import type { Transform } from '../format/transform.ts';

/** Newer than the types that this project is checked with: ECMAScript's "JSON.parse source text access". */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/**
 * @param line the event as one JSON object
 * @returns the transformed event, or null where it is to be left out
 */
export function transformLine(line: string, transforms: readonly Transform[]): string | null {
  const record = JSON.parse(line, keepNumber) as Record<string, unknown>;
  for (const transform of transforms) if (!transform.apply(record)) return null;
  return JSON.stringify(record);
}

/** Numbers that a double would change, such as 64-bit integers, stay as they are written. */
function keepNumber(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && source !== undefined && String(value) !== source
    ? rawJSON(source)
    : value;
}
