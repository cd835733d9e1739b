/**
 * `npm run readers`: installs readers at pinned versions, tries each on objects of this build, and writes what came out to
 * recorded.json and docs/archive-format.md. Ends with 1 when a gzip reader does not give every row of this build's objects.
 * `npm run readers -- line void made late` tries cases about these alone, `npm run readers -- athena spark` readers of these
 * toolchains alone, `npm run readers -- "NUL in a name"` cases of such a name, and keeps what is recorded of the others.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Case, makeCases } from './cases.ts';
import { FORMAT_FILE, RECORD_FILE, type Recorded, readRecorded, withTables } from './document.ts';
import { installReaders, type Outcome, READERS, type Reader, readFolders } from './readers.ts';

const CACHE = join(import.meta.dirname, '..', '..', '.cache', 'readers');
/** The case that every gzip reader must read without an option. */
const MUST = 'gzip';
/** Whoever decompresses reads objects; the values of lines concern those that parse. */
const READERS_OF: Readonly<Record<Case['about'], readonly string[]>> = {
  object: ['no lines', 'by default', 'declared'],
  line: ['by default', 'declared'],
  void: ['by default', 'declared'],
  made: ['by default', 'with options', 'declared'],
  late: ['by default', 'with options', 'declared'],
};

const directory = mkdtempSync(join(tmpdir(), 'tailrace-readers-'));
try {
  const cases = await makeCases(directory);
  const words = process.argv.slice(2);
  const kinds = words.filter((word) => word in READERS_OF);
  const toolchains = words.filter((word) => READERS.some(({ toolchain }) => toolchain === word));
  const names = words.filter((word) => !kinds.includes(word) && !toolchains.includes(word));
  const found = tryAll(
    cases,
    ({ about, name }) =>
      (kinds.length === 0 || kinds.includes(about)) &&
      (names.length === 0 || names.some((part) => name.includes(part))),
    ({ toolchain }) => toolchains.length === 0 || toolchains.includes(toolchain),
  );
  const outcomes = words.length === 0 ? found : together(readRecorded().outcomes, found);
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

/** What is recorded, and over it what was found now; readers in their order. */
function together(recorded: Recorded['outcomes'], found: Recorded['outcomes']): Recorded['outcomes'] {
  const known = READERS.filter(({ name }) => name in recorded || name in found);
  return Object.fromEntries(known.map(({ name }) => [name, { ...recorded[name], ...found[name] }]));
}

function tryAll(
  cases: readonly Case[],
  isWanted: (one: Case) => boolean,
  isTried: (reader: Reader) => boolean,
): Record<string, Record<string, Outcome>> {
  const isFor = ({ codecs, parses }: Reader, { about, codec }: Case): boolean =>
    codecs.includes(codec) && READERS_OF[about].includes(parses ?? 'no lines');
  const places = cases.flatMap((one, i) =>
    isWanted(one) ? [{ one, folder: join(directory, String(i)) }] : [],
  );
  const readers = READERS.filter((reader) => isTried(reader) && places.some(({ one }) => isFor(reader, one)));
  const installed = installReaders(CACHE, new Set(readers.map(({ toolchain }) => toolchain)));
  const outcomes: Record<string, Record<string, Outcome>> = {};
  for (const reader of readers) {
    const toolchain = installed.get(reader.toolchain);
    if (toolchain === undefined) continue;
    const its = places.filter(({ one }) => isFor(reader, one));
    const found = readFolders(
      reader,
      toolchain,
      its.map(({ folder }) => folder),
    );
    outcomes[reader.name] = Object.fromEntries(its.map(({ one }, i) => [one.name, ofCase(one, found[i]!)]));
    process.stderr.write(`${reader.name}: ${found.map(inShort).join(', ')}\n`);
  }
  return outcomes;
}

/** What is tried of objects is their form: which rows a reader gives. */
function ofCase({ about }: Case, outcome: Outcome): Outcome {
  return about === 'object' && 'rows' in outcome ? { rows: outcome.rows } : outcome;
}

function isAll(outcome: Outcome, rows: number): boolean {
  return 'rows' in outcome && outcome.rows === rows && !outcome.misread;
}

function inShort(outcome: Outcome): string {
  if ('error' in outcome) return 'error';
  return outcome.misread ? `${outcome.rows} (${outcome.misread} misread)` : String(outcome.rows);
}
