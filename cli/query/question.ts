/** From a statement to the views that it reads: what it needs is chosen, then made. */
import type { ShowProgress } from '../../archive/find.ts';
import type { EventRange } from '../../archive/reading.ts';
import type { OpenArchive } from '../archive-options.ts';
import type { Engine } from './engine.ts';
import { createLogs, type LogsRequest } from './logs-view.ts';
import { boxesOf } from './predicate.ts';
import { type Chosen, chooseObjects, narrowed } from './selection.ts';
import { type Reads, readsOf } from './statement.ts';
import { createCommits, createHoles } from './views.ts';

export interface Asked {
  readonly engine: Engine;
  readonly archive: OpenArchive;
  readonly sql: string;
  readonly tag: ((tag: string) => boolean) | undefined;
  readonly range: EventRange | null;
  /** Whether Parquet objects are taken where there are any. */
  readonly withTables: boolean;
  readonly show: ShowProgress | undefined;
}

export interface Question {
  readonly reads: Reads;
  readonly chosen: Chosen;
}

/** @throws TailraceError QUERY_INVALID when the SQL is not one SELECT */
export async function understand(asked: Asked): Promise<Question> {
  const { engine, archive, sql, tag, range, withTables, show } = asked;
  const tree = await engine.parse(sql);
  const reads = readsOf(tree);
  const boxes = reads.views.has('logs') ? await boxesOf(tree, (part) => engine.evaluate(part)) : [];
  const chosen = await chooseObjects(archive, narrowed(boxes, tag, range), withTables, show);
  return { reads, chosen };
}

/** Makes the views that the statement reads, and no others. */
export async function makeViews(request: LogsRequest): Promise<void> {
  const { engine, archive, folder, reads, line } = request;
  await createLogs(request);
  const { store, prefix, horizon } = archive;
  const source = { store, prefix, folder, horizon, show: line?.show };
  if (reads.views.has('commits')) await createCommits(engine, source);
  if (reads.views.has('holes')) await createHoles(engine, source);
}
