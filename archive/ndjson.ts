/** Whether a data object is NDJSON: whole lines, each of them one object. */
import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { zstdFrames } from './zstd-frames.ts';

const GZIP = 0x1f8b;
const NEWLINE = 0x0a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** @returns what is wrong with the lines of an object, or null */
export async function linesFault(bytes: Buffer): Promise<string | null> {
  if (bytes.length === 0) return null;
  let lines = 0;
  /** The byte before the next one. */
  let last = NEWLINE;
  try {
    for await (const piece of contentOf(bytes)) {
      for (let at = 0; at < piece.length; ) {
        if (last === NEWLINE && piece[at] !== OPEN_BRACE) return `line ${lines + 1} is not a JSON object`;
        const newline = piece.indexOf(NEWLINE, at);
        const end = newline < 0 ? piece.length : newline;
        if (end > at) last = piece[end - 1]!;
        if (newline < 0) break;
        if (last !== CLOSE_BRACE) return `line ${lines + 1} is not a JSON object`;
        last = NEWLINE;
        lines++;
        at = newline + 1;
      }
    }
  } catch (error) {
    return (error as Error).message;
  }
  return last === NEWLINE ? null : 'does not end with a whole line';
}

/** What an object holds, piece by piece. */
async function* contentOf(bytes: Buffer): AsyncGenerator<Buffer> {
  if (bytes.length >= 2 && bytes.readUInt16BE(0) === GZIP) {
    yield* Readable.from([bytes]).pipe(createGunzip()) as AsyncIterable<Buffer>;
    return;
  }
  for (const frame of zstdFrames(bytes)) {
    yield* Readable.from([frame]).pipe(createZstdDecompress()) as AsyncIterable<Buffer>;
  }
}
