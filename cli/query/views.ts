/** The views of a query other than the events: `commits`, and the `holes` that verify finds. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Catalog } from '../../archive/catalog.ts';
import type { Commit } from '../../archive/commit.ts';
import type { ShowProgress } from '../../archive/find.ts';
import type { VerifyReport } from '../../archive/verify/report.ts';
import { type ArchiveReader, verifyArchive } from '../../archive/verify/verify.ts';
import { type Engine, text } from './engine.ts';

/** A gap younger than this may still be filled: as verify has it by default. */
const PENDING_MS = 600_000;

const COMMIT_COLUMNS = {
  incarnation: 'VARCHAR',
  shard: 'VARCHAR',
  number: 'BIGINT',
  written: 'TIMESTAMP',
  first_arrival: 'TIMESTAMP',
  last_arrival: 'TIMESTAMP',
  records: 'BIGINT',
  objects: 'BIGINT',
  events: 'BIGINT',
  bytes: 'BIGINT',
  raw_bytes: 'BIGINT',
  duplicates: 'BIGINT',
  unproven: 'BIGINT',
  damaged: 'BIGINT',
  voided: 'BIGINT',
  closes: 'BOOLEAN',
} as const;

const HOLE_COLUMNS = {
  producer: 'VARCHAR',
  epoch: 'VARCHAR',
  lane: 'VARCHAR',
  missing: 'VARCHAR',
  chunks: 'BIGINT',
  pending: 'BOOLEAN',
  voided: 'VARCHAR',
} as const;

type RowOf<C> = Readonly<Record<keyof C, unknown>>;

export async function createCommits(
  engine: Engine,
  { store, prefix, folder, show }: ViewSource,
): Promise<void> {
  const path = join(folder, 'commits.ndjson');
  writeFileSync(path, '');
  await new Catalog(store, prefix, show).each((commits) => {
    appendFileSync(path, commits.map((commit) => `${JSON.stringify(commitRow(commit))}\n`).join(''));
  });
  await createTable(engine, 'commits', path, COMMIT_COLUMNS);
}

export interface ViewSource {
  readonly store: ArchiveReader;
  readonly prefix: string;
  readonly folder: string;
  readonly horizon: number | undefined;
  readonly show: ShowProgress | undefined;
}

export async function createHoles(
  engine: Engine,
  { store, prefix, folder, horizon, show }: ViewSource,
): Promise<void> {
  const report = await verifyArchive(store, prefix, {
    now: Date.now(),
    pendingFor: PENDING_MS,
    deep: false,
    commitsOnly: true,
    ...(horizon === undefined ? {} : { horizon }),
    ...(show ? { onProgress: show } : {}),
  });
  const path = join(folder, 'holes.ndjson');
  writeFileSync(
    path,
    holeRows(report)
      .map((row) => `${JSON.stringify(row)}\n`)
      .join(''),
  );
  await createTable(engine, 'holes', path, HOLE_COLUMNS);
}

function createTable(
  engine: Engine,
  name: string,
  path: string,
  columns: Readonly<Record<string, string>>,
): Promise<void> {
  const types = Object.entries(columns).map(([column, type]) => `${column}: '${type}'`);
  return engine.run(
    `CREATE TABLE ${name} AS FROM read_ndjson(${text(path)}, columns = {${types.join(', ')}})`,
  );
}

function commitRow(commit: Commit): RowOf<typeof COMMIT_COLUMNS> {
  const sum = (value: (object: Commit['objects'][number]) => number): number =>
    commit.objects.reduce((total, object) => total + value(object), 0);
  return {
    incarnation: commit.incarnation,
    shard: commit.shard,
    number: commit.number,
    written: iso(commit.written),
    first_arrival: iso(commit.arrival?.[0]),
    last_arrival: iso(commit.arrival?.[1]),
    records: commit.records,
    objects: commit.objects.length,
    events: sum(({ events }) => events),
    bytes: sum(({ bytes }) => bytes),
    raw_bytes: sum(({ raw_bytes: raw }) => raw),
    duplicates: commit.skipped.duplicates,
    unproven: commit.unproven,
    damaged: commit.damaged,
    voided: commit.voided.length,
    closes: commit.close,
  };
}

function iso(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString().replace('Z', '');
}

/** Lanes' gaps, and what is missing at the end of lanes, of which only the number is known. */
function holeRows({ producers }: Pick<VerifyReport, 'producers'>): RowOf<typeof HOLE_COLUMNS>[] {
  return producers.flatMap(({ producer, epochs }) =>
    epochs.flatMap(({ epoch, holes, unlocated, unlocatedPending: pending }) => [
      ...holes.map(({ lane, missing, count, pending: young, voided }) => ({
        ...{ producer, epoch, lane, missing, chunks: count, pending: young },
        voided: voided === '' ? null : voided,
      })),
      ...(unlocated === 0
        ? []
        : [{ producer, epoch, lane: null, missing: null, chunks: unlocated, pending, voided: null }]),
    ]),
  );
}
