/** A rotated log that was compressed before its end was read: decompressed as it is read, never as a whole. */
import { closeSync, createReadStream, fstatSync, readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { FINGERPRINT_BYTES } from './fingerprint.ts';
import type { Source } from './source.ts';

/** Compressed bytes that are sure to hold the bytes of a fingerprint. */
const HEAD_BYTES = 16 * 1024;
const FIRST_HEAD_BYTES = 64;
/** Bytes of header and trailer, which the smallest of the files has. */
const SMALLEST = 9;
/** Decompressed bytes that are compared with another file as a whole. */
const MAX_CONTENT = 64 * 1024 * 1024;
/** Decompressed bytes that are held ready. */
const WINDOW_BYTES = 512 * 1024;

export type Content = Buffer | 'partial' | 'large';

export interface OpenedCompressed {
  /** The first bytes of the log. */
  readonly head: Buffer;
  /** Bytes of the whole log; -1 when the file does not say. */
  readonly size: number;
  /** All of the log; `partial` while it is being written, and `large` when it is more than is worth holding. */
  content(): Content;
  /** One of the two has to be called, once. */
  source(offset: number): CompressedSource;
  close(): void;
}

/**
 * Looks into a compressed file; null when it has too little in it yet, and is closed.
 *
 * @throws the error of zlib when it is not a compressed log, or damaged at its first bytes
 * @param ready called when more can be read, with the error when the rest cannot be
 */
export function openCompressed(
  fd: number,
  compressed: 'gz' | 'zst',
  ready: (error: Error | null) => void,
): OpenedCompressed | null {
  try {
    const bytes = Buffer.alloc(HEAD_BYTES);
    const read = readSync(fd, bytes, 0, HEAD_BYTES, 0);
    if (read < SMALLEST) {
      closeSync(fd);
      return null;
    }
    const head = decompressHead(bytes.subarray(0, read), compressed);
    return {
      head,
      size: head.length < FINGERPRINT_BYTES ? head.length : compressed === 'gz' ? gzipSize(fd) : -1,
      content: () => decompressAll(fd, compressed),
      // The open file, not its name, which may be another one's by now.
      source: (offset) => new CompressedSource(fd, compressed, offset, ready),
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function decompressAll(fd: number, compressed: 'gz' | 'zst'): Content {
  const { size } = fstatSync(fd);
  if (size > MAX_CONTENT) return 'large';
  const bytes = Buffer.alloc(size);
  readSync(fd, bytes, 0, size, 0);
  const options = { maxOutputLength: MAX_CONTENT };
  try {
    return compressed === 'gz' ? zlib.gunzipSync(bytes, options) : zlib.zstdDecompressSync(bytes, options);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'large' : 'partial';
  }
}

/** From few compressed bytes on: those of a bomb become half a gibibyte when they are taken all at once. */
function decompressHead(bytes: Buffer, compressed: 'gz' | 'zst'): Buffer {
  for (let length = FIRST_HEAD_BYTES; ; length *= 2) {
    const head = decompressBeginning(bytes.subarray(0, length), compressed);
    if (head.length >= FINGERPRINT_BYTES || length >= bytes.length)
      return Buffer.from(head.subarray(0, FINGERPRINT_BYTES));
  }
}

/** Flushing in place of finishing gives what the beginning of a file holds. */
function decompressBeginning(bytes: Buffer, compressed: 'gz' | 'zst'): Buffer {
  if (compressed === 'gz') return zlib.gunzipSync(bytes, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  return zlib.zstdDecompressSync(bytes, { finishFlush: zlib.constants.ZSTD_e_flush });
}

/** The size that a gzip file's trailer says: modulo 4 GiB, and of its last member alone. */
function gzipSize(fd: number): number {
  const { size } = fstatSync(fd);
  const trailer = Buffer.alloc(4);
  readSync(fd, trailer, 0, 4, size - 4);
  return trailer.readUInt32LE(0);
}

/** Reads forward only. Positions are those of the log, not of the compressed file. */
export class CompressedSource implements Source {
  readonly seekable = false;
  readonly #stream: Readable;
  readonly #ready: (error: Error | null) => void;
  #window: Buffer = Buffer.alloc(0);
  /** Position of the window's first byte. */
  #position: number;
  /** Bytes to leave out until the window begins. */
  #skip: number;
  ended = false;
  /** Whether it ended as it should. */
  whole = false;

  constructor(fd: number, compressed: 'gz' | 'zst', offset: number, ready: (error: Error | null) => void) {
    this.#ready = ready;
    this.#skip = offset;
    this.#position = offset;
    const input = createReadStream('', { fd, start: 0 });
    const stream = compressed === 'gz' ? zlib.createGunzip() : zlib.createZstdDecompress();
    this.#stream = stream;
    input.on('error', (error) => stream.destroy(error));
    stream.on('close', () => input.destroy());
    stream.on('data', (data: Buffer) => this.#take(data));
    stream.on('end', () => this.#end(null));
    stream.on('error', (error) => this.#end(error));
    input.pipe(stream);
  }

  /** Its descriptor is the stream's, which ends with it. */
  holds(): boolean {
    return false;
  }

  read(buffer: Buffer, at: number, length: number, position: number): number {
    const from = position - this.#position;
    if (from > 0) {
      this.#window = this.#window.subarray(from);
      this.#position = position;
    }
    const count = Math.min(length, this.#window.length);
    this.#window.copy(buffer, at, 0, count);
    // A line longer than the window must be able to come in whole.
    if (this.#window.length < WINDOW_BYTES + length && !this.ended) this.#stream.resume();
    return count;
  }

  close(): void {
    this.ended = true;
    this.#stream.destroy();
  }

  #take(data: Buffer): void {
    const skipped = Math.min(this.#skip, data.length);
    this.#skip -= skipped;
    data = data.subarray(skipped);
    if (data.length === 0) return;
    this.#window = this.#window.length === 0 ? data : Buffer.concat([this.#window, data]);
    if (this.#window.length >= WINDOW_BYTES) {
      this.#stream.pause();
      this.#ready(null);
    }
  }

  #end(error: Error | null): void {
    if (this.ended) return;
    this.ended = true;
    this.whole = error === null;
    this.#ready(error);
  }
}
