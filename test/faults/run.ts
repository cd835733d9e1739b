/**
 * `npm run faults`: the whole pipeline under a schedule of faults that a seed decides, and an oracle that counts.
 *
 *     npm run faults -- --minutes 3 --seed 7
 *     npm run faults -- --replay FOLDER        the same schedule as the run that left this folder
 *
 * Exit code 0 when every promised event is archived once and `tailrace verify` says the same. Otherwise the folder is
 * kept, with the timeline, all logs and the archive.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { checkEnd } from './end.ts';
import { Oracle } from './oracle.ts';
import { faultsOf, type RunReport, writeReport } from './report.ts';
import { ARCHIVERS, type Archiver, type Fault, planFaults, type Target } from './schedule.ts';
import { Timeline } from './timeline.ts';
import { World } from './world.ts';

const USAGE = `npm run faults -- [options]

  --minutes M       how long faults happen (default 3)
  --seed S          decides the schedule (default: by the clock)
  --archiver KIND   worker, function, or mixed: both, changing over (default worker)
  --rate N          events a second of all sources (default 6000)
  --replay FOLDER   the schedule of an earlier run, by the folder that it left
  --data FOLDER     where everything goes (default: a new folder under the system's temporary one)
  --keep            keeps the folder of a run that went well, too
  --report FILE     writes the report, and its plot next to it
`;
const PROGRESS_MS = 15_000;

interface RunOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly rate: number;
  readonly archiver: Archiver;
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!(value > 0)) fail(`--${name}: expected a number above 0, not ${text}`);
  return value;
}

function readOptions(values: {
  minutes?: string;
  seed?: string;
  rate?: string;
  archiver?: string;
  replay?: string;
}): RunOptions {
  if (values.replay !== undefined) {
    const file = join(values.replay, 'run.json');
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as RunOptions;
    } catch (error) {
      fail(`--replay: ${(error as Error).message}; name the folder that an earlier run has left`);
    }
  }
  const archiver = ARCHIVERS.find((one) => one === (values.archiver ?? 'worker'));
  if (!archiver) fail(`--archiver: expected one of ${ARCHIVERS.join(', ')}, not ${values.archiver}`);
  return {
    minutes: wholeNumber('minutes', values.minutes, 3),
    seed: wholeNumber('seed', values.seed, (Date.now() % 1_000_000) + 1),
    rate: wholeNumber('rate', values.rate, 6_000),
    archiver,
  };
}

/** The faults of one target, one after the other; one that comes late makes the next ones later. */
async function unfold(
  faults: readonly Fault[],
  world: World,
  timeline: Timeline,
  endAt: number,
): Promise<void> {
  for (const fault of faults) {
    await sleep(Math.max(0, fault.at - timeline.now));
    if (timeline.now >= endAt) return;
    try {
      await world.suffer(fault);
    } catch (error) {
      timeline.violation(`${fault.target}, ${fault.kind}: ${(error as Error).message}`);
    }
  }
}

async function run(options: RunOptions, folder: string): Promise<RunReport> {
  const log = (message: string): void => void process.stdout.write(`${message}\n`);
  const { minutes, seed, rate, archiver } = options;
  writeFileSync(join(folder, 'run.json'), JSON.stringify(options));
  const timeline = new Timeline(join(folder, 'timeline.jsonl'));
  const world = await World.start({ folder, seed, minutes, rate, archiver, timeline, log });
  const oracle = new Oracle();
  try {
    const started = timeline.now;
    const faults = planFaults(seed, minutes, archiver);
    const endAt = started + minutes * 60_000;
    log(`seed ${seed}: faults for ${minutes} minutes, archiver: ${archiver}`);
    const busy = new Set<Target>(faults.keys());
    const progress = setInterval(() => {
      const made = [...world.promised.values()].reduce((sum, count) => sum + count, 0);
      const at = Math.round((timeline.now - started) / 1000);
      log(
        `${at} s: ${made} events made, ${timeline.happened.length} faults, ${timeline.violations.length} violations`,
      );
      if (timeline.now > endAt) log(`still under way: ${[...busy].join(', ')}`);
    }, PROGRESS_MS);
    await Promise.all(
      [...faults].map(async ([target, list]) => {
        const fromNow = list.map((fault) => ({ ...fault, at: fault.at + started }));
        await unfold(fromNow, world, timeline, endAt);
        busy.delete(target);
      }),
    );
    clearInterval(progress);
    const faultMs = timeline.now - started;
    world.heal();
    const end = await checkEnd(world, oracle, timeline, log);
    return { ...options, ...end, faultMs, happened: timeline.happened, violations: timeline.violations };
  } finally {
    await world.stop();
  }
}

const { values } = (() => {
  try {
    return parseArgs({
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        rate: { type: 'string' },
        archiver: { type: 'string' },
        replay: { type: 'string' },
        data: { type: 'string' },
        keep: { type: 'boolean', default: false },
        report: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${USAGE}`);
  }
})();
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const options = readOptions(values);
const folder =
  values.data === undefined ? mkdtempSync(join(tmpdir(), 'tailrace-faults-')) : resolve(values.data);
mkdirSync(folder, { recursive: true });

const report = await run(options, folder).catch((error: Error) => {
  process.stderr.write(`the run broke off: ${error.stack}\nkept: ${folder}\n`);
  process.exit(1);
});
writeFileSync(join(folder, 'report.json'), JSON.stringify(report, null, 1));
if (values.report !== undefined) writeReport(resolve(values.report), report);
const { verdict, violations } = report;
process.stdout.write(
  `promised ${verdict.promised} archived ${verdict.archived} lost ${verdict.lost} repeated ${verdict.repeated} ` +
    `invented ${verdict.invented} destroyed on disk and named ${verdict.destroyed}, ` +
    `rows of Parquet ${report.parquet.verdict.rows} of ${report.parquet.verdict.events} events, ` +
    `${faultsOf(report).length} faults, ` +
    `${violations.length} violations, seed ${options.seed}\n`,
);
if (violations.length > 0) {
  process.stdout.write(`${violations.map((what) => `  ${what}\n`).join('')}kept: ${folder}\n`);
  process.stdout.write(`repeat with: npm run faults -- --replay ${folder}\n`);
} else if (values.keep || values.data !== undefined) {
  process.stdout.write(`kept: ${folder}\n`);
} else rmSync(folder, { recursive: true, force: true });
process.exit(violations.length > 0 ? 1 : 0);
