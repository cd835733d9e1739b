/** DuckDB gives every row and value of the lines that the forward path, format json and the archiver make of hostile events. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadDuckDb } from '../../../../archive/duckdb.ts';
import { HOSTILE } from '../../../support/hostile-events.ts';
import { foreignLines, forwardLines, tailLines } from '../../../support/hostile-lines.ts';

/** What DuckDB (1.5 and 2.0) refuses by default; docs/archive-format.md has the options. */
const REFUSED = new Set(['keys inside that differ in case only', 'NUL in a name']);
/** Names that no two columns can have, and that it makes its own of. */
const RENAMED = new Set(['keys that differ in case only', 'an empty key']);
const SOUND = Array.from({ length: 99 }, (_, i) => `{"id":"s${i}"}`);

const duckdb = await loadDuckDb().catch((error: Error) => error);

test('read_json_auto gives the rows and values of all lines', {
  skip: duckdb instanceof Error && duckdb.message,
}, async () => {
  if (duckdb instanceof Error) return;
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-duckdb-reads-'));
  const instance = await duckdb.DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    for (const [kind, events] of Object.entries(HOSTILE)) {
      if (REFUSED.has(kind)) continue;
      const names = RENAMED.has(kind) ? valuesAlone : (row: object): object => row;
      for (const made of [forwardLines(events), tailLines(events), await foreignLines(events)]) {
        const file = join(directory, 'lines.ndjson');
        const lines = [...SOUND, ...made];
        writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
        const query = `SELECT to_json(whole_row)::VARCHAR FROM read_json_auto('${file}') whole_row`;
        const rows = (await connection.runAndReadAll(query))
          .getRows()
          .map(([row]) => valuesOf(row as string));
        assert.equal(rows.length, lines.length, kind);
        for (const [i, line] of lines.entries()) {
          if (i < SOUND.length) continue;
          // Where hardly two lines have a name in common, DuckDB makes one column, a map.
          const { json = rows[i] } = rows[i] as { json?: unknown };
          assert.deepEqual(
            names(json as object),
            names(valuesOf(line) as object),
            `${kind}: ${line.slice(0, 200)}`,
          );
        }
      }
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
    rmSync(directory, { recursive: true });
  }
});

function valuesAlone(row: object): object {
  return Object.values(row)
    .map((value) => JSON.stringify(value))
    .sort();
}

/** Digits that a double does not hold stay, times have one form, and a member without a value is as good as none. */
function valuesOf(text: string): unknown {
  const reviver = (_: string, value: unknown, { source }: { source?: string }): unknown => {
    // A column of integers has no -0.
    if (value === 0) return 0;
    if (typeof value === 'number' && /^-?\d{16,}$/.test(source!)) return BigInt(source!);
    if (typeof value === 'string') return value.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z$/, '$1 $2');
    return value;
  };
  const parsed = JSON.parse(text, reviver as (key: string, value: unknown) => unknown) as unknown;
  return withoutNothing(parsed);
}

function withoutNothing(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNothing);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, withoutNothing(member)] as const);
  const kept = members.filter(([, member]) => member !== null && !isEmptyObject(member));
  return Object.fromEntries(kept);
}

function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' && !Array.isArray(value) && value !== null && Object.keys(value).length === 0
  );
}
