/** The base of every error that tailrace raises on purpose, and the errors of the chunk format. */
import type { ErrorCode } from './error-codes.ts';

/**
 * An error with a stable `code` for programs, a `retriable` flag, and a message for people that says what is
 * wrong and, where there is something to do, what to do next.
 */
export class TailraceError extends Error {
  readonly code: ErrorCode;
  /** Whether the same call can succeed later without anyone changing anything. */
  readonly retriable: boolean;

  constructor(code: ErrorCode, message: string, options: { retriable?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retriable = options.retriable ?? false;
  }
}

/** Thrown when the bytes end before the chunk does: a torn write, or not enough has been read yet. */
export class ChunkTruncatedError extends TailraceError {
  constructor(message: string) {
    super('CHUNK_TRUNCATED', message);
  }
}

/** Thrown when bytes that should be a chunk are not one, or when its checksum or lengths disagree. */
export class ChunkCorruptError extends TailraceError {
  constructor(message: string, cause?: unknown) {
    super('CHUNK_CORRUPT', message, { cause });
  }
}

/** Thrown for a chunk whose format version this release does not support: upgrade it, never guess. */
export class ChunkVersionError extends TailraceError {
  readonly version: number;

  constructor(version: number) {
    super(
      'CHUNK_VERSION',
      `chunk format version ${version} is not supported by this release: upgrade tailrace`,
    );
    this.version = version;
  }
}
