/** The archive in S3: every call is tried until S3 has answered it, with time-outs and backoff. */
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3';
import { Backoff, type BackoffLimits, halfJitter } from '../base/backoff.ts';
import { isClockCorrected, isClockError } from '../base/clock-skew.ts';
import { TailraceError } from '../base/errors.ts';
import { NO_CREDENTIALS } from '../base/no-credentials.ts';
import { sha256 } from '../base/sha256.ts';
import type { Encryption } from './encryption.ts';
import { QuickReads } from './s3-get.ts';
import type { ListedPage } from './s3-list.ts';
import type { ArchiveStore, ObjectKind } from './store.ts';

export interface S3Location {
  readonly bucket: string;
  readonly region: string;
  /** Of an S3 that is not Amazon's; buckets are then part of the path. */
  readonly endpoint?: string | undefined;
}

interface S3WriteOptions {
  readonly storageClass?: string | undefined;
  /** Key id or ARN: SSE-KMS with a bucket key. */
  readonly kmsKey?: string | undefined;
  /** What each write asks for; `aws:kms` where there is a key, and otherwise nothing: the bucket's setting holds. */
  readonly encryption?: Encryption | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

export interface S3Options extends S3WriteOptions {
  /** How often a call is tried; Infinity waits for S3 to come back. */
  readonly tries: number;
  /** Called for every attempt that failed. */
  readonly onTrouble?: (trouble: S3Trouble) => void;
  /** Called for every call that S3 answered. */
  readonly onAnswer?: () => void;
  /** First and longest wait between tries, ms. */
  readonly backoff?: BackoffLimits;
  /** What one attempt may take besides the time for its bytes, ms. */
  readonly tryTimeout?: number;
}

export interface S3Trouble {
  readonly operation: string;
  /** Short and stable, for a metric. */
  readonly reason: string;
  readonly message: string;
  readonly attempt: number;
  /** Whether it stays until a person changes something. */
  readonly lasting: boolean;
}

/** Thrown when a call was given up. */
class ArchiveUnavailableError extends TailraceError {
  constructor(message: string, cause: unknown) {
    super('ARCHIVE_UNAVAILABLE', message, { retriable: true, cause });
  }
}

const CONTENT_TYPE = {
  commit: 'application/json',
  gzip: 'application/gzip',
  zstd: 'application/zstd',
  parquet: 'application/vnd.apache.parquet',
} as const;
/** Slower than this is taken for a connection that hangs. */
const BYTES_PER_MS = 256;
/** At the same time: small objects of a question are read by the thousand. */
const MAX_SOCKETS = 128;
/** Waiting for somebody to give the right back needs no hurry. */
const DENIED_WAIT_MS = 5000;

export class S3Store implements ArchiveStore {
  readonly #client: S3Client;
  readonly #quick: QuickReads;
  readonly #location: S3Location;
  readonly #bucket: string;
  readonly #options: S3Options;

  constructor(location: S3Location, options: S3Options, shared?: { client: S3Client; quick: QuickReads }) {
    this.#location = location;
    this.#bucket = location.bucket;
    this.#options = options;
    this.#client = shared?.client ?? createClient(location);
    this.#quick = shared?.quick ?? new QuickReads(this.#client);
  }

  /** The same bucket by the same connections, with other options; closing either closes both. */
  withOptions(options: Partial<S3Options>): S3Store {
    const shared = { client: this.#client, quick: this.#quick };
    return new S3Store(this.#location, { ...this.#options, ...options }, shared);
  }

  putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    kind: ObjectKind,
    known?: string,
  ): Promise<'created' | 'exists'> {
    return this.#put(key, body, kind, { known, condition: { IfNoneMatch: '*' } });
  }

  /** Replaces whatever stands there: never for what an archive consists of. */
  async overwrite(key: string, body: readonly Uint8Array[], kind: ObjectKind): Promise<void> {
    await this.#put(key, body, kind, { condition: {} });
  }

  async #put(
    key: string,
    body: readonly Uint8Array[],
    kind: ObjectKind,
    {
      known,
      condition,
    }: { readonly known?: string | undefined; readonly condition: { readonly IfNoneMatch?: '*' } },
  ): Promise<'created' | 'exists'> {
    const length = body.reduce((sum, part) => sum + part.length, 0);
    const hash = known ?? sha256(body);
    return this.#persist('put', key, length, async (abortSignal) => {
      const command = new PutObjectCommand({
        Bucket: this.#bucket,
        Key: key,
        // The parts as they are: putting a batch together in one piece would cost its size in memory once more.
        Body: body.length === 1 ? body[0]! : Readable.from(body),
        ContentLength: length,
        ContentType: CONTENT_TYPE[kind],
        ChecksumSHA256: Buffer.from(hash, 'hex').toString('base64'),
        ...condition,
        ...this.#writeInput(kind),
      });
      // The signature needs the same hash; given here, it is not computed twice.
      command.middlewareStack.add(
        (next) => (args) => {
          (args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = hash;
          return next(args);
        },
        { step: 'build' },
      );
      try {
        const { ETag } = await this.#client.send(command, { abortSignal });
        requireS3(ETag);
        return 'created';
      } catch (error) {
        if (statusOf(error) === 412) return 'exists';
        throw error;
      }
    });
  }

