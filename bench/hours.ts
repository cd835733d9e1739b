/**
 * Measures what finding costs in large archives: `cat` and `ls` of one hour among 20,000 commits, and `ls --hours` of a year of
 * 16 shards, 1.7 million objects. The commands are the real ones, and get their listings and objects over HTTP from an S3 that
 * computes them. `--before FOLDER` also measures the commands of a checkout of an earlier build; `--rounds 3`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import * as readline from 'node:readline';
import { parseArgs } from 'node:util';
import { type MeasuredCommand, measureCommand } from './measure-command.ts';
import type { BenchResult } from './run.ts';

const FIRST_HOUR = 494_000;
const SHARDS = 16;
/** With five minutes a commit, 20,160 commits. */
const HOURS = 105;
/** The one that is asked for, after the first. */
const HOUR = 50;
const YEAR_HOURS = 365 * 24;
const LIMIT_MS = 600_000;
const EVENTS = 12 * SHARDS * 1000;

interface Measured extends MeasuredCommand {
  readonly requests: number;
}

export async function run(): Promise<BenchResult> {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: { before: { type: 'string' }, rounds: { type: 'string', default: '3' } },
  });
  const rounds = Number(values.rounds);
  const here = join(import.meta.dirname, '..');
  const hour = new Date((FIRST_HOUR + HOUR) * 3_600_000).toISOString().slice(0, 13);
  const range = ['--from', hour, '--to', hour];
  const commits = await Archive.start(FIRST_HOUR, HOURS);
  // What the commands take without anything to find: an archive of that hour alone.
  const alone = await Archive.start(FIRST_HOUR + HOUR, 1);
  const places: { readonly name: string; readonly build: string; readonly archive: Archive }[] = [
    { name: 'now', build: here, archive: commits },
    { name: 'the hour alone', build: here, archive: alone },
    ...(values.before === undefined ? [] : [{ name: 'before', build: values.before, archive: commits }]),
  ];
  const found = new Map<string, Measured>();
  for (const [command, words, answer] of [
    ['cat', ['cat', ...range], EVENTS],
    ['ls', ['ls', '--hours', ...range], 1],
  ] as const) {
    // In turn, so that what else the machine does falls on all.
    const all = places.map((): Measured[] => []);
    for (let round = 0; round < rounds; round++)
      for (const [i, { build, archive }] of places.entries())
        all[i]!.push(await archive.measure(build, words, answer));
    for (const [i, { name }] of places.entries()) {
      const one = median(all[i]!);
      process.stderr.write(`${command} of an hour among 20,160 commits, ${name}: ${text(one)}\n`);
      found.set(`${command}, ${name}`, one);
    }
  }
  commits.stop();
  alone.stop();
  const year = await Archive.start(FIRST_HOUR, YEAR_HOURS);
  const listings: Measured[] = [];
  for (let round = 0; round < rounds; round++)
    listings.push(await year.measure(here, ['ls', '--hours'], YEAR_HOURS));
  year.stop();
  const listing = median(listings);
  process.stderr.write(`ls --hours of a year, ${YEAR_HOURS * 12 * SHARDS} objects: ${text(listing)}\n`);
  const now = found.get('cat, now')!;
  const bare = found.get('cat, before') ?? found.get('cat, the hour alone')!;
  return {
    bench: 'hours',
    value: Math.round(listing.seconds * 10) / 10,
    unit: 's for ls --hours of a year of 16 shards',
    bare: bare.cpu,
    ratio: Math.round((now.cpu / bare.cpu) * 1000) / 1000,
    rssMiB: Math.round(listing.rssMiB),
  };
}

/** The S3, in a process of its own: what it takes is not counted. */
class Archive {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #endpoint = '';

  private constructor(firstHour: number, hours: number) {
    const server = join(import.meta.dirname, 'hours-s3.ts');
    this.#process = spawn(process.execPath, [server, `${firstHour}`, `${hours}`, `${SHARDS}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = readline.createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  static async start(firstHour: number, hours: number): Promise<Archive> {
    const archive = new Archive(firstHour, hours);
    archive.#endpoint = `http://127.0.0.1:${(await archive.#lines.next()).value as string}`;
    return archive;
  }

  async measure(build: string, words: readonly string[], lines: number): Promise<Measured> {
    const before = await this.#requests();
    const place = ['--bucket', 'archive', '--endpoint', this.#endpoint];
    const command = [process.execPath, join(build, 'cli/tailrace.ts'), ...words, ...place];
    const found = await measureCommand(command, LIMIT_MS, build);
    if (found.failure !== '' || found.lines.length !== lines)
      throw new Error(
        `${words.join(' ')}: ${found.failure}, ${found.lines.length} lines instead of ${lines}`,
      );
    return { ...found, requests: (await this.#requests()) - before };
  }

  stop(): void {
    this.#process.stdin!.end();
  }

  async #requests(): Promise<number> {
    this.#process.stdin!.write('\n');
    return Number((await this.#lines.next()).value);
  }
}

function median(tries: readonly Measured[]): Measured {
  return tries.toSorted((a, b) => a.cpu - b.cpu)[Math.floor(tries.length / 2)]!;
}

function text({ seconds, cpu, requests, rssMiB }: Measured): string {
  return `${seconds.toFixed(2)} s, ${cpu.toFixed(2)} s CPU, ${rssMiB.toFixed(0)} MiB, ${requests} requests`;
}
