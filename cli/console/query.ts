/** Answers the page's queries with the engine, the guards and the choice of objects of `tailrace query`. */
import { realpathSync } from 'node:fs';
import type { DuckDBValue } from '@duckdb/node-api';
import { TailraceError } from '../../base/errors.ts';
import type { OpenArchive } from '../archive-options.ts';
import { Engine } from '../query/engine.ts';
import { makeViews, understand } from '../query/question.ts';
import { isNumeric } from '../query/result.ts';
import { createRunFolder } from '../query/run-folder.ts';
import type { QueryLine } from './api.ts';
import type { Answerer } from './server.ts';

export interface QueryLimits {
  /** Bytes of memory for DuckDB. */
  readonly memory: number;
  /** Most bytes that are fetched from S3. */
  readonly cache: number;
}

/** A page shows no more; the command writes all of them. */
const MOST_ROWS = 1000;
const MOST_CELL_CHARS = 2000;
const PROGRESS_MS = 200;

export function queryAnswerer(archive: OpenArchive, { memory, cache }: QueryLimits): Answerer {
  return async (parameters, say, signal) => {
    const tell = (line: QueryLine): Promise<void> => say(line);
    const sql = parameters.get('sql')?.trim() ?? '';
    if (sql === '') throw new TailraceError('QUERY_INVALID', 'write a SELECT');
    const begun = performance.now();
    const runFolder = createRunFolder();
    const folder = runFolder.path;
    const readable = archive.folder ? [realpathSync(archive.folder)] : [];
    const engine = await Engine.open({ memory, folder, readable });
    const interrupt = (): void => engine.interrupt();
    signal.addEventListener('abort', interrupt);
    const line = teller(tell, signal);
    try {
      const question = await understand({
        ...{ engine, archive, sql, tag: undefined, range: null },
        ...{ withTables: true, show: line.show },
      });
      const { entries, tables } = question.chosen;
      const read =
        entries.reduce((sum, { object }) => sum + object.bytes, 0) +
        tables.reduce((sum, { bytes }) => sum + bytes, 0);
      await tell({ reading: { objects: entries.length + tables.length, bytes: read } });
      await makeViews({
        ...{ engine, archive, folder, ...question, cache, line },
        ...{ asked: new Map(), range: null, timeKey: undefined },
        note: (note) => void tell({ note }),
        fault: (key, fault) => void tell({ note: `${key}: ${fault}` }),
      });
      signal.throwIfAborted();
      await engine.guarded(async () => {
        const result = await engine.stream(sql);
        const types = result.columnTypes();
        const names = result.deduplicatedColumnNames();
        await tell({ columns: names.map((name, i) => ({ name, numeric: isNumeric(types[i]!) })) });
        let rows = 0;
        let more = false;
        for await (const chunk of result) {
          const left = MOST_ROWS - rows;
          const part = chunk.getRows().slice(0, left);
          rows += part.length;
          more = chunk.rowCount > left;
          if (part.length > 0) await tell({ rows: part.map((row) => row.map(cellText)) });
          if (more || signal.aborted) break;
        }
        await tell({ end: { rows, more, ms: Math.round(performance.now() - begun) } });
      });
    } catch (error) {
      // Nobody reads the answer any more.
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', interrupt);
      engine.close();
      runFolder.remove();
    }
  };
}

function cellText(value: DuckDBValue): string | null {
  if (value === null) return null;
  const text = String(value);
  return text.length > MOST_CELL_CHARS ? `${text.slice(0, MOST_CELL_CHARS)} …` : text;
}

/** Progress for the page; it ends what is under way when the page is gone. */
function teller(tell: (line: QueryLine) => Promise<void>, signal: AbortSignal) {
  let shownAt = 0;
  return {
    show(done: number, total: number, what: string): void {
      signal.throwIfAborted();
      if (Date.now() - shownAt < PROGRESS_MS) return;
      shownAt = Date.now();
      void tell({ progress: { done, total, what } });
    },
    clear(): void {},
  };
}