  get(key: string): Promise<Buffer | null> {
    return this.#read(key);
  }

  /** Bytes `first` to `last`, both included; null when there is no such object. */
  range(key: string, first: number, last: number): Promise<Buffer | null> {
    return this.#read(key, `bytes=${first}-${last}`);
  }

  head(key: string): Promise<number | null> {
    return this.#persist('head', key, 0, async (abortSignal) => {
      const input = { Bucket: this.#bucket, Key: key };
      const answer = await nullWhenAbsent(() =>
        this.#client.send(new HeadObjectCommand(input), { abortSignal }),
      );
      if (answer) {
        requireS3(answer.ETag);
        return answer.ContentLength ?? 0;
      }
      // The answer to HEAD has no body, so it does not say whether the object is missing or the whole bucket.
      const found = await nullWhenAbsent(() =>
        this.#client.send(new GetObjectCommand({ ...input, Range: 'bytes=0-0' }), { abortSignal }),
      );
      if (!found) return null;
      requireS3(found.ETag);
      await found.Body?.transformToByteArray();
      return Number(found.ContentRange?.split('/')[1] ?? found.ContentLength ?? 0);
    });
  }

  async first(prefix: string): Promise<string | null> {
    const answer = await this.#list({ Prefix: prefix, MaxKeys: 1 });
    return answer.Contents?.[0]?.Key ?? null;
  }

  async folders(prefix: string): Promise<string[]> {
    const names: string[] = [];
    let token: string | undefined;
    do {
      const answer = await this.#list({ Prefix: prefix, Delimiter: '/', ContinuationToken: token });
      for (const { Prefix: folder } of answer.CommonPrefixes ?? []) {
        if (folder) names.push(folder.slice(prefix.length, -1));
      }
      token = answer.NextContinuationToken;
    } while (token !== undefined);
    return names;
  }

  /** All keys with a prefix, in order, with their lengths. */
  async *list(prefix: string): AsyncGenerator<{ key: string; bytes: number }> {
    for await (const page of this.pages(prefix)) yield* page;
  }

  async *pages(prefix: string): AsyncGenerator<ListedPage['objects']> {
    let token: string | undefined;
    do {
      const { objects, next } = await this.#page(prefix, token);
      yield objects;
      token = next;
    } while (token !== undefined);
  }

  close(): void {
    this.#client.destroy();
  }

  #page(prefix: string, token: string | undefined): Promise<ListedPage> {
    return this.#persist('list', prefix, 0, async (abortSignal) => {
      const found = await this.#quick.list(prefix, token, abortSignal);
      if (found !== null) return found;
      const input = { Bucket: this.#bucket, Prefix: prefix, ContinuationToken: token };
      const answer = await this.#client.send(new ListObjectsV2Command(input), { abortSignal });
      requireS3(answer.IsTruncated);
      const objects = (answer.Contents ?? []).map(({ Key = '', Size = 0 }) => ({ key: Key, bytes: Size }));
      return { objects: objects.filter(({ key }) => key !== ''), next: answer.NextContinuationToken };
    });
  }

  #list(input: {
    Prefix: string;
    MaxKeys?: number;
    Delimiter?: string;
    ContinuationToken?: string | undefined;
  }) {
    return this.#persist('list', input.Prefix, 0, async (abortSignal) => {
      const command = new ListObjectsV2Command({ Bucket: this.#bucket, ...input });
      const answer = await this.#client.send(command, { abortSignal });
      requireS3(answer.IsTruncated);
      return answer;
    });
  }

  #read(key: string, range?: string): Promise<Buffer | null> {
    return this.#persist('get', key, 64 * 1024 * 1024, (abortSignal) =>
      nullWhenAbsent(async () => {
        const found = await this.#quick.get(key, range, abortSignal);
        if (found !== null) return found;
        const command = new GetObjectCommand({ Bucket: this.#bucket, Key: key, Range: range });
        this.#quick.watch(command, key);
        const answer = await this.#client.send(command, { abortSignal });
        requireS3(answer.ETag);
        const bytes = await answer.Body!.transformToByteArray();
        return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      }),
    );
  }

  #writeInput(kind: ObjectKind): Partial<PutObjectCommandInput> {
    const { storageClass, kmsKey, tags } = this.#options;
    const { encryption = kmsKey === undefined ? undefined : 'aws:kms' } = this.#options;
    return {
      ...(encryption === undefined ? {} : { ServerSideEncryption: encryption }),
      // Two-layer encryption does not support bucket keys.
      ...(encryption === 'aws:kms' ? { BucketKeyEnabled: true } : {}),
      ...(kmsKey === undefined ? {} : { SSEKMSKeyId: kmsKey }),
      // Commits are small and read often: a class with a minimum size or a price per read is wrong for them.
      ...(storageClass === undefined || kind === 'commit'
        ? {}
        : { StorageClass: storageClass as NonNullable<PutObjectCommandInput['StorageClass']> }),
      ...(tags === undefined ? {} : { Tagging: new URLSearchParams(tags).toString() }),
    };
  }

  async #persist<T>(
    operation: string,
    key: string,
    bytes: number,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const {
      tries,
      onTrouble,
      onAnswer,
      backoff = { base: 100, cap: 20_000 },
      tryTimeout = 15_000,
    } = this.#options;
    const delays = new Backoff({ ...backoff, jitter: 'half' });
    let corrected = false;
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await call(AbortSignal.timeout(tryTimeout + Math.ceil(bytes / BYTES_PER_MS)));
        onAnswer?.();
        return answer;
      } catch (error) {
        // A retry does not help against a fault of this program's own.
        if (error instanceof TypeError || error instanceof RangeError) throw error;
        if ((error as Error).name === 'InvalidObjectState') throw coldObject(key, error);
        const reason = reasonOf(error);
        const message = `S3 ${operation} s3://${this.#bucket}/${key}: ${reason}: ${explained(error)}`;
        // With S3's own time, which the answer has brought, the next request is signed right.
        if (isClockCorrected(error) && !corrected) {
          corrected = true;
          attempt -= 1;
          continue;
        }
        onTrouble?.({ operation, reason, message, attempt, lasting: isLasting(reason) });
        if (attempt >= tries || (tries !== Number.POSITIVE_INFINITY && isLasting(reason))) {
          throw new ArchiveUnavailableError(message, error);
        }
        await sleep(isLasting(reason) ? halfJitter(DENIED_WAIT_MS) : delays.next());
      }
    }
  }
}

