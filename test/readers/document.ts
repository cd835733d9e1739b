/** The tables in docs/archive-format.md that say what readers made of an archive, from the recorded results. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from './cases.ts';
import type { Outcome } from './readers.ts';

export const FORMAT_FILE = join(import.meta.dirname, '../../docs/archive-format.md');
export const RECORD_FILE = join(import.meta.dirname, 'recorded.json');

/** What a run of all readers came to. */
export interface Recorded {
  /** Of the day on which it was run. */
  readonly date: string;
  readonly cases: readonly Case[];
  /** Outcomes by reader and case. */
  readonly outcomes: Readonly<Record<string, Readonly<Record<string, Outcome>>>>;
}

export function readRecorded(): Recorded {
  return JSON.parse(readFileSync(RECORD_FILE, 'utf8')) as Recorded;
}

/** The document with the tables of these results between their markers. */
export function withTables(document: string, recorded: Recorded): string {
  const gzip = matrix(recorded, (one) => one.about === 'object' && one.codec === 'gzip');
  const zstd = matrix(recorded, (one) => one.about === 'object' && one.codec === 'zstd');
  const tables: Readonly<Record<string, string>> = {
    'readers of gzip': gzip,
    'readers of zstd': zstd,
    'readers of empty objects': byReader(recorded, 'void', 'next to a sound object'),
    'readers of lines': byReader(recorded, 'line', 'a line with'),
  };
  return Object.entries(tables).reduce((text, [name, table]) => between(text, name, table), document);
}

function between(document: string, name: string, table: string): string {
  const [start, end] = [`<!-- ${name}: from \`npm run readers\` -->\n`, '<!-- end -->'];
  const from = document.indexOf(start);
  const to = document.indexOf(end, from);
  if (from === -1 || to === -1) throw new Error(`docs/archive-format.md has no place for ${name}`);
  return `${document.slice(0, from + start.length)}\n${table}\n${document.slice(to)}`;
}

function matrix({ cases, outcomes }: Recorded, isWanted: (one: Case) => boolean): string {
  const wanted = cases.filter(isWanted);
  const rows = Object.entries(outcomes)
    .filter(([, byCase]) => wanted.some(({ name }) => byCase[name]))
    .map(([reader, byCase]) => row([reader, ...wanted.map((one) => cell(byCase[one.name], one.rows))]));
  return table(['reader', ...wanted.map(({ name }) => name)], rows);
}

/** A row for each case, a column for each reader. */
function byReader({ cases, outcomes }: Recorded, kind: Case['about'], heading: string): string {
  const lines = cases.filter(({ about }) => about === kind);
  const readers = Object.keys(outcomes).filter((name) => outcomes[name]![lines[0]!.name]);
  const rows = lines.map((one) =>
    row([
      one.name.startsWith('\\') ? `\`${one.name}\`` : one.name,
      ...readers.map((reader) => cell(outcomes[reader]![one.name], one.rows)),
    ]),
  );
  return table([heading, ...readers], rows);
}

function cell(outcome: Outcome | undefined, rows: number): string {
  if (outcome === undefined) return '';
  if ('error' in outcome) return 'error';
  return outcome.rows === rows ? 'all' : `**${outcome.rows} of ${rows}**`;
}

function table(heading: readonly string[], rows: readonly string[]): string {
  return `${row(heading)}${row(heading.map(() => '---'))}${rows.join('')}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}
