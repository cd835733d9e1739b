/**
 * The commit: what one batch of a shard put into the archive, as a JSON object next to the data. Its keys here are the
 * keys of the JSON.
 */
import * as z from 'zod/mini';
import { TailraceError } from '../base/errors.ts';
import { sha256 } from '../base/sha256.ts';
import { Runs } from './runs.ts';

/** The newest version; 1, whose objects do not say their form and times, is read as well. */
export const COMMIT_VERSION = 2;

const count = z.number().check(z.int(), z.minimum(0));
const sequence = z.string().check(z.regex(/^(?:0|[1-9]\d{0,127})$/));
const hex = (digits: number) => z.string().check(z.regex(new RegExp(`^[0-9a-f]{${digits}}$`)));
const lane = hex(32);
const epoch = hex(16);
const runs = z.string().check(
  z.refine((text) => {
    try {
      Runs.parse(text);
      return true;
    } catch {
      return false;
    }
  }, 'not a list of runs'),
);
const runsByLane = z.record(lane, runs);
const shardName = z.string().check(z.regex(/^[\w.-]{1,128}$/));

/**
 * How an object is made of chunks: `member`, spliced into one gzip member; `members`, one gzip member each; `frames`, a
 * zstd frame each.
 */
const form = z.enum(['member', 'members', 'frames']);

const commitObject = z.strictObject({
  key: z.string(),
  tag: z.string(),
  /** Whole hours since 1970 of the events' time (foreign records: of their arrival). */
  hour: count,
  codec: z.enum(['gzip', 'zstd']),
  /** Since version 2, as are the times of its first and last event, milliseconds since 1970. */
  form: z.optional(form),
  first_time: z.optional(count),
  last_time: z.optional(count),
  /** Length of the object. */
  bytes: count,
  /** SHA-256 of the object, hex. */
  sha256: hex(64),
  chunks: count,
  events: count,
  /** Bytes of NDJSON. */
  raw_bytes: count,
  /** How many user records that are not chunks are in it; such an object has no runs. */
  foreign: count,
  /** The sequences of each lane that are in it. */
  runs: runsByLane,
  /** How many of its events are of each lane; commits of before this was noted have none. */
  lane_events: z.optional(z.record(lane, count)),
});

const producerMark = z.strictObject({
  producer: lane,
  epoch,
  /** The highest ordinal among the batch's chunks of this epoch. */
  ordinal: count,
  floor: epoch,
  previous: z.nullable(z.strictObject({ epoch, ordinal: count })),
  /** Whether the chunk with that ordinal is the last one of a clean stop. */
  end: z.boolean(),
});

/**
 * A chunk without events by which a producer says how far it has read: its sequence and its ordinal; the time up to which
 * all that the inputs' sources had is in chunks before it, 0 when that was not known; when it was sealed; 1 when it is the
 * last chunk of a clean stop. Times are milliseconds since 1970 by the producer's clock, and not after the arrival.
 */
const watermark = z.tuple([count, count, count, count, z.union([z.literal(0), z.literal(1)])]);

const snapshot = z.strictObject({
  /** lane: producer, epoch, runs archived, when last seen (ms). */
  lanes: z.record(lane, z.tuple([lane, epoch, runs, count])),
  /** producer: floor, when last seen (ms). */
  floors: z.record(lane, z.tuple([epoch, count])),
  /** lane: its newest watermark. */
  watermarks: z.optional(z.record(lane, watermark)),
});

