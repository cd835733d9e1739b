/** The peers' table as docs/performance.md has it, between two marks, and its plot. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TailraceError } from '../base/errors.ts';
import { type Figures, ratio, type Spread, type Table } from './peers-table.ts';
import { barPlot } from './svg-plots.ts';

const DOCS = join(import.meta.dirname, '..', 'docs');
const BEGIN = '<!-- peers -->\n';
const END = '<!-- end of peers -->\n';

/** How a table came about. */
export interface RunFacts {
  readonly rounds: number;
  readonly events: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** @throws TailraceError when there is no peer to compare with, or the document lacks its marks */
export function writeDocument(table: Table, run: RunFacts): void {
  if (table.programs.length < 2) {
    throw new TailraceError('CONFIG', '--docs needs a peer: name the program of Fluent Bit in FLUENT_BIT');
  }
  const file = join(DOCS, 'performance.md');
  const [head, rest] = readFileSync(file, 'utf8').split(BEGIN);
  const tail = rest?.split(END)[1];
  if (tail === undefined) throw new TailraceError('CONFIG', `${file} has no ${BEGIN.trim()}`);
  writeFileSync(file, `${head}${BEGIN}${peersDocument(table, run)}${END}${tail}`);
  writeFileSync(join(DOCS, 'peers.svg'), plot(table));
  process.stderr.write(`wrote docs/performance.md and docs/peers.svg\n`);
}

/** In Markdown. */
function peersDocument({ programs, rows, start }: Table, run: RunFacts): string {
  const [ours, peer] = [programs[0]!, programs.at(-1)!];
  const lines = rows.map(({ name, figures }) => {
    const [own, theirs] = [figures[ours]!, figures[peer]!];
    const times = (key: keyof Figures, more: boolean): string =>
      ratio(own[key]!, theirs[key]!, more).toFixed(2);
    const pair = (key: keyof Figures): string => `${median(own[key])}, ${median(theirs[key])}`;
    return `| ${[name, text(own.warm), text(theirs.warm), times('warm', true), times('whole', true), pair('putUnits'), pair('peakMiB'), pair('seconds')].join(' | ')} |`;
  });
  const acks = rows.flatMap(({ name, figures }) => {
    const [own, theirs] = [figures[ours]!, figures[peer]!];
    if (own.ackMs === null || theirs.ackMs === null) return [];
    return [
      `With eight messages unacknowledged (${name}) the last ack of ${number(run.events)} events came after
${text(own.seconds)} s, theirs after ${text(theirs.seconds)} s; half came within
${text(own.ackMs)} ms, theirs within ${text(theirs.ackMs)} ms.`,
    ];
  });
  const [a, b] = [start[ours], start[peer]];
  const starts =
    a && b
      ? [
          `A start takes ${text(a.cpuSeconds)} s of CPU and ${text(a.restMiB)} MiB at rest, theirs
${text(b.cpuSeconds)} s and ${text(b.restMiB)} MiB.`,
        ]
      : [];
  return `${number(run.rounds)} interleaved ${run.rounds === 1 ? 'run' : 'runs'} of ${number(run.events)} events each, Node ${run.versions[ours]},
${peer} ${run.versions[peer]}: medians, with the lowest and the highest in brackets. Thousand events per CPU second; a ratio above 1 is ours. The last three
columns are ours and theirs, medians.

| work | tailrace | ${peer} | ratio | with the start | PUT units a million | MiB at most | seconds by the clock |
|---|---|---|---|---|---|---|---|
${lines.join('\n')}

${[...acks, ...starts].join('\n\n')}

![Thousand events per CPU second](peers.svg)
`;
}

function plot({ programs, rows }: Table): string {
  const shown = [programs[0]!, programs.at(-1)!];
  return barPlot({
    title: 'Thousand events per CPU second',
    series: shown,
    rows: rows.map(({ name, figures }) => ({
      name,
      values: shown.map((program) => figures[program]!.warm!),
    })),
  });
}

function text({ median: middle, lowest, highest }: Spread): string {
  return lowest === highest
    ? `**${number(middle)}**`
    : `**${number(middle)}** (${number(lowest)} to ${number(highest)})`;
}

function median(spread: Spread | null): string {
  return spread === null ? '' : number(spread.median);
}

function number(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 });
}
