/** `tailrace verify`: proves that the archive holds every chunk exactly once, or names what is missing or repeated. */
import { Command } from 'commander';
import { ParquetMaker } from '../../archive/compact/parquet.ts';
import { type CompactionsReport, verifyCompactions } from '../../archive/compact/verify.ts';
import type { EpochReport, VerifyReport } from '../../archive/verify/report.ts';
import { verifyArchive } from '../../archive/verify/verify.ts';
import { count, plain, plainLines, bytes as size } from '../../base/human.ts';
import {
  type ArchiveOptions,
  type OpenArchive,
  openArchive,
  withArchiveOptions,
} from '../archive-options.ts';
import { hoursOf, type TimeOptions, timesOf, withTimeOptions } from '../archive-range.ts';
import { durationOption } from '../options.ts';
import { type Progress, progress } from '../progress.ts';
import { createRunFolder } from '../query/run-folder.ts';

interface VerifyCommandOptions extends ArchiveOptions, TimeOptions {
  readonly json?: boolean;
  readonly deep?: boolean;
  readonly parquet?: boolean;
  readonly producer?: string;
  readonly pending: number;
  readonly expireAfter?: number;
  readonly dedupeHorizon?: number;
  readonly all?: boolean;
}

export function command(): Command {
  const verify = new Command('verify')
    .description(
      'Read the commit logs and report, per producer, whether every chunk is archived exactly once.',
    )
    .option('--deep', 'also read every object and check its checksums and chunks')
    .option(
      '--parquet',
      'also check that the rows of Parquet objects are the events of the compacted hours; with --deep, value by value',
    )
    .option('--producer <id>', 'only producers whose id begins with this')
    .addOption(
      durationOption(
        '--pending <duration>',
        'gaps younger than this may still be filled and are not holes',
        '10m',
      ),
    )
    .addOption(
      durationOption(
        '--expire-after <duration>',
        'objects older than this may have been expired by a lifecycle rule',
      ),
    )
    .addOption(
      durationOption(
        '--dedupe-horizon <duration>',
        "the consumer's dedupe_horizon if it is not the default and no configuration is given",
      ),
    )
    .option('--all', 'also list producers that are complete')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 complete, 1 holes, repeats or damage, 2 bad usage, or the archive cannot be read.',
    );
  return withArchiveOptions(withTimeOptions(verify, 'only what was archived')).action(run);
}

async function run(options: VerifyCommandOptions): Promise<void> {
  const { pending: pendingFor, expireAfter, dedupeHorizon } = options;
  const range = timesOf(options, Date.now());
  const archive = await openArchive(options);
  const { store, prefix, horizon } = archive;
  const line = progress(true);
  const report = await verifyArchive(store, prefix, {
    now: Date.now(),
    pendingFor,
    expireAfter,
    deep: options.deep ?? false,
    producer: options.producer,
    range: range ?? undefined,
    horizon: dedupeHorizon ?? horizon,
    ...(line ? { onProgress: line.show } : {}),
  });
  const parquet = options.parquet ? await checkParquet(archive, hoursOf(range), options, line) : null;
  line?.clear();
  store.close();
  const whole = parquet === null ? report : { ...report, parquet };
  process.stdout.write(
    plainLines(
      options.json
        ? `${JSON.stringify(whole, null, 2)}\n`
        : `${text(report, options)}${parquet === null ? '' : parquetText(parquet)}`,
    ),
  );
  if (!report.ok || parquet?.ok === false) process.exitCode = 1;
}

async function checkParquet(
  archive: OpenArchive,
  hours: readonly [number, number],
  { deep }: VerifyCommandOptions,
  line: Progress | null,
): Promise<CompactionsReport> {
  const folder = createRunFolder();
  const maker = await ParquetMaker.open(
    { store: archive.store, folder: folder.path, memory: '512MiB' },
    new Map(),
  );
  try {
    return await verifyCompactions({
      archive,
      hours,
      rowsOf: (key) => maker.rowsOf(key),
      differing: deep ? (table) => maker.differing(table) : undefined,
      show: line?.show,
    });
  } finally {
    maker.close();
    folder.remove();
  }
}

