/**
 * The spill: what could not be sent in time goes to S3, one object per spool segment, for a function to put back.
 *
 * An object is whole chunks, concatenated: the same bytes as in the spool and on the stream. Its key says whose they
 * are, and is made from what it holds, so that a spill that is repeated or done twice at once puts the same object:
 *
 *     <prefix><instance>/<producer>/<segment>-<hash>.chunks      chunks of a segment
 *     <prefix><instance>/<producer>/quarantine/<name>            damaged bytes, for people
 */
import { createHash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Logger } from 'pino';
import type { SpooledChunk } from '../spool/spool.ts';

export interface SpillOptions {
  readonly bucket: string;
  /** Put before every key: empty, or ending in a slash. */
  readonly prefix: string;
  readonly region: string;
  readonly endpoint?: string | undefined;
}

/** What a spill brought to S3. */
export interface Spilled {
  /** `s3://bucket/prefix` under which all of it stands. */
  readonly place: string;
  readonly objects: number;
  readonly chunks: number;
  readonly bytes: number;
  /** Chunks that are not there, and why. */
  readonly missing: number;
  readonly error: string | null;
}

export interface SpillParts {
  readonly producer: string;
  /** The instance's id, or the host's name where there is none. */
  readonly instance: () => string;
  /** The bytes of a chunk; null when it is acknowledged by now, or damaged. */
  readonly read: (chunk: SpooledChunk) => Promise<Buffer | null>;
  /** Damaged pieces of the spool, by name. */
  readonly quarantined: () => Promise<ReadonlyMap<string, () => Promise<Buffer>>>;
  readonly log: Logger;
}

/** Milliseconds between tries of one object. */
const RETRY_MS = 500;

export class Spill {
  readonly #options: SpillOptions;
  readonly #parts: SpillParts;

  constructor(options: SpillOptions, parts: SpillParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /**
   * Puts the chunks, and what is in quarantine, into the bucket; tries again until the deadline.
   *
   * @param deadline milliseconds since 1970
   */
  async put(chunks: readonly SpooledChunk[], deadline: number): Promise<Spilled> {
    const { bucket, prefix } = this.#options;
    const base = `${prefix}${this.#parts.instance()}/${this.#parts.producer}/`;
    const put = await this.#client(deadline);
    const total = { objects: 0, chunks: 0, bytes: 0, missing: 0, error: null as string | null };
    for (const [segment, members] of bySegment(chunks)) {
      const there = (await Promise.all(members.map((chunk) => this.#parts.read(chunk)))).filter(
        (b) => b !== null,
      );
      if (there.length === 0) continue;
      const body = Buffer.concat(there);
      const hash = createHash('sha256').update(body).digest('hex').slice(0, 16);
      const error = await put(`${base}${String(segment).padStart(12, '0')}-${hash}.chunks`, body);
      if (error === null) {
        total.objects++;
        total.chunks += there.length;
        total.bytes += body.length;
      } else {
        total.missing += there.length;
        total.error = error;
      }
    }
    for (const [name, read] of await this.#parts.quarantined()) {
      const error = await put(`${base}quarantine/${name}`, await read());
      if (error === null) total.objects++;
      else total.error = error;
    }
    return { place: `s3://${bucket}/${base}`, ...total };
  }

  /** A function that puts one object and says what is wrong, or null; it ends with the deadline. */
  async #client(deadline: number): Promise<(key: string, body: Buffer) => Promise<string | null>> {
    const { bucket, region, endpoint } = this.#options;
    // Loaded when it is needed, which is hardly ever.
    const { PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
    const client: S3Client = new S3Client({
      region,
      maxAttempts: 1,
      ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    });
    return async (key, body) => {
      let reason = 'there was no time left';
      while (Date.now() < deadline) {
        try {
          const command = new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, IfNoneMatch: '*' });
          await client.send(command, {
            abortSignal: AbortSignal.timeout(Math.max(1, deadline - Date.now())),
          });
          return null;
        } catch (error) {
          const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
          // It is there already, and its name says that it holds the same bytes.
          if (name === 'PreconditionFailed' || $metadata?.httpStatusCode === 412) return null;
          reason = `s3://${bucket}/${key}: ${name}: ${message}`;
          this.#parts.log.error({ key, err: error }, 'an object could not be spilled; it is tried again');
        }
        await new Promise((resolve) =>
          setTimeout(resolve, Math.max(0, Math.min(RETRY_MS, deadline - Date.now()))),
        );
      }
      return reason;
    };
  }
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
