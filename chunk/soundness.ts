/**
 * Checks what a chunk's own checksum cannot say: whether its compressed data is what its header claims, and whether it
 * can stand before other data without harm to it. Whoever may write to the stream can sign anything.
 */
import { randomInt } from 'node:crypto';
import * as zlib from 'node:zlib';
import type { FramedHeader } from './header.ts';
import { type Inflated, Inflater } from './inflate.ts';
import { FINAL_BLOCK, GZIP_TRAILER_BYTES } from './writer.ts';

/**
 * What an object may do with a chunk. `splice`: its deflate data ends between two blocks, at a whole byte. `whole`: it is a sound
 * member or frame by itself. `unsound`: it does not decompress to what its header says, or not to whole lines.
 */
export type Soundness = 'splice' | 'whole' | 'unsound';

const NEWLINE = 0x0a;
const MAX_PIECE = 8 * 1024 * 1024;
const PROBE_BYTES = 400;
const DYNAMIC_BLOCK = 2;

/** What is known of a chunk that was decompressed. */
export interface Checked {
  readonly soundness: Soundness;
  /** Lines that it has; null when it is unsound. */
  readonly lines: number | null;
}

const UNSOUND: Checked = { soundness: 'unsound', lines: null };

/**
 * Decompresses a chunk once, within the size that it announces.
 *
 * @param chunk a whole chunk whose header and checksum were read
 * @param inflater what is asked before zlib; null for zlib alone, which decides the same
 */
export function checkChunk(chunk: Buffer, header: FramedHeader, inflater: Inflater | null = shared): Checked {
  if (header.codec === 'zstd') return frameOf(chunk, header, inflater);
  const lines = header.spliceable ? splicedLines(chunk, header, inflater) : null;
  return lines === null ? memberOf(chunk, header, inflater) : { soundness: 'splice', lines };
}

/** The deflate data of a chunk that can be spliced: without its final block and trailer. */
export function splicedData(chunk: Buffer, header: FramedHeader): Buffer {
  return chunk.subarray(header.headerBytes, header.bytes - GZIP_TRAILER_BYTES - FINAL_BLOCK.length);
}

/** The CRC-32 of a gzip chunk's lines, as its trailer says. */
export function trailerCrc(chunk: Buffer, header: FramedHeader): number {
  return chunk.readUInt32LE(header.bytes - GZIP_TRAILER_BYTES);
}

/**
 * The lines of a chunk that other deflate data may follow; null when it may not. What the inflater takes ends between two blocks at a whole byte. What it does
 * not take is for zlib to decide, with a probe behind the data: only a decoder that stands there gives it back. Data that was made to swallow what follows it would have to know the probe's own
 * Huffman codes, which are made by chance in each process.
 */
function splicedLines(chunk: Buffer, header: FramedHeader, inflater: Inflater | null): number | null {
  if (header.bytes < header.headerBytes + FINAL_BLOCK.length + GZIP_TRAILER_BYTES) return null;
  const data = splicedData(chunk, header);
  const end = header.headerBytes + data.length;
  if (chunk[end] !== FINAL_BLOCK[0] || chunk[end + 1] !== FINAL_BLOCK[1]) return null;
  const found = inflater?.inflate(data, header.rawBytes);
  if (found) return isSaid(found, chunk, header) ? found.lines : null;
  const probed = withProbe(data);
  const raw = inflated(probed, header.rawBytes + probe.raw.length);
  if (raw === null || !raw.subarray(header.rawBytes).equals(probe.raw)) return null;
  const lines = raw.subarray(0, header.rawBytes);
  return isAnnounced(lines, chunk, header) ? newlines(lines, inflater) : null;
}

/** In one buffer for all chunks: a copy of its own for each would be garbage by the megabyte. */
function withProbe(data: Buffer): Buffer {
  const length = data.length + probe.compressed.length;
  if (scratch.length < length) scratch = Buffer.allocUnsafeSlow(2 * length);
  data.copy(scratch);
  probe.compressed.copy(scratch, data.length);
  return scratch.subarray(0, length);
}

function memberOf(chunk: Buffer, header: FramedHeader, inflater: Inflater | null): Checked {
  const data = chunk.subarray(header.headerBytes, header.bytes - GZIP_TRAILER_BYTES);
  const raw = inflated(data, header.rawBytes);
  if (raw === null || !isAnnounced(raw, chunk, header)) return UNSOUND;
  return { soundness: 'whole', lines: newlines(raw, inflater) };
}

function frameOf(chunk: Buffer, header: FramedHeader, inflater: Inflater | null): Checked {
  const data = chunk.subarray(header.headerBytes, header.bytes);
  const raw = whole(data, header.rawBytes, (options) => zlib.zstdDecompressSync(data, options));
  if (raw === null || !isWholeLines(raw)) return UNSOUND;
  return { soundness: 'whole', lines: newlines(raw, inflater) };
}

function newlines(raw: Buffer, inflater: Inflater | null): number {
  if (inflater !== null) return inflater.newlines(raw);
  let lines = 0;
  for (let at = raw.indexOf(NEWLINE); at !== -1; at = raw.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}

function isAnnounced(raw: Buffer, chunk: Buffer, header: FramedHeader): boolean {
  return isSaid({ bytes: raw.length, crc: zlib.crc32(raw), last: raw.at(-1) ?? -1 }, chunk, header);
}

/** A last line without its end would take the next chunk's first line into itself. */
function isSaid({ bytes, crc, last }: Omit<Inflated, 'lines'>, chunk: Buffer, header: FramedHeader): boolean {
  return (
    bytes === header.rawBytes &&
    chunk.readUInt32LE(header.bytes - 4) === header.rawBytes &&
    crc === trailerCrc(chunk, header) &&
    (bytes === 0 || last === NEWLINE)
  );
}

function isWholeLines(raw: Buffer): boolean {
  return raw.length === 0 || raw[raw.length - 1] === NEWLINE;
}

function inflated(data: Buffer, bytes: number): Buffer | null {
  return whole(data, bytes, (options) => zlib.inflateRawSync(data, options));
}

/** What `data` decompresses to when that has exactly `bytes` bytes and uses all of `data`; null otherwise. */
function whole(data: Buffer, bytes: number, decompress: (options: Options) => unknown): Buffer | null {
  try {
    // One byte more than announced, so that too much is an error; in one piece unless it is a very large one.
    const chunkSize = Math.min(MAX_PIECE, Math.max(64, bytes + 1));
    const done = decompress({ info: true, maxOutputLength: bytes + 1, chunkSize });
    const { buffer, engine } = done as { buffer: Buffer; engine: { bytesWritten: number } };
    return buffer.length === bytes && engine.bytesWritten === data.length ? buffer : null;
  } catch {
    return null;
  }
}

interface Options {
  readonly info: true;
  readonly maxOutputLength: number;
  readonly chunkSize: number;
}

const probe = makeProbe();
const shared = Inflater.create();
let scratch = Buffer.alloc(0);

/** Bytes whose frequencies are a matter of chance, as one deflate block with Huffman codes of their own. */
function makeProbe(): { readonly raw: Buffer; readonly compressed: Buffer } {
  for (;;) {
    const letters = Array.from({ length: 24 }, () => randomInt(256));
    const raw = Buffer.from(
      Array.from({ length: PROBE_BYTES }, () => letters[Math.min(randomInt(24), randomInt(24))]!),
    );
    const compressed = zlib.deflateRawSync(raw, { strategy: zlib.constants.Z_HUFFMAN_ONLY });
    if (((compressed[0]! >> 1) & 3) === DYNAMIC_BLOCK) return { raw, compressed };
  }
}
