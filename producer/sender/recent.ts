/** Bytes of chunks that were just sealed, in bounded memory: what is sent soon is not read back from the disk. */
import { freeBuffer } from '../../base/free-buffer.ts';
import type { EncodedChunk, SpooledChunk } from '../spool/spool.ts';

export class RecentChunks {
  readonly #maxBytes: number;
  readonly #kept = new Map<SpooledChunk, Buffer>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a chunk's bytes while there is room; a backlog is on the disk anyway. */
  keep(chunk: SpooledChunk, { bytes }: EncodedChunk): void {
    if (this.#bytes + bytes.length > this.#maxBytes) return;
    this.#kept.set(chunk, bytes);
    this.#bytes += bytes.length;
  }

  /** Its bytes until it is forgotten: whoever reads them later than that has a copy. */
  get(chunk: SpooledChunk): Buffer | undefined {
    return this.#kept.get(chunk);
  }

  /** Frees its bytes. */
  forget(chunk: SpooledChunk): void {
    const bytes = this.#kept.get(chunk);
    if (!bytes) return;
    this.#kept.delete(chunk);
    this.#bytes -= bytes.length;
    freeBuffer(bytes);
  }
}
