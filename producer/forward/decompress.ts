/** Decompresses packed entries: all members of a gzip, all frames of a zstd, and never more than the cap. */
import * as zlib from 'node:zlib';
import { malformed, RefusedError } from './errors.ts';

/** Output up to this size is made at once; what would be more is first measured without being kept. */
const DIRECT_BYTES = 16 * 1024 * 1024;
const MIN_PIECE = 16 * 1024;
const MAX_PIECE = 1024 * 1024;
/** The most memory that a zstd frame may ask of its reader, as a power of two. */
const ZSTD_WINDOW_LOG = 25;

/**
 * @param payload must stay as it is until the result is there
 * @returns the decompressed bytes; a promise of them only where they are too many to be made in one turn
 * @throws RefusedError `bomb` when they are more than `maxBytes`, `malformed` when `payload` is damaged
 */
export function decompress(
  payload: Buffer,
  codec: 'gzip' | 'zstd',
  maxBytes: number,
): Buffer | Promise<Buffer> {
  if (payload.length === 0) return payload;
  const direct = Math.min(maxBytes, DIRECT_BYTES);
  try {
    return codec === 'gzip' ? gunzip(payload, direct) : unzstd(payload, direct);
  } catch (error) {
    if (!isTooLarge(error)) throw damaged(codec, error);
    if (maxBytes <= DIRECT_BYTES) throw bomb(maxBytes);
    return decompressLarge(payload, codec, maxBytes);
  }
}

async function decompressLarge(payload: Buffer, codec: 'gzip' | 'zstd', maxBytes: number): Promise<Buffer> {
  // A bomb must not get the memory that a large message needs: so its size is known before anything is kept of it.
  const size = await measure(payload, codec, maxBytes);
  try {
    return codec === 'gzip' ? gunzip(payload, size) : unzstd(payload, size);
  } catch (error) {
    throw damaged(codec, error);
  }
}

/** Decompresses without keeping anything, and returns the size. */
async function measure(payload: Buffer, codec: 'gzip' | 'zstd', maxBytes: number): Promise<number> {
  let size = 0;
  let at = 0;
  while (at < payload.length) {
    const stream =
      codec === 'gzip'
        ? zlib.createGunzip({ chunkSize: MAX_PIECE })
        : zlib.createZstdDecompress({ chunkSize: MAX_PIECE, params: ZSTD_PARAMS });
    stream.end(payload.subarray(at));
    try {
      for await (const piece of stream) {
        size += (piece as Buffer).length;
        if (size > maxBytes) throw bomb(maxBytes);
      }
    } catch (error) {
      throw error instanceof RefusedError ? error : damaged(codec, error);
    }
    // Gunzip goes on with the next member by itself.
    if (codec === 'gzip') break;
    if (stream.bytesWritten === 0) throw malformed('a zstd frame of no bytes');
    at += stream.bytesWritten;
  }
  return size;
}

const ZSTD_PARAMS = { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG };

function gunzip(payload: Buffer, maxBytes: number): Buffer {
  return zlib.gunzipSync(payload, {
    maxOutputLength: Math.max(maxBytes, 1),
    chunkSize: pieceBytes(payload.length),
  });
}

/** zstd's one-call function ends with the first frame: what is behind it is the next one's. */
function unzstd(payload: Buffer, maxBytes: number): Buffer {
  const frames: Buffer[] = [];
  let left = maxBytes;
  for (let at = 0; at < payload.length; ) {
    const rest = payload.subarray(at);
    const { buffer, engine } = zlib.zstdDecompressSync(rest, {
      maxOutputLength: Math.max(left, 1),
      chunkSize: pieceBytes(Math.min(rest.length, left)),
      params: ZSTD_PARAMS,
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    if (engine.bytesWritten === 0) throw malformed('a zstd frame of no bytes');
    if (buffer.length > left) throw Object.assign(new Error('too large'), { code: 'ERR_BUFFER_TOO_LARGE' });
    frames.push(buffer);
    left -= buffer.length;
    at += engine.bytesWritten;
  }
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames);
}

/** The piece in which output is made: of the order of what a payload of logs becomes, to join few of them. */
function pieceBytes(compressedBytes: number): number {
  return Math.max(MIN_PIECE, Math.min(MAX_PIECE, compressedBytes * 8));
}

function isTooLarge(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
}

function bomb(maxBytes: number): RefusedError {
  return new RefusedError('bomb', `entries of more than ${maxBytes} bytes when decompressed`);
}

function damaged(codec: string, cause: unknown): RefusedError {
  if (cause instanceof RefusedError) return cause;
  return new RefusedError('malformed', `entries that are not ${codec}: ${(cause as Error).message}`, cause);
}
