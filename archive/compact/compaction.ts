/**
 * A compaction: which data objects of an hour became which Parquet objects, as a JSON object in a log of the hour.
 *
 *     _compactions/2026-11-23T07/<counting down>-<number>.json                        newest listed first
 *     parquet/tag=<tag>/dt=2026-11-23/hour=07/<number>-<hash>.parquet
 */
import * as z from 'zod/mini';
import { TailraceError } from '../../base/errors.ts';
import { contentHash } from '../commit.ts';
import { countingDown, dateAndHour, encodeTag, parseCountingDown } from '../commit-keys.ts';
import type { ListableStore } from '../listing.ts';
import type { ArchiveStore } from '../store.ts';

const COMPACTIONS_FOLDER = '_compactions/';

const count = z.number().check(z.int(), z.minimum(0));
const hex = (digits: number) => z.string().check(z.regex(new RegExp(`^[0-9a-f]{${digits}}$`)));

const column = z.strictObject({
  name: z.string(),
  type: z.enum(['INTEGER', 'BIGINT', 'DOUBLE', 'BOOLEAN', 'VARCHAR', 'JSON']),
});

/** What has to be known of a data object to read it; the names are those of the commit that names it. */
const source = z.strictObject({
  key: z.string(),
  tag: z.string(),
  hour: count,
  codec: z.enum(['gzip', 'zstd']),
  bytes: count,
  sha256: hex(64),
  events: count,
  foreign: count,
  first_time: z.optional(count),
  last_time: z.optional(count),
});

const table = z.strictObject({
  /** Of the Parquet object. */
  key: z.string(),
  tag: z.string(),
  rows: count,
  /** Of the fields, in their order; `time` is before them and `rest` behind. */
  columns: z.array(column),
  sources: z.array(source),
});

const compactionSchema = z.strictObject({
  version: z.literal(1),
  /** Of all that it says but `hash` and the tables' keys. */
  hash: hex(16),
  /** Whole hours since 1970. */
  hour: count,
  /** Its place in the hour's log: 1, and further ones for what came late. */
  number: count.check(z.minimum(1)),
  /** Milliseconds since 1970, by the writer's clock. */
  written: count,
  tables: z.array(table).check(z.minLength(1)),
});

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;
export type Compaction = DeepReadonly<z.infer<typeof compactionSchema>>;
export type Table = DeepReadonly<z.infer<typeof table>>;
export type TableColumn = DeepReadonly<z.infer<typeof column>>;
export type Source = DeepReadonly<z.infer<typeof source>>;

/** Where the log of an hour is. */
function compactionFolder(prefix: string, hour: number): string {
  return `${prefix}${COMPACTIONS_FOLDER}${dateAndHour(hour).join('T')}/`;
}

/** The hours that have a log, since 1970, in order. */
export async function compactedHours(store: ArchiveStore, prefix: string): Promise<number[]> {
  const names = await store.folders(prefix + COMPACTIONS_FOLDER);
  return names
    .map((name) => Date.parse(`${name}:00Z`) / 3_600_000)
    .filter((hour) => Number.isSafeInteger(hour))
    .sort((a, b) => a - b);
}

/** Of each hour that has a log, since 1970, how many entries it has: by one listing for all of them. */
export async function countCompactions(
  store: ListableStore,
  prefix: string,
): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  const folder = prefix + COMPACTIONS_FOLDER;
  for await (const { key } of store.list(folder)) {
    const [name, entry] = key.slice(folder.length).split('/');
    const hour = Date.parse(`${name}:00Z`) / 3_600_000;
    const number = parseCountingDown(entry ?? '');
    if (Number.isSafeInteger(hour) && number !== null)
      counts.set(hour, Math.max(number, counts.get(hour) ?? 0));
  }
  return counts;
}

/** Gives tables their keys, and the compaction its hash. */
export function named(prefix: string, bare: Omit<Compaction, 'version' | 'hash'>): Compaction {
  const tables = bare.tables.map((each) => ({ ...each, key: '' }));
  const whole = { ...bare, version: 1 as const, hash: '', tables };
  const hash = contentHash(whole);
  const [dt, hour] = dateAndHour(bare.hour);
  return {
    ...whole,
    hash,
    tables: tables.map((each) => ({
      ...each,
      key: `${prefix}parquet/tag=${encodeTag(each.tag)}/dt=${dt}/hour=${hour}/${bare.number}-${hash}.parquet`,
    })),
  };
}

/**
 * All compactions of an hour, oldest first.
 *
 * @param known how many there are, where that was listed
 */
export async function readCompactions(
  store: ArchiveStore,
  prefix: string,
  hour: number,
  known?: number,
): Promise<Compaction[]> {
  const folder = compactionFolder(prefix, hour);
  const last = known ?? (await newestNumber(store, folder));
  const numbers = Array.from({ length: last }, (_, i) => i + 1);
  return Promise.all(
    numbers.map(async (number) => {
      const key = folder + countingDown(number);
      const bytes = await store.get(key);
      if (bytes === null) throw corrupt(key, 'is missing: the log has a gap');
      return parse(bytes, key, hour, number);
    }),
  );
}

async function newestNumber(store: ArchiveStore, folder: string): Promise<number> {
  const newest = await store.first(folder);
  if (newest === null) return 0;
  const last = parseCountingDown(newest.slice(folder.length));
  if (last === null) throw corrupt(newest, 'is not the name of a compaction: remove it');
  return last;
}

export function putCompaction(
  store: ArchiveStore,
  prefix: string,
  compaction: Compaction,
): Promise<'created' | 'exists'> {
  const key = compactionFolder(prefix, compaction.hour) + countingDown(compaction.number);
  return store.putIfAbsent(key, [Buffer.from(`${JSON.stringify(compaction)}\n`)], 'commit');
}

function parse(bytes: Buffer, key: string, hour: number, number: number): Compaction {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString());
  } catch (cause) {
    throw corrupt(key, 'is not JSON', cause);
  }
  const { version } = json as { version?: unknown };
  if (typeof version === 'number' && version > 1)
    throw corrupt(key, `is a compaction of version ${version}: upgrade tailrace`);
  const compaction = matchesHash(json) ? (json as Compaction) : checked(json, key);
  if (compaction.hour !== hour || compaction.number !== number)
    throw corrupt(key, 'is the compaction of another place in the logs');
  return compaction;
}

/** Whether it is, to the letter, what a writer of this version wrote: then its form needs no check, which costs more. */
function matchesHash(json: unknown): boolean {
  if (typeof json !== 'object' || json === null) return false;
  const { hash, tables, ...rest } = json as { hash?: unknown; tables?: ({ key?: unknown } | null)[] };
  // The keys are not hashed.
  if (!Array.isArray(tables) || tables.some((each) => typeof each?.key !== 'string')) return false;
  return contentHash({ ...rest, hash: '', tables: tables.map((each) => ({ ...each, key: '' })) }) === hash;
}

/** @throws TailraceError COMPACTION_CORRUPT, always: for its form, or else for its hash */
function checked(json: unknown, key: string): never {
  const parsed = compactionSchema.safeParse(json);
  const [issue] = parsed.success ? [] : parsed.error.issues;
  throw corrupt(key, issue ? `${issue.path.join('.')}: ${issue.message}` : 'does not match its hash');
}

function corrupt(key: string, fault: string, cause?: unknown): TailraceError {
  return new TailraceError('COMPACTION_CORRUPT', `${key}: ${fault}`, { cause });
}