const commitSchema = z.strictObject({
  version: z.union([z.literal(1), z.literal(COMMIT_VERSION)]),
  /** First 16 digits of the SHA-256 of this commit without `hash` and its objects' keys. */
  hash: hex(16),
  stream: z.string(),
  incarnation: hex(18),
  shard: shardName,
  /** Hash keys of the shard, first and last, as 32 hex digits. */
  range: z.tuple([lane, lane]),
  parents: z.array(shardName),
  number: count.check(z.minimum(1)),
  /** Version of the code that made its objects of records. */
  encoder: count,
  /** Sequence numbers of the first and the last record that it covers; `from` is null when it covers none. */
  from: z.nullable(sequence),
  to: z.nullable(sequence),
  /** Arrival times of the first and the last record, ms. */
  arrival: z.nullable(z.tuple([count, count])),
  /** When it was written, ms, by the writer's clock. */
  written: count,
  /** Whether the shard ends here. */
  close: z.boolean(),
  /** User records covered. */
  records: count,
  objects: z.array(commitObject),
  /** The sequences of each lane whose chunks have no events, such as the last one of a clean stop: no object holds them. */
  empty: runsByLane,
  /** lane: producer and epoch, of the lanes in the objects and in `empty`. */
  lanes: z.record(lane, z.tuple([lane, epoch])),
  producers: z.array(producerMark),
  /** The watermarks of each lane, in the lane's order; left out when there are none. */
  watermarks: z.optional(z.record(lane, z.array(watermark))),
  skipped: z.strictObject({ duplicates: count, bytes: count }),
  /** Chunks archived although their lane may have been forgotten. */
  unproven: count,
  /** Chunks whose checksum, lengths or data were wrong, archived as foreign bytes. */
  damaged: count,
  /** Objects of the commit before this one that never got their data, and what their runs were. */
  voided: z.array(z.strictObject({ key: z.string(), runs: runsByLane })),
  /** hour: foreign records up to this sequence number are in objects of earlier commits already. */
  kept: z.record(z.string().check(z.regex(/^\d+$/)), sequence),
  /** All lanes after this commit. */
  snapshot: z.nullable(snapshot),
  /** The newest commit with a snapshot: this one, or one before it. */
  snapshot_at: count,
});

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;
export type Commit = DeepReadonly<z.infer<typeof commitSchema>>;
export type CommitObject = DeepReadonly<z.infer<typeof commitObject>>;
export type Form = z.infer<typeof form>;
export type ProducerMark = DeepReadonly<z.infer<typeof producerMark>>;
export type Watermark = DeepReadonly<z.infer<typeof watermark>>;
export type Snapshot = DeepReadonly<z.infer<typeof snapshot>>;

/** How an object is made of chunks; those of version 1 are not spliced. */
export function formOf({ form, codec }: CommitObject): Form {
  return form ?? (codec === 'gzip' ? 'members' : 'frames');
}

/** Thrown when a commit in the archive cannot be understood: nothing can be archived safely behind it. */
export class CommitCorruptError extends TailraceError {
  constructor(key: string, fault: string, cause?: unknown) {
    super('COMMIT_CORRUPT', `${key}: ${fault}`, { cause });
  }
}

/** The bytes of a commit, as they are stored. */
export function encodeCommit(commit: Commit): Buffer {
  return Buffer.from(`${JSON.stringify(commit)}\n`);
}

/**
 * Reads and checks a commit.
 *
 * @param key where it came from, for messages
 * @throws CommitCorruptError when it is not whole, not of a known version, or does not match its hash
 */
export function parseCommit(bytes: Uint8Array, key: string): Commit {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    throw new CommitCorruptError(key, 'is not JSON', cause);
  }
  const version = (json as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > COMMIT_VERSION) {
    throw new CommitCorruptError(key, `is a commit of version ${version}: upgrade tailrace`);
  }
  const parsed = commitSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new CommitCorruptError(key, `${issue.path.join('.') || 'commit'}: ${issue.message}`);
  }
  const commit = parsed.data;
  if (commitHash(commit) !== commit.hash) throw new CommitCorruptError(key, 'does not match its hash');
  return commit;
}

/** The hash that a commit's objects carry in their names: of all it says but the hash and those names. */
export function commitHash(commit: Commit): string {
  return contentHash({
    ...commit,
    hash: '',
    objects: commit.objects.map((object) => ({ ...object, key: '' })),
  });
}

/** 16 hex digits that two values share only when they are equal, whatever the order of their keys. */
export function contentHash(value: unknown): string {
  return sha256(JSON.stringify(canonical(value))).slice(0, 16);
}

/** The same value with the keys of all objects in order, so that equal commits have equal text. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const parts = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(parts).sort();
  return Object.fromEntries(keys.map((key) => [key, canonical(parts[key])]));
}
