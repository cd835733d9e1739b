/** `tailrace hours`: shows which hours of the archive are complete, and what keeps the others open. */
import { Command } from 'commander';
import { type HourReport, judgeHours, type Wait, type Why } from '../../archive/hours/judge.ts';
import { readFacts } from '../../archive/hours/read.ts';
import { age, count, hour as hourText, plain, plainLines, bytes as size } from '../../base/human.ts';
import { type ArchiveOptions, openArchive, withArchiveOptions } from '../archive-options.ts';
import { type TimeOptions, withTimeOptions } from '../archive-range.ts';
import {
  type ClosingOptions,
  hoursOfRange,
  policyOf,
  unknownGone,
  withHoursOptions,
} from '../hours-options.ts';
import { progress } from '../progress.ts';

interface HoursOptions extends ArchiveOptions, TimeOptions, ClosingOptions {
  readonly requireClosed?: boolean;
  readonly json?: boolean;
}

const DAY_MS = 86_400_000;
/** Enough of a producer's id to tell it from others, and to find it. */
const ID_DIGITS = 12;
const SHOWN_WAITS = 5;

export function command(): Command {
  const hours = new Command('hours')
    .description(
      'Show which hours of the archive are closed, which are open and which producer keeps them open, and what came late. Without a range, the last day.',
    )
    .option('--require-closed', 'exit with 1 unless every hour of the range is closed')
    .option('--json', 'print one JSON object per hour')
    .addHelpText(
      'after',
      '\nExit codes: 0 shown, 1 failed, or an hour is open with --require-closed, 2 bad usage, or the archive cannot be read.',
    );
  return withArchiveOptions(withTimeOptions(withHoursOptions(hours), 'only hours')).action(run);
}

async function run(options: HoursOptions): Promise<void> {
  const now = Date.now();
  const [from, to] = hoursOfRange(options, now, DAY_MS);
  const { store, prefix } = await openArchive(options);
  const line = progress(true);
  const facts = await readFacts(store, prefix, from, line?.show);
  line?.clear();
  store.close();
  const reports = judgeHours(facts, policyOf(options, now), [from, to]);
  const text = options.json
    ? reports.map((report) => `${JSON.stringify({ ...report, hour: hourText(report.hour) })}\n`)
    : [...reports.map((report) => reportText(report, now)), footer(reports)];
  process.stdout.write(plainLines(text.join('')));
  process.stderr.write(unknownGone(options, new Set(reports.flatMap(({ without }) => without))));
  if (options.requireClosed && reports.some(({ state }) => state !== 'closed')) process.exitCode = 1;
}

const REASONS: Readonly<Record<Why, (wait: Wait, now: number) => string>> = {
  awaited: ({ since }, now) =>
    `is awaited${since === null ? '' : `, has read up to ${timeText(since)}`}${agoText(since, now)}`,
  behind: ({ since }, now) =>
    since === null
      ? 'has not yet read its files to the end'
      : `is behind: has read up to ${timeText(since)}${agoText(since, now)}`,
  silent: ({ since }, now) => `is silent since ${timeText(since!)}${agoText(since, now)}`,
  stopped: ({ since }, now) => `stopped at ${timeText(since!)}${agoText(since, now)} and may come back`,
  missing: ({ missing, lanes, since }) =>
    `sealed ${missing === undefined ? 'chunks' : `${count(missing)} or more chunks`} that are not archived${since === null ? '' : `, after ${timeText(since)}`}${lanes ? `; lane ${lanes.join(', ')}` : ''}`,
  unmarked: () => 'has not said how far it has read: its agent has just started, or needs an upgrade',
  late: () => 'sent late events: its next watermark closes the hour once more',
};

function reportText(report: HourReport, now: number): string {
  const { hour, state, events, objects, bytes, late, waits } = report;
  const lateText = late.chunks === 0 ? '' : `  ${count(late.chunks)} chunks came late`;
  const counts = `${count(events).padStart(13)} events ${count(objects).padStart(6)} objects ${size(bytes).padStart(10)}`;
  const lines = [`${hourText(hour)}  ${state.padEnd(8)} ${counts}${lateText}\n`];
  for (const wait of waits.slice(0, SHOWN_WAITS))
    lines.push(`    ${plain(wait.producer.slice(0, ID_DIGITS))} ${REASONS[wait.why](wait, now)}\n`);
  if (waits.length > SHOWN_WAITS)
    lines.push(`    and ${count(waits.length - SHOWN_WAITS)} other producers\n`);
  return lines.join('');
}

function footer(reports: readonly HourReport[]): string {
  const without = new Set(reports.flatMap((report) => report.without));
  if (without.size === 0) return '';
  const ids = [...without].map((id) => id.slice(0, ID_DIGITS));
  return `not waited for, silent for long or declared gone: ${ids.slice(0, SHOWN_WAITS).join(', ')}${ids.length > SHOWN_WAITS ? ` and ${count(ids.length - SHOWN_WAITS)} others` : ''}\n`;
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function agoText(since: number | null, now: number): string {
  return since === null ? '' : ` (${age(Math.max(0, now - since))} ago)`;
}
