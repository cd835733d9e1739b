/** Compacts the hours of an archive that are closed, in order. */
import { type ArchivePlace, finalObjects, findObjects, type ShowProgress } from '../find.ts';
import { type HourReport, type HoursPolicy, judgeHours } from '../hours/judge.ts';
import { readFacts } from '../hours/read.ts';
import type { ObjectBytes } from '../reading.ts';
import { compactHour } from './compact-hour.ts';
import {
  type Compaction,
  compactedHours,
  readCompactions,
  type Source,
  type Table,
  type TableColumn,
} from './compaction.ts';
import { ParquetMaker, type ParquetOptions } from './parquet.ts';

const HOUR_MS = 3_600_000;
/** Newest compacted hours whose columns are those of their tags. */
const HOURS_OF_COLUMNS = 48;

export interface CompactRequest {
  readonly archive: ArchivePlace & { readonly store: ObjectBytes };
  /** Since 1970, first and last. */
  readonly hours: readonly [number, number];
  readonly policy: HoursPolicy;
  /** Hours that ended longer ago than this are compacted though something keeps them open, ms. */
  readonly openAfter: number;
  readonly tag?: ((tag: string) => boolean) | undefined;
  readonly parquet: Omit<ParquetOptions, 'store'>;
  readonly show?: ShowProgress | undefined;
  /** Whether to go on with a further hour. */
  readonly goesOn?: () => boolean;
  readonly onHour: (hour: HourResult) => void;
}

export interface HourResult {
  readonly report: HourReport;
  /** Tables that were made now. */
  readonly made: readonly Table[];
  readonly newColumns: ReadonlyMap<string, readonly TableColumn[]>;
  readonly compactions: readonly Compaction[];
  /** Why tags of it could not be compacted. */
  readonly faults: readonly Error[];
}

/** @returns hours that are left open */
export async function compactArchive(request: CompactRequest): Promise<readonly HourReport[]> {
  const { archive, hours, policy, openAfter, tag, show, onHour, goesOn = () => true } = request;
  const { store, prefix } = archive;
  const facts = await readFacts(store, prefix, hours, show);
  const reports = judgeHours(facts, policy, hours);
  const isDue = ({ hour, state }: HourReport): boolean =>
    state === 'closed' || policy.now - (hour + 1) * HOUR_MS > openAfter;
  const found = await findObjects(archive, { hours, tag }, null, show);
  const { entries } = await finalObjects(archive, found);
  const byHour = Map.groupBy(entries, ({ object }) => object.hour);
  const known = await knownColumns(archive);
  const maker = await ParquetMaker.open({ ...request.parquet, store }, known);
  try {
    for (const report of reports.filter(isDue)) {
      const objects = (byHour.get(report.hour) ?? [])
        .map(({ object }) => object)
        .filter(({ events }) => events > 0);
      if (objects.length === 0) continue;
      if (!goesOn()) break;
      const newColumns = new Map<string, readonly TableColumn[]>();
      const compactor = {
        store,
        prefix,
        now: () => Date.now(),
        make: (table: Table) => maker.make(table),
        columns: async (name: string, sources: readonly Source[]) => {
          const before = maker.known(name);
          const columns = await maker.columns(name, sources);
          if (before !== null) newColumns.set(name, columns.slice(before.length));
          return columns;
        },
      };
      onHour({ report, newColumns, ...(await compactHour(compactor, report.hour, objects)) });
    }
  } finally {
    maker.close();
  }
  return reports.filter((report) => !isDue(report));
}

/** The columns that tags had of late. */
async function knownColumns({ store, prefix }: ArchivePlace): Promise<Map<string, readonly TableColumn[]>> {
  const known = new Map<string, TableColumn[]>();
  for (const hour of (await compactedHours(store, prefix)).slice(-HOURS_OF_COLUMNS)) {
    for (const { tables } of await readCompactions(store, prefix, hour)) {
      for (const { tag, columns } of tables) {
        const own = known.get(tag) ?? [];
        known.set(tag, own);
        for (const column of columns)
          if (!own.some(({ name }) => isSame(name, column.name))) own.push(column);
      }
    }
  }
  return known;
}

/** Names of columns do not differ by case. */
function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
