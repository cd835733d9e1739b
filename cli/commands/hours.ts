/** `tailrace hours`: shows which hours of the archive are complete, and what keeps the others open. */
import { Command } from 'commander';
import { judgeHours } from '../../archive/hours/judge.ts';
import { readFacts } from '../../archive/hours/read.ts';
import { hour as hourText, plainLines } from '../../base/human.ts';
import { type ArchiveOptions, openArchive, withArchiveOptions } from '../archive-options.ts';
import { type TimeOptions, withTimeOptions } from '../archive-range.ts';
import {
  type ClosingOptions,
  hoursOfRange,
  policyOf,
  unknownGone,
  withHoursOptions,
} from '../hours-options.ts';
import { footer, reportTexts } from '../hours-text.ts';
import { progress } from '../progress.ts';

interface HoursOptions extends ArchiveOptions, TimeOptions, ClosingOptions {
  readonly requireClosed?: boolean;
  readonly json?: boolean;
}

const DAY_MS = 86_400_000;

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
  const facts = await readFacts(store, prefix, [from, to], line?.show);
  line?.clear();
  store.close();
  const reports = judgeHours(facts, policyOf(options, now), [from, to]);
  const text = options.json
    ? reports.map((report) => `${JSON.stringify({ ...report, hour: hourText(report.hour) })}\n`)
    : [...reportTexts(reports, now), footer(reports)];
  process.stdout.write(plainLines(text.join('')));
  process.stderr.write(unknownGone(options, new Set(reports.flatMap(({ without }) => without))));
  if (options.requireClosed && reports.some(({ state }) => state !== 'closed')) process.exitCode = 1;
}
