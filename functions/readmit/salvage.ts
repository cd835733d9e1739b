/** Takes a spilled object apart: the chunks that are sound, and the bytes between them that are not. */
import { TailraceError } from '../../base/errors.ts';
import { codecAt } from '../../chunk/header.ts';
import { type PlacedChunk, readChunks } from '../../chunk/reader.ts';

export interface Salvage {
  readonly chunks: readonly PlacedChunk[];
  /** Bytes that belong to no sound chunk. */
  readonly damagedBytes: number;
}

/** Reads on behind damage, from the next place where a sound chunk begins. */
export function salvage(bytes: Buffer): Salvage {
  const chunks: PlacedChunk[] = [];
  let at = 0;
  let damagedBytes = 0;
  while (at < bytes.length) {
    try {
      for (const chunk of readChunks(bytes, at)) {
        chunks.push(chunk);
        at = chunk.offset + chunk.bytes.length;
      }
    } catch (error) {
      if (!(error instanceof TailraceError)) throw error;
      const next = nextStart(bytes, at + 1);
      damagedBytes += next - at;
      at = next;
    }
  }
  return { chunks, damagedBytes };
}

function nextStart(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) if (codecAt(bytes, at) !== null) return at;
  return bytes.length;
}
