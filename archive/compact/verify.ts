/** Proves that the rows of Parquet objects are the events of the hours that are compacted, each once. */
import type { CatalogEntry } from '../catalog.ts';
import { dateAndHour } from '../commit-keys.ts';
import { type ArchivePlace, finalObjects, findObjects, type ShowProgress } from '../find.ts';
import { compactedHours, readCompactions, type Source, type Table } from './compaction.ts';

export interface CompactionsReport {
  readonly ok: boolean;
  readonly hours: number;
  readonly objects: number;
  readonly rows: number;
  /** Of the data objects that are compacted. */
  readonly events: number;
  /** Events of these hours that came since and are not compacted yet. */
  readonly late: number;
  /** Data objects that are compacted and no longer there. */
  readonly expired: number;
  readonly problems: readonly string[];
}

export interface CompactionsRequest {
  readonly archive: ArchivePlace;
  /** Since 1970, first and last. */
  readonly hours: readonly [number, number];
  /** Rows of a Parquet object; null when there is none of that name. */
  readonly rowsOf: (key: string) => Promise<number | null>;
  /** Events of a table's data objects that its Parquet object does not have as they are; when they are to be compared. */
  readonly differing?: ((table: Table) => Promise<number>) | undefined;
  readonly show?: ShowProgress | undefined;
}

class Tally {
  readonly problems: string[] = [];
  readonly covered = new Set<string>();
  readonly parquet = new Set<string>();
  objects = 0;
  rows = 0;
  events = 0;
  late = 0;
  expired = 0;
}

export async function verifyCompactions(request: CompactionsRequest): Promise<CompactionsReport> {
  const { archive, hours, show } = request;
  const tally = new Tally();
  const all = await compactedHours(archive.store, archive.prefix);
  const chosen = all.filter((hour) => hour >= hours[0] && hour <= hours[1]);
  for (const [i, hour] of chosen.entries()) {
    await checkHour(request, hour, tally);
    show?.(i + 1, chosen.length, 'compacted hours');
  }
  await checkNames(request, tally);
  const { objects, rows, events, late, expired, problems } = tally;
  return { ok: problems.length === 0, hours: chosen.length, objects, rows, events, late, expired, problems };
}

async function checkHour(
  { archive, rowsOf, differing }: CompactionsRequest,
  hour: number,
  tally: Tally,
): Promise<void> {
  // Read before the data objects: all that a compaction names is there by then.
  const compactions = await readCompactions(archive.store, archive.prefix, hour);
  const found = await findObjects(archive, { hours: [hour, hour] }, null, undefined);
  const { entries } = await finalObjects(archive, found);
  const live = new Map(entries.map((entry) => [entry.object.key, entry]));
  for (const table of compactions.flatMap(({ tables }) => tables)) {
    tally.parquet.add(table.key);
    await checkRows(table, rowsOf, tally);
    for (const source of table.sources) await checkSource(archive, source, live.get(source.key), tally);
    // What is expired cannot be compared.
    if (differing === undefined || table.sources.some(({ key }) => !live.has(key))) continue;
    const events = await differing(table);
    if (events > 0)
      tally.problems.push(`${table.key} has other rows than its data objects: ${events} events differ`);
  }
  for (const [key, { object }] of live) if (!tally.covered.has(key)) tally.late += object.events;
}

async function checkRows(table: Table, rowsOf: CompactionsRequest['rowsOf'], tally: Tally): Promise<void> {
  const rows = await rowsOf(table.key);
  tally.objects += 1;
  tally.rows += rows ?? 0;
  tally.events += table.rows;
  const events = table.sources.reduce((sum, source) => sum + source.events, 0);
  if (rows === null)
    tally.problems.push(`${table.key} is missing: run tailrace compact for the hour, or it was deleted`);
  else if (rows !== events) tally.problems.push(`${table.key} has ${rows} rows of ${events} events`);
}

async function checkSource(
  { store }: ArchivePlace,
  { key, events }: Source,
  entry: CatalogEntry | undefined,
  tally: Tally,
): Promise<void> {
  if (tally.covered.has(key)) tally.problems.push(`${key} is compacted twice`);
  tally.covered.add(key);
  if (entry !== undefined) {
    if (entry.object.events !== events)
      tally.problems.push(`${key} has ${entry.object.events} events, its compaction says ${events}`);
  } else if ((await store.head(key)) === null) tally.expired += 1;
  else tally.problems.push(`${key} is compacted, but is not named by a final commit`);
}

/** Readers that only list take every object: none may be there that is not in a log. */
async function checkNames({ archive, hours }: CompactionsRequest, tally: Tally): Promise<void> {
  for await (const { key } of archive.store.list(`${archive.prefix}parquet/`)) {
    const [, date, hour] = /\/dt=([\d-]+)\/hour=(\d\d)\//.exec(key) ?? [];
    const since = Date.parse(`${date}T${hour}:00Z`) / 3_600_000;
    if (since < hours[0] || since > hours[1] || tally.parquet.has(key)) continue;
    if (!Number.isNaN(since) && (await isNamed(archive, since, key))) continue;
    const name = Number.isNaN(since) ? 'an hour' : dateAndHour(since).join('T');
    tally.problems.push(
      `${key} is not named by the compactions of ${name}: something else writes to this archive`,
    );
  }
}

/** Whether the hour's log names a Parquet object now: it may have come since the hour was checked. */
async function isNamed({ store, prefix }: ArchivePlace, hour: number, key: string): Promise<boolean> {
  const compactions = await readCompactions(store, prefix, hour);
  return compactions.some(({ tables }) => tables.some((table) => table.key === key));
}
