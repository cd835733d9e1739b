/** The archiver of a run as a function: its mapping, its environments and its schedule, and what happens to them. */
import type { ChildProcess } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { EventSourceMapping } from '../simulation/event-source-mapping.ts';
import { FunctionPool } from '../support/function-pool.ts';
import type { Fault } from './schedule.ts';
import type { Timeline } from './timeline.ts';
import { until } from './wait.ts';

const SOURCE = join(import.meta.dirname, '..', '..', 'functions', 'archive.ts');
const TIMEOUT_MS = 10_000;
const WINDOW_MS = 2_000;
const BATCH_SIZE = 500;
/** The emulator looks through all records of a shard for each read. */
const POLL_MS = 1_000;
/** EventBridge calls it once an hour; here as often as there is something to find. */
const SCHEDULE_MS = 15_000;
const SCHEDULED = { source: 'aws.events', 'detail-type': 'Scheduled Event' };
const RECOVERED_MS = 300_000;

export interface FunctionsOptions {
  readonly kinesis: KinesisClient;
  readonly stream: string;
  /** What the function has in its environment; its calls go through the proxies. */
  readonly env: Readonly<Record<string, string>>;
  /** The bundle of the function, the other of its two versions. */
  readonly bundle: string;
  readonly random: () => number;
  readonly timeline: Timeline;
  /** What the environments write goes here. */
  readonly logFile: string;
}

export class Functions {
  readonly #options: FunctionsOptions;
  readonly #pool: FunctionPool;
  #positions = new Map<string, string>();
  #mapping: EventSourceMapping | null = null;
  #schedule: NodeJS.Timeout | null = null;
  #scheduled: Promise<unknown> = Promise.resolve();
  #refuses = false;
  #answered = 0;
  /** What happens to the environment of the next call. */
  #next: ((environment: ChildProcess) => void) | null = null;

  constructor(options: FunctionsOptions) {
    this.#options = options;
    this.#pool = new FunctionPool(SOURCE, options.env, TIMEOUT_MS);
    this.#pool.onLog = (text) => appendFileSync(options.logFile, text);
    this.#pool.onInvoke = (environment) => {
      this.#next?.(environment);
      this.#next = null;
    };
  }

  /** Shards that the mapping reads; none while it is disabled. */
  get reading(): ReadonlySet<string> {
    return this.#mapping?.reading ?? new Set();
  }

  get environments(): readonly (number | null)[] {
    return this.#pool.environments.map(({ pid }) => pid ?? null);
  }

  start(): void {
    if (this.#mapping !== null) return;
    const { kinesis, stream, random } = this.#options;
    this.#mapping = new EventSourceMapping({
      stream,
      kinesis,
      invoke: (event) => this.#invoke(event),
      window: WINDOW_MS,
      batchSize: BATCH_SIZE,
      random,
      positions: this.#positions,
      pollMs: POLL_MS,
    });
    this.#mapping.start();
    this.#schedule = setInterval(() => {
      this.#scheduled = this.#invoke(SCHEDULED).catch(() => {});
    }, SCHEDULE_MS);
  }

  /** Disables the mapping: resolves when no call is under way. */
  async stop(): Promise<void> {
    if (this.#schedule !== null) clearInterval(this.#schedule);
    const mapping = this.#mapping;
    this.#mapping = null;
    await mapping?.stop();
    await this.#scheduled;
  }

  /** A last look at all shards, as the schedule takes it. */
  async complete(): Promise<void> {
    await this.#pool.invoke(SCHEDULED);
  }

  async suffer({ kind, ms, pick }: Fault): Promise<void> {
    const { timeline, bundle } = this.#options;
    const at = timeline.now;
    const add = (note: string, recovered?: number): void =>
      timeline.add(
        {
          target: 'function',
          kind,
          note,
          ...(recovered === undefined ? {} : { recovery: { of: 'function called', ms: recovered } }),
        },
        at,
      );
    switch (kind) {
      case 'kill an environment':
        await this.#toNext((environment) => setTimeout(() => environment.kill('SIGKILL'), pick * 400));
        return add('', await this.#called());
      case 'kill all environments':
        await this.#pool.stop();
        return add('', await this.#called());
      case 'freeze an environment': {
        await this.#toNext((environment) => {
          setTimeout(() => environment.kill('SIGSTOP'), pick * 400);
          setTimeout(() => environment.kill('SIGCONT'), pick * 400 + ms);
        });
        await sleep(ms);
        return add(`for ${ms} ms`, await this.#called());
      }
      case 'run out of time':
        this.#pool.timeoutMs = 50 + Math.round(pick * 1_000);
        await sleep(ms);
        this.#pool.timeoutMs = TIMEOUT_MS;
        return add(`calls end after ${50 + Math.round(pick * 1_000)} ms, for ${ms} ms`, await this.#called());
      case 'refuse calls':
        this.#refuses = true;
        await sleep(ms);
        this.#refuses = false;
        return add(`for ${ms} ms`, await this.#called());
      case 'deploy another version':
        // Calls under way end in the old version; its warm environments may be called for a while yet.
        this.#pool.entry = this.#pool.entry === SOURCE ? bundle : SOURCE;
        await sleep(ms);
        if (pick < 0.5) await this.#pool.stop();
        return add(this.#pool.entry === SOURCE ? 'from source' : 'bundled', await this.#called());
      case 'recreate the mapping':
        await this.stop();
        this.#positions = new Map();
        this.start();
        return add('it begins at the beginning of the stream', await this.#called());
      default:
        throw new Error(`no fault ${kind} of a function`);
    }
  }

  heal(): void {
    this.#next = null;
    this.#refuses = false;
    this.#pool.timeoutMs = TIMEOUT_MS;
    for (const environment of this.#pool.environments) environment.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    this.heal();
    this.#refuses = true;
    await this.#pool.stop();
    await this.stop().catch(() => {});
    await this.#pool.stop();
  }

  async #invoke(event: unknown): Promise<unknown> {
    if (this.#refuses) throw new Error('TooManyRequestsException');
    const answer = await this.#pool.invoke(event);
    this.#answered += 1;
    return answer;
  }

  /** Resolves when the next call has been made, with what is done to its environment. */
  async #toNext(act: (environment: ChildProcess) => void): Promise<void> {
    this.#next = act;
    await until('the function is called', RECOVERED_MS, () => this.#next === null);
  }

  /** Resolves when a call has been answered, with the milliseconds that took. */
  #called(): Promise<number> {
    const before = this.#answered;
    return until('a call of the function is answered', RECOVERED_MS, () => this.#answered > before);
  }
}
