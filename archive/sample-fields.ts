/** The first lines of some of a query's objects, from which the columns are made. */
import { createReadStream } from 'node:fs';
import type { Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { atOnce } from '../base/at-once.ts';
import { FieldsSeen } from './field-types.ts';

const MAX_FILES = 32;
const LINES_PER_FILE = 500;
export const BYTES_PER_FILE = 512 * 1024;
const AT_ONCE = 4;

/** Some of the values, evenly spread, with the first and the last. */
export function spread<T>(values: readonly T[], most: number): T[] {
  if (values.length <= most) return [...values];
  const step = (values.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, i) => values[Math.round(i * step)]!);
}

/** The fields of some events of these files. */
export async function sampleFields(paths: readonly string[]): Promise<FieldsSeen> {
  const lines: string[][] = [];
  await atOnce(AT_ONCE, [...spread(paths, MAX_FILES).entries()], async ([i, path]) => {
    lines[i] = await firstLines(path);
  });
  const seen = new FieldsSeen();
  for (const line of lines.flat()) seen.add(line);
  return seen;
}

async function firstLines(path: string): Promise<string[]> {
  const source = createReadStream(path, { highWaterMark: 64 * 1024 });
  const inflate: Transform = path.endsWith('.gz') ? createGunzip() : createZstdDecompress();
  source.once('error', (error) => inflate.destroy(error));
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of source.pipe(inflate) as AsyncIterable<Buffer>) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes >= BYTES_PER_FILE) break;
    }
  } catch {
    // What is damaged is reported by whoever reads all of it.
  } finally {
    source.destroy();
  }
  const lines = Buffer.concat(pieces).toString().split('\n');
  // The last one may be cut.
  return lines.slice(0, -1).slice(0, LINES_PER_FILE);
}
