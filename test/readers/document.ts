/** The tables in docs/archive-format.md that say what readers made of an archive, from the recorded results. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from './cases.ts';
import { type Outcome, READERS, type Reader } from './readers.ts';

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
    'readers of made lines': ofMadeLines(recorded, 'by default'),
    'readers of made lines, with options': ofMadeLines(recorded, 'with options'),
    'readers of late names': byReader(recorded, 'late', 'a folder with', 'by default'),
    'readers of late names, with options': byReader(recorded, 'late', 'a folder with', 'with options'),
    'declared readers of empty objects': byReader(recorded, 'void', 'next to a sound object', 'declared'),
    'declared readers of lines': byReader(recorded, 'line', 'a line with', 'declared'),
    'declared readers of made lines': ofMadeLines(recorded, 'declared'),
    'declared readers of late names': byReader(recorded, 'late', 'a folder with', 'declared'),
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
function byReader(
  { cases, outcomes }: Recorded,
  about: Case['about'],
  heading: string,
  parses: Reader['parses'] = 'by default',
): string {
  const readers = parsing(outcomes, parses);
  const rows = cases
    .filter((one) => one.about === about)
    .map((one) =>
      row([code(one.name), ...readers.map((reader) => cell(outcomes[reader]![one.name], one.rows))]),
    );
  return table([heading, ...readers], rows);
}

/** A row for each kind of events; where a reader differs by the path that made the lines, its cell has all that are not "all". */
function ofMadeLines({ cases, outcomes }: Recorded, parses: Reader['parses']): string {
  const readers = parsing(outcomes, parses);
  const kinds = Map.groupBy(
    cases.filter(({ about }) => about === 'made'),
    ({ name }) => name.slice(0, name.lastIndexOf(': ')),
  );
  const rows = [...kinds].map(([kind, made]) => {
    const cells = readers.map((reader) => {
      const found = made.map((one) => [
        one.name.slice(kind.length + 2),
        cell(outcomes[reader]![one.name], one.rows),
      ]);
      const different = new Set(found.map(([, text]) => text));
      if (different.size === 1) return found[0]![1]!;
      return found
        .filter(([, text]) => text !== 'all')
        .map(([path, text]) => `${path}: ${text}`)
        .join(', ');
    });
    return row([code(kind), ...cells]);
  });
  return table(['events with', ...readers], rows);
}

function parsing(outcomes: Recorded['outcomes'], parses: Reader['parses']): string[] {
  return READERS.filter((one) => one.parses === parses && outcomes[one.name]).map(({ name }) => name);
}

function code(name: string): string {
  return name.startsWith('\\') ? `\`${name}\`` : name;
}

function cell(outcome: Outcome | undefined, rows: number): string {
  if (outcome === undefined) return '';
  if ('error' in outcome) return 'error';
  if (outcome.rows !== rows) return `**${outcome.rows} of ${rows}**`;
  return outcome.misread ? `**${outcome.misread} misread**` : 'all';
}

function table(heading: readonly string[], rows: readonly string[]): string {
  return `${row(heading)}${row(heading.map(() => '---'))}${rows.join('')}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`;
}
