/** `tailrace compact`: makes Parquet of the hours that are closed. */
import { realpathSync } from 'node:fs';
import { Command } from 'commander';
import { compactArchive, type HourResult } from '../../archive/compact/compact-archive.ts';
import type { HourReport } from '../../archive/hours/judge.ts';
import { count, hour as hourText, plain, plainLines, bytes as size } from '../../base/human.ts';
import { type ArchiveOptions, openArchive, withArchiveOptions } from '../archive-options.ts';
import { type RangeOptions, tagFilter, withRangeOptions } from '../archive-range.ts';
import {
  type ClosingOptions,
  hoursOfRange,
  policyOf,
  unknownGone,
  withHoursOptions,
} from '../hours-options.ts';
import { durationOption, memoryOption } from '../options.ts';
import { progress } from '../progress.ts';
import { existingFolder } from '../query/paths.ts';
import { createRunFolder } from '../query/run-folder.ts';

interface CompactOptions extends ArchiveOptions, RangeOptions, ClosingOptions {
  readonly openAfter: number;
  readonly json?: boolean;
  readonly memory: number;
  readonly temp?: string;
}

const WEEK_MS = 7 * 86_400_000;

export function command(): Command {
  const compact = new Command('compact')
    .description(
      'Make Parquet objects, under parquet/, of the hours that are closed: one for each tag and hour, and a further one for what ' +
        'came late. Each event is in one of them, whatever interrupts this. Without a range, the last seven days.',
    )
    .addOption(
      durationOption(
        '--open-after <duration>',
        'hours that ended longer ago are compacted though they are not closed; what comes then makes further objects',
        '48h',
      ),
    )
    .addOption(memoryOption())
    .option('--temp <dir>', "where temporary files go, instead of the system's folder for them")
    .option('--json', 'print one JSON object per hour')
    .addHelpText(
      'after',
      '\nNeeds DuckDB, an optional dependency.\nExit codes: 0 done, 1 failed, or an hour cannot be compacted, 2 bad usage, or the archive cannot be read.',
    );
  return withArchiveOptions(withRangeOptions(withHoursOptions(compact), 'only hours')).action(run);
}

async function run(options: CompactOptions): Promise<void> {
  const now = Date.now();
  const hours = hoursOfRange(options, now, WEEK_MS);
  const archive = await openArchive(options, true);
  const folder = createRunFolder(
    options.temp === undefined ? undefined : existingFolder('--temp', options.temp),
  );
  const line = progress(true);
  let done = 0;
  let tables = 0;
  const without = new Set<string>();
  try {
    const open = await compactArchive({
      archive,
      hours,
      policy: policyOf(options, now),
      openAfter: options.openAfter,
      tag: tagFilter(options.tag),
      parquet: {
        folder: folder.path,
        memory: `${Math.ceil(options.memory / 1024)}KiB`,
        archiveFolder: archive.folder === undefined ? undefined : realpathSync(archive.folder),
      },
      show: line?.show,
      onHour: (result) => {
        line?.clear();
        done += 1;
        for (const producer of result.report.without) without.add(producer);
        tables += result.made.length;
        if (result.faults.length > 0) process.exitCode = 1;
        process.stdout.write(plainLines(options.json ? json(result) : text(result)));
      },
    });
    line?.clear();
    for (const report of open) for (const producer of report.without) without.add(producer);
    process.stderr.write(unknownGone(options, without));
    if (!options.json)
      process.stdout.write(
        `objects made: ${count(tables)}; hours compacted: ${count(done)}${openNote(open)}\n`,
      );
  } finally {
    line?.clear();
    archive.store.close();
    folder.remove();
  }
}

function json({ report, made, newColumns, compactions, faults }: HourResult): string {
  return `${JSON.stringify({
    hour: hourText(report.hour),
    state: report.state,
    compactions: compactions.length,
    made: made.map(({ key, tag, rows, sources }) => ({ key, tag, rows, sources: sources.length })),
    new_columns: Object.fromEntries(newColumns),
    faults: faults.map(({ message }) => message),
  })}\n`;
}

function text({ report, made, newColumns, faults }: HourResult): string {
  const lines = made.map(({ tag, rows, sources }) => {
    const bytes = sources.reduce((sum, source) => sum + source.bytes, 0);
    const fresh = (newColumns.get(tag) ?? []).map(({ name, type }) => `${name} ${type}`);
    const columns = fresh.length === 0 ? '' : `; new columns: ${fresh.join(', ')}`;
    return `${hourText(report.hour)}  ${count(rows).padStart(13)} events of ${count(sources.length)} objects (${size(bytes)})  ${plain(tag)}${plain(columns)}\n`;
  });
  for (const { message } of faults)
    lines.push(`${hourText(report.hour)}  not compacted: ${plain(message)}\n`);
  return lines.join('');
}

function openNote(open: readonly HourReport[]): string {
  const withEvents = open.filter(({ events }) => events > 0);
  if (withEvents.length === 0) return '';
  const hours = withEvents.length === 1 ? '1 hour is' : `${count(withEvents.length)} hours are`;
  return `; ${hours} open, from ${hourText(withEvents[0]!.hour)}: tailrace hours says why`;
}
