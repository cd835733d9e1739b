/** The query box: SQL over the archive, with the table that it answers. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { bytes, count } from '../../../base/human.ts';
import type { QueryLine } from '../api.ts';
import { paced, readAnswer } from './answer.ts';
import { Panel } from './parts.tsx';

/** What most ask first, for the tag with the most events. */
export function examplesOf(tag: string): readonly (readonly [string, string])[] {
  const name = `'${tag.replaceAll("'", "''")}'`;
  const recent = `tag = ${name} AND time >= now() - INTERVAL 1 HOUR`;
  return [
    ['fields', 'DESCRIBE logs'],
    ['newest events', `SELECT * FROM logs\nWHERE ${recent}\nORDER BY time DESC LIMIT 20`],
    [
      'events a minute',
      `SELECT date_trunc('minute', time) AS minute, count(*) AS events\nFROM logs\nWHERE ${recent}\nGROUP BY 1 ORDER BY 1 DESC`,
    ],
    [
      'by status code',
      `SELECT code, count(*) AS requests\nFROM logs\nWHERE ${recent}\nGROUP BY 1 ORDER BY 2 DESC`,
    ],
    [
      'commits by shard',
      'SELECT shard, count(*) AS commits, sum(events) AS events, max(written) AS newest\nFROM commits\nGROUP BY 1 ORDER BY 1',
    ],
    ['holes', 'FROM holes'],
  ];
}

interface Table {
  readonly columns: Extract<QueryLine, { columns: unknown }>['columns'];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly notes: readonly string[];
  readonly reading: { readonly objects: number; readonly bytes: number } | null;
  readonly progress: string | null;
  readonly end: Extract<QueryLine, { end: unknown }>['end'] | null;
  readonly error: string | null;
}

const NO_TABLE: Table = {
  ...{ columns: [], rows: [], notes: [], reading: null },
  ...{ progress: null, end: null, error: null },
};

interface QueryProps {
  readonly tag: string;
  readonly sql: string;
  readonly change: (sql: string) => void;
}

export function Query({ tag, sql, change }: QueryProps) {
  const [table, setTable] = useState<Table | null>(null);
  const [isBusy, setBusy] = useState(false);
  const under = useRef<AbortController | null>(null);
  useEffect(() => () => under.current?.abort(), []);
  const examples = examplesOf(tag);
  const run = async (): Promise<void> => {
    if (under.current !== null) return;
    const own = new AbortController();
    under.current = own;
    setBusy(true);
    let now = NO_TABLE;
    setTable(now);
    const screen = paced(setTable);
    try {
      const parameters = new URLSearchParams({ sql });
      await readAnswer<QueryLine>(`/api/query?${parameters}`, own.signal, (line) => {
        now = withLine(now, line);
        screen.next(now);
      });
    } catch (error) {
      screen.next({ ...now, error: (error as Error).message });
    }
    screen.end();
    under.current = null;
    setBusy(false);
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void run();
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    void run();
  };
  return (
    <Panel
      id="query"
      title="Query"
      aside="one SELECT in DuckDB's SQL over logs, commits and holes; it only reads"
    >
      <form class="query" onSubmit={submit}>
        <label>
          SQL
          <textarea
            id="sql"
            rows={Math.min(12, Math.max(4, sql.split('\n').length))}
            spellcheck={false}
            autocomplete="off"
            value={sql}
            onInput={({ currentTarget }) => change(currentTarget.value)}
            onKeyDown={onKey}
          />
        </label>
        <div class="buttons">
          <button type="submit" disabled={isBusy}>
            Run
          </button>
          {isBusy ? (
            <button type="button" class="plain" onClick={() => under.current?.abort()}>
              Stop
            </button>
          ) : (
            <span class="aside">Ctrl+Enter</span>
          )}
          <span class="examples">
            {examples.map(([name, text]) => (
              <button type="button" class="plain" key={name} onClick={() => change(text)}>
                {name}
              </button>
            ))}
          </span>
        </div>
      </form>
      {table === null ? null : <Answer table={table} isBusy={isBusy} />}
    </Panel>
  );
}

function withLine(table: Table, line: QueryLine): Table {
  if ('rows' in line) return { ...table, rows: [...table.rows, ...line.rows] };
  if ('columns' in line) return { ...table, columns: line.columns, progress: null };
  if ('reading' in line) return { ...table, reading: line.reading };
  if ('note' in line) return { ...table, notes: [...table.notes, line.note] };
  if ('end' in line) return { ...table, end: line.end };
  if ('error' in line) return { ...table, error: line.error };
  const { done, total, what } = line.progress;
  return { ...table, progress: `${count(done)} of ${count(total)} ${what}` };
}

function Answer({ table, isBusy }: { table: Table; isBusy: boolean }) {
  const { columns, rows, notes, error } = table;
  return (
    <div class="results">
      <p role="status" class="aside">
        {statusOf(table, isBusy)}
      </p>
      {error === null ? null : (
        <pre class="error" role="alert">
          {error}
        </pre>
      )}
      {notes.map((note) => (
        <p key={note} class="aside">
          {note}
        </p>
      ))}
      {columns.length === 0 ? null : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what can be scrolled can be scrolled by keys
        <section class="scroll tall" aria-label="Table of the answer" tabIndex={0}>
          <table class="lines">
            <thead>
              <tr>
                {columns.map(({ name, numeric }) => (
                  <th key={name} scope="col" class={numeric ? 'numeric' : ''}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, i) => (
                <tr key={i}>
                  {row.map((cell, column) => (
                    <td key={columns[column]!.name} class={columns[column]!.numeric ? 'numeric' : ''}>
                      {cell ?? <span class="aside">null</span>}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </div>
  );
}

function statusOf({ rows, reading, progress, end, error }: Table, isBusy: boolean): string {
  if (error !== null) return '';
  const read = reading === null ? '' : ` from ${count(reading.objects)} objects, ${bytes(reading.bytes)}`;
  if (end === null) return isBusy ? (progress ?? `running${read} …`) : 'stopped';
  const all = end.more
    ? `the first ${count(end.rows)} rows; tailrace query has all`
    : `${count(rows.length)} ${rows.length === 1 ? 'row' : 'rows'}`;
  return `${all}${read}, ${(end.ms / 1000).toFixed(2)} s`;
}
