/** The view `logs` of a query: the events of the objects that were chosen. */
import type { ColumnType } from '../../archive/field-types.ts';
import { logsSql } from '../../archive/logs-sql.ts';
import { objectFiles } from '../../archive/object-files.ts';
import type { EventRange } from '../../archive/reading.ts';
import { sampleFields, spread } from '../../archive/sample-fields.ts';
import { count } from '../../base/human.ts';
import type { OpenArchive } from '../archive-options.ts';
import type { Progress } from '../progress.ts';
import type { Engine } from './engine.ts';
import type { Chosen } from './selection.ts';
import type { Reads } from './statement.ts';
import { storedIn, tableFiles, tablesSql } from './tables.ts';

/** Of columns alone, so many objects say enough. */
const DESCRIBED_OBJECTS = 16;

export function unfinishedNote(objects: number): string {
  return `${count(objects)} objects are left out: their commit is not final yet, so they may still be voided`;
}

export interface LogsRequest {
  readonly engine: Engine;
  readonly archive: OpenArchive;
  readonly folder: string;
  readonly chosen: Chosen;
  readonly reads: Reads;
  readonly asked: ReadonlyMap<string, ColumnType>;
  readonly range: EventRange | null;
  /** Most bytes that are fetched. */
  readonly cache: number;
  readonly timeKey: string | undefined;
  readonly line: Progress | null;
  /** Called with what the answer lacks for a reason that is not a fault. */
  readonly note: (text: string) => void;
  /** An object that cannot be read, and why. */
  readonly fault: (key: string, fault: string) => void;
}

export async function createLogs(request: LogsRequest): Promise<void> {
  const { engine, chosen, reads, asked, range, cache, timeKey, line } = request;
  if (!reads.views.has('logs')) return;
  if (chosen.unfinished.length > 0) request.note(unfinishedNote(chosen.unfinished.length));
  const few = <T>(values: readonly T[]): readonly T[] =>
    reads.columnsOnly ? spread(values, DESCRIBED_OBJECTS) : values;
  const files = await objectFiles(few(chosen.entries), {
    store: request.archive.store,
    folder: request.folder,
    archiveFolder: request.archive.folder,
    limit: cache,
    show: line?.show,
  });
  line?.clear();
  for (const { key, fault } of files.faults) request.fault(key, fault);
  const fewTables = few(chosen.tables);
  const tables = await tableFiles(fewTables, {
    store: request.archive.store,
    folder: request.folder,
    archiveFolder: request.archive.folder,
    limit: cache - files.fetched,
    show: line?.show,
  });
  line?.clear();
  if (files.files.length + tables.length === 0) request.note('no archived object is of these tags and times');
  const seen = await sampleFields(files.files.map(({ path }) => path));
  for (const { table } of fewTables) seen.addColumns(table.columns);
  const columns = seen.columns(asked, reads.names);
  const withRest = reads.everything || reads.names.has('rest');
  const lines = logsSql({
    files: files.files,
    columns,
    withRest,
    strict: true,
    ...(timeKey === undefined ? {} : { timeFields: [timeKey] }),
  });
  const select =
    tables.length === 0
      ? lines
      : `${lines}\nUNION ALL\n${tablesSql(tables, columns, storedIn(fewTables), withRest)}`;
  await engine.run(`CREATE VIEW logs AS SELECT * FROM (${select})${withinSql(range)}`);
}

/** The rows of a range; as comparisons of the column, so that DuckDB passes over row groups. */
function withinSql(range: EventRange | null): string {
  if (range === null) return '';
  const after = `time >= make_timestamp(${range.from * 1000})`;
  // An end that no time reaches.
  const isOpen = range.to > 1e14;
  return ` WHERE ${after}${isOpen ? '' : ` AND time <= make_timestamp(${range.to * 1000 + 999})`}`;
}
