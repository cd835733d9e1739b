/**
 * Compacts an hour: each data object of it becomes rows of one Parquet object, once, whatever dies at whatever step.
 *
 * The protocol is that of the commit log. The entry comes first, with `If-None-Match: *`: the first writer decides which
 * data objects become which Parquet objects, under names that only this entry has. Then the Parquet objects are put, each with
 * `If-None-Match: *`: two writers make the same rows, and one of them gets its bytes in. An entry that lacks an object
 * is completed by whoever comes next, before the next entry is written. What came late makes a further entry. What cannot
 * be made Parquet of gets into no entry: it is made first, and put behind the entry.
 */
import type { CommitObject } from '../commit.ts';
import type { ArchiveStore } from '../store.ts';
import {
  type Compaction,
  named,
  putCompaction,
  readCompactions,
  type Source,
  type Table,
  type TableColumn,
} from './compaction.ts';

/** A Parquet object that is not in the archive yet. */
export interface MadeParquet {
  body(): readonly Uint8Array[];
  /** Called once, when it is not needed any more. */
  drop(): void;
}

export interface Compactor {
  readonly store: ArchiveStore;
  readonly prefix: string;
  /** The columns of a tag's objects; those that the tag had in earlier hours stay as they are. */
  readonly columns: (tag: string, sources: readonly Source[]) => Promise<readonly TableColumn[]>;
  /**
   * The Parquet object of a table.
   *
   * @throws TailraceError COMPACTION_ROWS when it cannot be made of these sources
   */
  readonly make: (table: Table) => Promise<MadeParquet>;
  /** The writer's clock, ms. */
  readonly now: () => number;
}

export interface CompactedHour {
  /** Tables that this call has put, or has found lacking and put. */
  readonly made: readonly Table[];
  /** All compactions of the hour after this call. */
  readonly compactions: readonly Compaction[];
  /** Why tags are left out. */
  readonly faults: readonly Error[];
}

/** @param objects the hour's data objects, of commits that are final */
export async function compactHour(
  compactor: Compactor,
  hour: number,
  objects: readonly CommitObject[],
): Promise<CompactedHour> {
  const { store, prefix, now } = compactor;
  const made: Table[] = [];
  for (;;) {
    const compactions = await readCompactions(store, prefix, hour);
    const faults: Error[] = [];
    // rule: an entry that lacks objects is completed before the next one
    const lacking = await lackingOf(store, compactions.at(-1));
    for (const [table, parquet] of await prepare(compactor, lacking, faults)) {
      await put(store, table, parquet);
      made.push(table);
    }
    if (faults.length > 0) return { made, compactions, faults };
    // rule: an object that is in an entry is not compacted twice
    const covered = new Set(compactions.flatMap(({ tables }) => tables.flatMap(keysOf)));
    const fresh = objects.filter(({ key }) => !covered.has(key)).map(sourceOf);
    const prepared = await prepare(compactor, await tablesOf(compactor, fresh, faults), faults);
    if (prepared.size === 0) return { made, compactions, faults };
    const bare = { hour, number: compactions.length + 1, written: now(), tables: [...prepared.keys()] };
    const compaction = named(prefix, bare);
    // rule: the first writer decides what is compacted
    if ((await putCompaction(store, prefix, compaction)) === 'exists') {
      for (const parquet of prepared.values()) parquet.drop();
      continue;
    }
    const bodies = [...prepared.values()];
    for (const [i, table] of compaction.tables.entries()) await put(store, table, bodies[i]!);
    return { made: [...made, ...compaction.tables], compactions: [...compactions, compaction], faults };
  }
}

async function lackingOf(store: ArchiveStore, newest: Compaction | undefined): Promise<Table[]> {
  const lacking: Table[] = [];
  for (const table of newest?.tables ?? []) if ((await store.head(table.key)) === null) lacking.push(table);
  return lacking;
}

/** Makes Parquet of tables; those of which none can be made are left out. */
async function prepare(
  { make }: Compactor,
  tables: readonly Table[],
  faults: Error[],
): Promise<Map<Table, MadeParquet>> {
  const prepared = new Map<Table, MadeParquet>();
  for (const table of tables) {
    const parquet = await noting(faults, () => make(table));
    if (parquet !== null) prepared.set(table, parquet);
  }
  return prepared;
}

async function put(store: ArchiveStore, table: Table, parquet: MadeParquet): Promise<void> {
  try {
    await store.putIfAbsent(table.key, parquet.body(), 'parquet');
  } finally {
    parquet.drop();
  }
}

async function tablesOf(
  { columns }: Compactor,
  sources: readonly Source[],
  faults: Error[],
): Promise<Table[]> {
  const tables: Table[] = [];
  for (const [tag, own] of Map.groupBy(sources, (source) => source.tag)) {
    const rows = own.reduce((sum, { events }) => sum + events, 0);
    const found = await noting(faults, () => columns(tag, own));
    if (found !== null) tables.push({ key: '', tag, rows, columns: found, sources: own });
  }
  return tables;
}

/** What is wrong with objects is noted, and not the end of the hour. */
async function noting<T>(faults: Error[], work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'COMPACTION_ROWS') throw error;
    faults.push(error as Error);
    return null;
  }
}

function keysOf({ sources }: Table): string[] {
  return sources.map(({ key }) => key);
}

function sourceOf(object: CommitObject): Source {
  const { key, tag, hour, codec, bytes, sha256, events, foreign, first_time, last_time } = object;
  return {
    key,
    tag,
    hour,
    codec,
    bytes,
    sha256,
    events,
    foreign,
    ...(first_time === undefined ? {} : { first_time }),
    ...(last_time === undefined ? {} : { last_time }),
  };
}
