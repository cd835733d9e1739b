/**
 * `npm run readers`: installs readers at pinned versions, tries each on objects of this build, and writes what came out to
 * recorded.json and docs/archive-format.md. Ends with 1 when a gzip reader does not give every row of this build's objects.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Case, makeCases } from './cases.ts';
import { FORMAT_FILE, RECORD_FILE, type Recorded, withTables } from './document.ts';
import { installReaders, type Outcome, READERS, readFolder } from './readers.ts';

const CACHE = join(import.meta.dirname, '..', '..', '.cache', 'readers');
/** The case that every gzip reader must read without an option. */
const MUST = 'gzip';

const directory = mkdtempSync(join(tmpdir(), 'tailrace-readers-'));
try {
  const cases = await makeCases(directory);
  const outcomes = tryAll(cases);
  const recorded: Recorded = { date: new Date().toISOString().slice(0, 10), cases, outcomes };
  writeFileSync(RECORD_FILE, `${JSON.stringify(recorded, null, 2)}\n`);
  writeFileSync(FORMAT_FILE, withTables(readFileSync(FORMAT_FILE, 'utf8'), recorded));
  const { rows } = cases.find(({ name }) => name === MUST)!;
  const short = Object.entries(outcomes).filter(([, { [MUST]: found }]) => found && !isAll(found, rows));
  for (const [reader, { [MUST]: found }] of short) {
    process.stderr.write(`${reader} does not give every row of a gzip object: ${JSON.stringify(found)}\n`);
  }
  process.stdout.write(`${Object.keys(outcomes).length} readers, docs/archive-format.md is written\n`);
  process.exitCode = short.length > 0 ? 1 : 0;
} finally {
  rmSync(directory, { recursive: true });
}

function tryAll(cases: readonly Case[]): Recorded['outcomes'] {
  const installed = installReaders(CACHE);
  const outcomes: Record<string, Record<string, Outcome>> = {};
  for (const reader of READERS) {
    const folder = installed.get(reader.toolchain);
    if (folder === undefined) continue;
    const found: Record<string, Outcome> = {};
    for (const [i, { name, about, codec }] of cases.entries()) {
      if (!reader.codecs.includes(codec) || (about === 'line' && !reader.parses)) continue;
      found[name] = readFolder(reader, folder, join(directory, String(i)));
    }
    outcomes[reader.name] = found;
    process.stderr.write(`${reader.name}: ${Object.values(found).map(inShort).join(', ')}\n`);
  }
  return outcomes;
}

function isAll(outcome: Outcome, rows: number): boolean {
  return 'rows' in outcome && outcome.rows === rows;
}

function inShort(outcome: Outcome): string {
  return 'rows' in outcome ? String(outcome.rows) : 'error';
}
