/** The report of a run, for people: a page and a plot of the times that recoveries took. */
import { writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { End } from './end.ts';
import { median } from './memory.ts';
import { type Archiver, OLD_AGENT } from './schedule.ts';
import { type Happened, RECOVERIES, type Recovery } from './timeline.ts';

export interface RunReport extends End {
  readonly minutes: number;
  readonly seed: number;
  readonly rate: number;
  readonly archiver: Archiver;
  /** How long faults happened, ms. */
  readonly faultMs: number;
  readonly happened: readonly Happened[];
  readonly violations: readonly string[];
}

/** Writes the page to `file` and the plot next to it, as SVG of the same name. */
export function writeReport(file: string, report: RunReport): void {
  const plot = join(dirname(file), `${basename(file, '.md')}.svg`);
  writeFileSync(plot, recoveryPlot(recoveryTimes(report.happened)));
  writeFileSync(file, page(report, basename(plot)));
}

/** What strangers put on the stream, and a launcher that ended by itself, does not count as a fault. */
export function faultsOf({ happened }: Pick<RunReport, 'happened'>): readonly Happened[] {
  return happened.filter(({ target, kind }) => target !== 'strangers' && kind !== 'gave up');
}

function recoveryTimes(happened: readonly Happened[]): Map<Recovery, number[]> {
  const times = new Map<Recovery, number[]>();
  for (const of of RECOVERIES) {
    const found = happened.flatMap(({ recovery }) => (recovery?.of === of ? [recovery.ms] : []));
    if (found.length > 0) times.set(of, found);
  }
  return times;
}

function page(report: RunReport, plot: string): string {
  const { verdict, verify, happened, memory, violations, parquet } = report;
  const seconds = (ms: number): string => (ms / 1000).toFixed(1);
  const strangers = happened.filter(({ target }) => target === 'strangers').length;
  const old = happened.filter(({ kind }) => kind === OLD_AGENT).length;
  const counts = new Map<string, number>();
  for (const { target, kind } of happened) {
    const what = `${target.replace(/-\d$/, '')} | ${kind}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  const faults = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const recoveries = [...recoveryTimes(happened)].map(([of, ms]) => {
    const sorted = ms.toSorted((a, b) => a - b);
    return `| ${of} | ${ms.length} | ${seconds(median(ms))} | ${seconds(sorted.at(-1)!)} |`;
  });
  return `# Reliability

Results of the last long run of the fault harness, written by the harness itself (\`--report\`; \`npm run faults:soak\` runs for an hour).
[test/faults/](../test/faults/) is the harness: the whole pipeline on the embedded stack, a seeded schedule of faults, and an oracle that knows
each event by its id and reads the archive's objects directly.

${number(Math.round(report.faultMs / 60_000))} minutes, seed ${report.seed}, archiver: ${report.archiver}, ${number(faultsOf(report).length)} faults, ${number(verdict.promised)} events promised (in a followed
file, or acknowledged to a forward client).

| | |
|---|---|
| archived | ${number(verdict.archived)} |
| lost | ${number(verdict.lost)} |
| repeated | ${number(verdict.repeated)} |
| never made | ${number(verdict.invented)} |
| destroyed on an agent's disk on purpose (one flipped bit at a time), each named by \`tailrace verify\` | ${number(verdict.destroyed)} |
| chunks of liars on the stream: the checksum right, the data not what the header says | ${number(strangers - old)} |
| of these, kept as bytes, counted as damaged and named as holes by \`tailrace verify\` | ${number(verdict.kept)} |
| chunks of agents of before splicing | ${number(strangers)} |
| other violations | ${number(violations.length)} |
| chunks, objects, commits | ${number(verify.chunks)}, ${number(verify.objects)}, ${number(verify.commits)} |
| duplicate chunks skipped | ${number(verify.duplicatesSkipped)} |

\`tailrace verify --deep\` counted ${number(verify.events)} events, and named ${number(verify.missing)} missing ${verify.missing === 1 ? 'chunk' : 'chunks'}: what was destroyed, and
the liars'.

${compactionPart(parquet)}
## Recovery

![Recovery times](${plot})

| | times | median, s | longest, s |
|---|---|---|---|
${recoveries.join('\n')}

All faults of a run happen on one machine with two cores, many at the same time: a recovery waits for other JVMs to start, and may
run into the next fault. "Taken over" is a worker that dies and stays away: when it
was the leader, the others first wait for its heartbeats (70 s), then KCL tries to take the lock every 30 s.

## Memory

Median resident memory over the first and the last quarter, and the peak, in MiB; for several processes of a kind, the
largest. agent-3 is one process for the whole run.

| | first quarter | last quarter | peak |
|---|---|---|---|
${memory.map(({ role, first, last, most }) => `| ${role} | ${first} | ${last} | ${most} |`).join('\n')}

The emulators keep their data in memory; they are listed to show that it is they that grow.

## Faults

| what | kind | times |
|---|---|---|
${faults.map(([what, count]) => `| ${what} | ${count} |`).join('\n')}
`;
}

/** Numbers as people read them. */
function number(n: number): string {
  return n.toLocaleString('en');
}

function compactionPart(parquet: RunReport['parquet']): string {
  return `## Compaction

\`tailrace compact\` and its function ran ${number(parquet.runs)} times during the faults, ${number(parquet.killed)} of them killed with SIGKILL at a
random moment, others frozen, or two at the same time; ${number(parquet.left)} of the killed ones left an entry without all its
objects behind. The agents' clocks go 60 times as fast as the services', so that hours begin and close.

| | |
|---|---|
| hours with events: closed, open | ${number(parquet.closed)}, ${number(parquet.open)} |
| hours compacted in the end | ${number(parquet.verdict.hours)} |
| Parquet objects, of these for what came late | ${number(parquet.verdict.objects)}, ${number(parquet.verdict.late)} |
| rows of Parquet, events of these hours | ${number(parquet.verdict.rows)}, ${number(parquet.verdict.events)} |
| lost | ${number(parquet.verdict.lost)} |
| repeated | ${number(parquet.verdict.repeated)} |
| never made | ${number(parquet.verdict.invented)} |

\`tailrace verify --parquet --deep\` compared the same rows value by value.
`;
}

const WIDTH = 760;
const LEFT = 220;
const ROW = 44;
const TOP = 24;
/** Seconds at which the scale has a line. */
const TICKS = [0.1, 1, 10, 60, 180, 600];

/** A row of dots for each kind of recovery, on a logarithmic scale of seconds. */
function recoveryPlot(times: ReadonlyMap<Recovery, readonly number[]>): string {
  const all = [...times.values()].flat().map((ms) => ms / 1000);
  const [least, most] = [Math.min(0.1, ...all.filter((s) => s > 0)), Math.max(180, ...all)];
  const x = (s: number): number =>
    LEFT + ((WIDTH - LEFT - 20) * (Math.log(Math.max(s, least)) - Math.log(least))) / Math.log(most / least);
  const height = TOP + ROW * times.size + 30;
  const ticks = TICKS.filter((s) => s >= least && s <= most).map(
    (s) =>
      `<line x1="${x(s).toFixed(1)}" y1="${TOP}" x2="${x(s).toFixed(1)}" y2="${height - 30}" stroke="#ccc"/>` +
      `<text x="${x(s).toFixed(1)}" y="${height - 12}" text-anchor="middle">${s} s</text>`,
  );
  const rows = [...times].map(([of, list], i) => {
    const middle = TOP + ROW * (i + 0.5);
    const dots = list.map((ms, n) => {
      // Spread a little, so that equal times do not hide each other.
      const y = middle + ((n * 7) % 17) - 8;
      return `<circle cx="${x(ms / 1000).toFixed(1)}" cy="${y.toFixed(1)}" r="3" fill="#1f6feb" fill-opacity="0.45"/>`;
    });
    return `<text x="${LEFT - 12}" y="${middle + 4}" text-anchor="end">${of} (${list.length})</text>${dots.join('')}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13"><title>Times of recovery by kind, in seconds</title><rect width="100%" height="100%" fill="white"/>${ticks.join('')}${rows.join('')}</svg>
`;
}
