/** Compaction while everything else happens: `tailrace compact` and its function, run, killed, frozen, and two at a time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3Store } from '../../archive/s3.ts';
import { FunctionPool } from '../support/function-pool.ts';
import { type Pace, paced } from './log-clock.ts';
import type { Fault } from './schedule.ts';
import type { Timeline } from './timeline.ts';
import { within } from './wait.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CLI = join(ROOT, 'cli', 'tailrace.ts');
const FUNCTION = join(ROOT, 'functions', 'compact.ts');
/** Longer than a run of it may take, and than what a call must have left to begin with an hour. */
const RUN_MS = 300_000;
const MEMORY = '256MiB';
const HOUR_MS = 3_600_000;
const LOOK_MS = 10;
const MOST_AFTER_ENTRY_MS = 300;

export interface CompactionOptions {
  readonly folder: string;
  readonly bucket: string;
  /** Where S3 is, by way of its proxy. */
  readonly endpoint: string;
  /** Where S3 answers late. */
  readonly slow: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of the archive itself, without the proxy. */
  readonly archive: S3Store;
  /** Producers that send no watermarks. */
  readonly gone: () => readonly string[];
  /** Of the logs' time. */
  readonly pace: Pace;
  readonly timeline: Timeline;
}

export interface CompactionCounts {
  runs: number;
  killed: number;
  /** Entries without their objects that killed ones have left. */
  left: number;
}

export class Compaction {
  readonly counts: CompactionCounts = { runs: 0, killed: 0, left: 0 };
  readonly #options: CompactionOptions;
  readonly #running = new Set<ChildProcess>();
  /** Entries whose objects are all there. */
  readonly #whole = new Set<string>();
  /** How long the last whole run took, ms: one that is killed dies at some time within it. */
  #usual = 3_000;

  constructor(options: CompactionOptions) {
    this.#options = options;
    mkdirSync(join(options.folder, 'compact'), { recursive: true });
  }

