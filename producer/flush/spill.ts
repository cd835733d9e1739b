/**
 * The spill: puts what could not be sent in time into S3, one object per spool segment, for a function to put back.
 *
 * An object is whole chunks, concatenated: the same bytes as in the spool and on the stream. Its key says whose they
 * are and is derived from the content, so that a repeated or concurrent spill puts the same object:
 *
 *     <prefix><instance>/<producer>/<segment>-<hash>.chunks      chunks of a segment
 *     <prefix><instance>/<producer>/quarantine/<name>            damaged bytes, for people
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { resendWhenClockCorrected } from '../../base/clock-skew.ts';
import { sha256 } from '../../base/sha256.ts';
import { withTimeout } from '../../base/with-timeout.ts';
import type { SpooledChunk } from '../spool/spool.ts';

export interface SpillOptions {
  readonly bucket: string;
  /** Prefix of every key: empty, or ending in a slash. */
  readonly prefix: string;
  readonly region: string;
  readonly endpoint?: string | undefined;
}

/** What a spill put into S3. */
export interface Spilled {
  /** `s3://bucket/prefix` that all keys share. */
  readonly place: string;
  readonly objects: number;
  readonly chunks: number;
  readonly bytes: number;
  /** Chunks that could not be put, and why. */
  readonly missing: number;
  readonly error: string | null;
}

export interface SpillDependencies {
  readonly producer: string;
  /** The instance id, or the host name without one. */
  readonly instance: () => string;
  /** The bytes of a chunk; null when it has been acknowledged meanwhile, or is damaged. */
  readonly read: (chunk: SpooledChunk) => Promise<Buffer | null>;
  /** Damaged pieces of the spool, by name. */
  readonly quarantined: () => Promise<ReadonlyMap<string, () => Promise<Buffer>>>;
  readonly log: Logger;
}

/** Milliseconds between rounds of attempts, and for one attempt while other objects wait. */
const RETRY_MS = 500;
const TRY_MS = 20_000;

export class Spill {
  readonly #options: SpillOptions;
  readonly #dependencies: SpillDependencies;

  constructor(options: SpillOptions, dependencies: SpillDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /**
   * Puts the chunks and the quarantine into the bucket; retries until the deadline.
   *
   * @param deadline milliseconds of `performance.now()`
   */
  async put(chunks: readonly SpooledChunk[], deadline: number): Promise<Spilled> {
    const { bucket, prefix } = this.#options;
    const base = `${prefix}${this.#dependencies.instance()}/${this.#dependencies.producer}/`;
    const total = { objects: 0, chunks: 0, bytes: 0, missing: 0, error: null as string | null };
    let left = await this.#pieces(chunks, base);
    const { put, close } = await this.#client();
    const reasons = new Set<string>();
    try {
      // In rounds, so that one object that cannot be put does not hold up the others.
      for (let round = 0; left.length > 0 && performance.now() < deadline; round++) {
        if (round > 0) await sleep(Math.min(RETRY_MS, deadline - performance.now()));
        const failed: Piece[] = [];
        for (const piece of left) {
          const rest = Math.max(1, deadline - performance.now());
          const content = await piece.read();
          if (content === null) continue;
          const { key, body, chunks: count } = content;
          const error = await put(key, body, left.length > 1 ? Math.min(rest, TRY_MS) : rest);
          if (error === null) {
            total.objects++;
            total.chunks += count;
            total.bytes += count === 0 ? 0 : body.length;
            continue;
          }
          failed.push(piece);
          total.error = `s3://${bucket}/${key}: ${error.name}: ${error.message}`;
          if (reasons.has(error.name)) continue;
          reasons.add(error.name);
          this.#dependencies.log.error({ key, err: error }, 'could not spill an object; retrying');
        }
        left = failed;
      }
    } finally {
      close();
    }
    total.missing = left.reduce((sum, { chunks: count }) => sum + count, 0);
    if (left.length === 0) total.error = null;
    else total.error ??= 'no time was left';
    return { place: `s3://${bucket}/${base}`, ...total };
  }

  /** The objects to put: the chunks of each segment, and the quarantine. */
  async #pieces(chunks: readonly SpooledChunk[], base: string): Promise<Piece[]> {
    const pieces: Piece[] = [];
    for (const [segment, members] of bySegment(chunks)) {
      const name = String(segment).padStart(12, '0');
      const read = async (): Promise<Content | null> => {
        const there: Buffer[] = [];
        for (const chunk of members) {
          const bytes = await this.#dependencies.read(chunk);
          if (bytes !== null) there.push(bytes);
        }
        if (there.length === 0) return null;
        const body = Buffer.concat(there);
        const hash = sha256(body).slice(0, 16);
        return { key: `${base}${name}-${hash}.chunks`, body, chunks: there.length };
      };
      pieces.push({ read, chunks: members.length });
    }
    for (const [name, bytes] of await this.#dependencies.quarantined()) {
      const read = async (): Promise<Content> => ({
        key: `${base}quarantine/${name}`,
        body: await bytes(),
        chunks: 0,
      });
      pieces.push({ read, chunks: 0 });
    }
    return pieces;
  }

  /** A function that puts one object within a time limit and returns the error, or null. */
  async #client(): Promise<Client> {
    const { bucket, region, endpoint } = this.#options;
    // Loaded on demand, which is rare.
    const { PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
    const client = new S3Client({
      region,
      maxAttempts: 1,
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    });
    resendWhenClockCorrected(client);
    const put = async (key: string, body: Buffer, timeout: number): Promise<Error | null> => {
      const command = new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, IfNoneMatch: '*' });
      try {
        const { ETag } = await withTimeout(timeout, (abortSignal) => client.send(command, { abortSignal }));
        // A proxy's page of its own may say 200 to anything.
        return ETag === undefined
          ? new Error('the response did not come from S3: check the endpoint and proxies in between')
          : null;
      } catch (error) {
        const { name, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
        // It already exists, and its name says that it holds the same bytes.
        if (name === 'PreconditionFailed' || $metadata?.httpStatusCode === 412) return null;
        return error as Error;
      }
    };
    return { put, close: () => client.destroy() };
  }
}

interface Client {
  put(key: string, body: Buffer, timeout: number): Promise<Error | null>;
  close(): void;
}

/** One object to put. */
interface Piece {
  /** Null when nothing of it is left. */
  read(): Promise<Content | null>;
  readonly chunks: number;
}

interface Content {
  readonly key: string;
  readonly body: Buffer;
  readonly chunks: number;
}

function bySegment(chunks: readonly SpooledChunk[]): Map<number, SpooledChunk[]> {
  const segments = new Map<number, SpooledChunk[]>();
  const inOrder = chunks.toSorted((a, b) => a.segment - b.segment || a.offset - b.offset);
  for (const chunk of inOrder) {
    const members = segments.get(chunk.segment);
    if (members) members.push(chunk);
    else segments.set(chunk.segment, [chunk]);
  }
  return segments;
}