/**
 * A proxy's page of its own may say 200 to anything: taken for S3's, an object would be written that is not, and a log
 * would have no commits.
 *
 * @param sign what S3 never leaves out of this answer
 * @throws Error, for a retry, where it is missing
 */
function requireS3(sign: string | boolean | undefined): void {
  if (sign !== undefined) return;
  const message = 'the response did not come from S3: check the endpoint and proxies in between';
  throw Object.assign(new Error(message), { name: 'ForeignAnswer' });
}

function createClient({ region, endpoint }: S3Location): S3Client {
  return new S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 5000,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
    },
  });
}

async function nullWhenAbsent<T>(call: () => Promise<T>): Promise<T | null> {
  try {
    return await call();
  } catch (error) {
    // A missing bucket answers 404 as well, which does not answer the question.
    if (statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket') return null;
    throw error;
  }
}

/** S3's message, or what to do: where a bucket is that is not here, where credentials come from. */
function explained(error: unknown): string {
  const { name, message, $response } = error as Error & { $response?: { headers?: Record<string, string> } };
  if (name === 'CredentialsProviderError') return NO_CREDENTIALS;
  const region = $response?.headers?.['x-amz-bucket-region'];
  if (region === undefined || reasonOf(error) !== 'wrong_region') return message;
  return `the bucket is in ${region}: set archive.region, or --region`;
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/** S3's answer to a read of an object in GLACIER, DEEP_ARCHIVE or an archive tier that was not restored. */
function coldObject(key: string, cause: unknown): TailraceError {
  return new TailraceError('OBJECT_COLD', `${key} is in cold storage: restore it in S3, then read it`, {
    cause,
  });
}

/** Reasons by the name of the error; a HEAD has no body, and so only a status. */
const REASONS: Readonly<Record<string, string>> = {
  NoSuchBucket: 'no_such_bucket',
  PermanentRedirect: 'wrong_region',
  AuthorizationHeaderMalformed: 'wrong_region',
  IllegalLocationConstraintException: 'wrong_region',
  ExpiredToken: 'expired_token',
  ExpiredTokenException: 'expired_token',
  InvalidAccessKeyId: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  CredentialsProviderError: 'credentials',
  ForeignAnswer: 'foreign_answer',
};

function reasonOf(error: unknown): string {
  const status = statusOf(error);
  const { name = '', code } = error as { name?: string; code?: string };
  if (isClockError(error)) return 'clock';
  if (name.startsWith('KMS.')) return 'kms';
  if (Object.hasOwn(REASONS, name)) return REASONS[name]!;
  if (status === 301) return 'wrong_region';
  if (status === 403) return 'access_denied';
  if (status === 409) return 'conflict';
  if (status === 503 || status === 429) return 'slow_down';
  if (status === 501) return 'not_implemented';
  if (status !== undefined && status >= 500) return 'server_error';
  // The SDK calls a reset connection a time-out, too.
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'connection';
  if (name === 'TimeoutError' || name === 'AbortError') return 'timeout';
  if (status === undefined && code !== undefined) return 'connection';
  return 'other';
}

const PASSING: ReadonlySet<string> = new Set([
  'conflict',
  'slow_down',
  'server_error',
  'connection',
  'timeout',
  'foreign_answer',
]);

/** What a retry does not change soon. */
function isLasting(reason: string): boolean {
  return !PASSING.has(reason);
}