  get pids(): readonly (number | null)[] {
    return [...this.#running].map(({ pid }) => pid ?? null);
  }

  async suffer({ kind, ms, pick }: Fault): Promise<void> {
    const at = this.#options.timeline.now;
    const add = (note: string): void => this.#options.timeline.add({ target: 'compaction', kind, note }, at);
    switch (kind) {
      case 'run':
        return add(await this.#undisturbed());
      case 'kill':
        return add(await this.#killed(pick));
      case 'kill at an entry':
        return add(await this.#killedAtEntry(pick));
      case 'two at once': {
        const [first, second] = [
          this.#undisturbed(),
          pick < 0.5 ? this.#killed(pick * 2) : this.#undisturbed(),
        ];
        return add((await Promise.all([first, second])).join(', the other '));
      }
      case 'two killed at once':
        return add((await Promise.all([this.#killed(pick), this.#killed((pick * 7919) % 1)])).join(', '));
      case 'freeze': {
        // Another goes on with its work meanwhile, and it finds that when it is back.
        const zombie = this.#start();
        await sleep(pick * this.#usual);
        zombie.kill('SIGSTOP');
        const other = await this.#undisturbed();
        await sleep(ms);
        zombie.kill('SIGCONT');
        return add(`the other ${other}, the frozen one ${await this.#ended(zombie)}`);
      }
      case 'function':
        return add(await this.#call(pick));
      default:
        throw new Error(`no fault ${kind} of compaction`);
    }
  }

  /** A last run: what is closed, or all hours that ended `openAfter` ago. Resolves with its exit code. */
  async finish(...options: string[]): Promise<number | string> {
    return this.#end(this.#start(...options));
  }

  heal(): void {
    for (const child of this.#running) child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    await Promise.all(
      [...this.#running].map((child) => {
        child.kill('SIGKILL');
        return this.#end(child);
      }),
    );
  }

  #start(...options: string[]): ChildProcess {
    const { folder, bucket, endpoint, env, gone } = this.#options;
    const place = ['--bucket', bucket, '--endpoint', endpoint, '--temp', join(folder, 'compact')];
    const silent = gone().flatMap((id) => ['--gone', id]);
    const hours = ['--last', '4d', '--memory', MEMORY, '--json'];
    const args = [CLI, 'compact', ...place, ...hours, ...silent, ...options];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (text) => appendFileSync(join(folder, 'compact.log'), text));
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    this.counts.runs += 1;
    return child;
  }

  async #end(child: ChildProcess): Promise<number | string> {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child.exitCode ?? child.signalCode!;
  }

  async #ended(child: ChildProcess): Promise<string> {
    const code = await within(RUN_MS, this.#end(child));
    if (code === null) {
      this.#options.timeline.violation(`compact has not ended within ${RUN_MS / 1000} s`);
      child.kill('SIGKILL');
    }
    return `ended with ${code}`;
  }

  async #undisturbed(): Promise<string> {
    const started = performance.now();
    const child = this.#start();
    const note = await this.#ended(child);
    if (child.exitCode === 0) this.#usual = performance.now() - started;
    return note;
  }

  /** @param share of a run's usual time after which it is killed */
  async #killed(share: number): Promise<string> {
    const child = this.#start();
    const delay = Math.round(share * 1.1 * this.#usual);
    const code = await within(delay, this.#end(child));
    return code === null ? `after ${delay} ms ${await this.#kill(child)}` : `ended with ${code}`;
  }

  /** Between an entry and its objects, if it comes to one. */
  async #killedAtEntry(pick: number): Promise<string> {
    const before = await this.#entries();
    const child = this.#start('--endpoint', this.#options.slow);
    while (child.exitCode === null && (await this.#entries()) === before) await sleep(LOOK_MS);
    await sleep(pick * MOST_AFTER_ENTRY_MS);
    return child.exitCode === null
      ? `at an entry ${await this.#kill(child)}`
      : `ended with ${child.exitCode}`;
  }

  async #kill(child: ChildProcess): Promise<string> {
    child.kill('SIGKILL');
    await this.#end(child);
    this.counts.killed += 1;
    const left = await this.#lacking();
    if (left > 0) this.counts.left += 1;
    return left > 0 ? `killed, ${left} objects of an entry lacking` : 'killed';
  }

  async #entries(): Promise<number> {
    let entries = 0;
    for await (const _ of this.#options.archive.list('_compactions/')) entries += 1;
    return entries;
  }

  /** Objects that newest entries name and that are not there. */
  async #lacking(): Promise<number> {
    const { archive } = this.#options;
    let lacking = 0;
    for await (const { key } of archive.list('_compactions/')) {
      if (this.#whole.has(key)) continue;
      const { tables } = JSON.parse(String(await archive.get(key))) as { tables: { key: string }[] };
      const there = await Promise.all(tables.map((table) => archive.head(table.key)));
      const missing = there.filter((object) => object === null).length;
      if (missing === 0) this.#whole.add(key);
      lacking += missing;
    }
    return lacking;
  }

  /** The function knows of nobody who is gone: it takes the hours that ended an hour of the logs ago. */
  async #call(pick: number): Promise<string> {
    const { bucket, endpoint, env, pace, folder } = this.#options;
    const real = Date.now();
    const minutes = (ms: number): string => `${Math.ceil(ms / 60_000)}m`;
    const pool = new FunctionPool(
      FUNCTION,
      {
        ...env,
        AWS_ENDPOINT_URL_S3: endpoint,
        ARCHIVE_BUCKET: bucket,
        OPEN_AFTER: minutes(real - paced(pace, real) + HOUR_MS),
        LOOK_BACK: minutes(real - pace.begin),
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
      },
      RUN_MS,
    );
    pool.onLog = (text) => appendFileSync(join(folder, 'compact.log'), text);
    this.counts.runs += 1;
    const call = pool.invoke({}).then(
      (result) => `answered ${JSON.stringify(result)}`,
      (error: Error) => `failed: ${error.message}`,
    );
    try {
      const isKilled = pick < 0.5;
      const answer = isKilled ? await within(pick * 2 * this.#usual, call) : await call;
      if (answer !== null) return answer;
      this.counts.killed += 1;
      return 'killed';
    } finally {
      await pool.stop();
    }
  }
}