function parquetText({
  ok,
  hours,
  objects,
  rows,
  events,
  late,
  expired,
  problems,
}: CompactionsReport): string {
  const lines = problems.map((problem) => `DAMAGED ${problem}`);
  if (expired > 0) lines.push(`${count(expired)} compacted data objects are no longer there`);
  if (late > 0) lines.push(`${count(late)} events came since and are not compacted yet`);
  lines.push(
    `Parquet ${ok ? 'OK' : 'NOT OK'}: ${count(rows)} rows of ${count(events)} events, ${count(objects)} objects of ${count(hours)} hours`,
  );
  return `${lines.join('\n')}\n`;
}

function text(report: VerifyReport, options: VerifyCommandOptions): string {
  const lines: string[] = [];
  const { logs, commits, objects, bytes, chunks, events } = report;
  lines.push(
    `${count(events)} events in ${count(chunks)} chunks, ${count(objects)} objects (${size(bytes)}), ${count(commits)} commits of ${logs} shards`,
  );
  let whole = 0;
  for (const { producer, epochs } of report.producers) {
    const faulty = epochs.filter((epoch) => epoch.holes.length > 0 || epoch.unlocated > 0);
    if (faulty.length === 0) whole += 1;
    if (faulty.length === 0 && !options.all) continue;
    lines.push(`producer ${producer}`);
    for (const epoch of options.all ? epochs : faulty) lines.push(...epochLines(epoch));
  }
  if (whole > 0) lines.push(`${count(whole)} ${whole === 1 ? 'producer is' : 'producers are'} complete`);
  for (const { lane, sequences, key } of report.repeats) {
    lines.push(`REPEATED lane ${lane} chunks ${sequences} in ${plain(key)}`);
  }
  for (const problem of report.problems) lines.push(`DAMAGED ${plain(problem)}`);
  for (const key of report.unfinished) lines.push(`not yet written: ${plain(key)}`);
  const asides = [
    [report.foreign, 'foreign records'],
    [report.damaged, 'damaged chunks kept as bytes'],
    [report.duplicatesSkipped, 'duplicates skipped'],
    [report.unproven, 'chunks unproven (lane forgotten, or sent to a shard that does not own it)'],
    [report.voidedObjects, 'objects voided'],
    [report.expired, 'objects old enough to have expired, not checked'],
    [report.cold, 'objects in cold storage, not read: restore them first'],
  ] as const;
  for (const [number, what] of asides) if (number > 0) lines.push(`${count(number)} ${what}`);
  lines.push(
    report.ok
      ? `OK: nothing is missing, nothing is repeated${report.pending > 0 ? `; ${count(report.pending)} chunks may still arrive` : ''}`
      : `NOT OK: ${count(report.missing)} chunks missing, ${count(report.repeats.length)} repeats, ${count(report.problems.length)} faults`,
  );
  return `${lines.join('\n')}\n`;
}

function epochLines(epoch: EpochReport): string[] {
  const end = { clean: 'ended cleanly', over: 'over', open: 'open' }[epoch.end];
  const { chunks, expected, events } = epoch;
  const lines = [
    `  epoch ${epoch.epoch}: ${count(chunks)} of ${count(expected)} chunks, ${count(events)} events, ${end}`,
  ];
  for (const { lane, missing, pending, voided } of epoch.holes) {
    const lost = voided === '' ? '' : `; of these, voided: ${voided}`;
    lines.push(`    ${pending ? 'pending' : 'HOLE'} lane ${lane}: ${missing}${lost}`);
  }
  if (epoch.unlocated > 0) {
    const what = epoch.unlocatedPending ? 'pending' : 'HOLE';
    lines.push(`    ${what}: ${count(epoch.unlocated)} chunks known by ordinal only, at the end of a lane`);
  }
  return lines;
}
