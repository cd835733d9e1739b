/**
 * A tail input on builders whose cuts are kept in memory: `cut()` makes everything read so far durable, `crash()`
 * keeps only that, as kill -9 does with a spool on disk.
 */
import * as fs from 'node:fs';
import pino from 'pino';
import * as z from 'zod/mini';
import { type Builder, Builders, DEFAULT_BUILDER_LIMITS } from '../../producer/builder.ts';
import { Counters } from '../../producer/counters.ts';
import type { Input } from '../../producer/input.ts';
import { type Changes, type Json, StateMap } from '../../producer/state.ts';
import { createTailInput } from '../../producer/tail/input.ts';
import { tailOptions } from '../../producer/tail/options.ts';
import { NO_METADATA } from './metadata-double.ts';

export interface TailEvent {
  readonly tag: string;
  readonly hour: number;
  readonly [field: string]: unknown;
}

export class TailHarness {
  readonly options: Record<string, unknown>;
  /** Over all runs. */
  readonly counters = new Counters();
  /** The clock of the input; null for the real one. */
  clock: number | null = null;
  /** Its monotonic clock; null for the real one. */
  uptime: number | null = null;
  /** When the machine was booted; undefined for this one. */
  booted: number | undefined = undefined;
  readonly logged: Record<string, unknown>[] = [];
  input: Input | null = null;
  readonly #durable: { tag: string; hour: number; lines: string }[] = [];
  #pending: { tag: string; hour: number; lines: string }[] = [];
  readonly #saved = new Map<string, Json>();
  #state = new StateMap();
  #builders!: Builders;

  constructor(options: Record<string, unknown>) {
    this.options = { type: 'tail', tag: 'test', format: 'none', ...options };
  }

  async start(): Promise<Input> {
    const now = () => this.clock ?? Date.now();
    this.#state = new StateMap(this.#saved);
    this.#builders = new Builders(
      { ...DEFAULT_BUILDER_LIMITS, chunkBytes: 256 * 1024 },
      now,
      this.counters,
      (builder) => this.#take(builder),
    );
    const log = pino({ level: 'debug' }, { write: (line) => void this.logged.push(JSON.parse(line)) });
    this.input = createTailInput(z.parse(tailOptions, this.options), {
      builders: this.#builders,
      state: this.#state,
      afterDurable: (done) => setImmediate(done),
      log,
      now,
      uptime: () => this.uptime ?? performance.now(),
      booted: this.booted,
      counters: this.counters,
      metadata: NO_METADATA,
    });
    await this.input.start();
    return this.input;
  }

  /** What the sealer does between two turns. */
  cut(): void {
    this.input!.beforeCut();
    for (const builder of this.#builders.filled()) this.#take(builder);
    const changes: Changes = this.#state.takeChanges();
    for (const [key, value] of Object.entries(changes)) {
      if (value === null) this.#saved.delete(key);
      // As it would be read back from disk.
      else this.#saved.set(key, JSON.parse(JSON.stringify(value)));
    }
    this.#durable.push(...this.#pending);
    this.#pending = [];
  }

  /** Stops the input and discards what was read since the last cut. */
  async crash(): Promise<void> {
    await this.input?.stop();
    this.input = null;
    this.#pending = [];
  }

  /** A clean stop. */
  async stop(): Promise<void> {
    await this.input!.drain();
    this.cut();
    await this.input!.stop();
    this.input = null;
  }

  /** Reads everything available and makes it durable. */
  async settle(): Promise<void> {
    await this.input!.drain();
    this.cut();
  }

  /** The lines of the durable events, byte for byte. */
  lines(): string[] {
    return this.#durable.flatMap(({ lines }) => lines.split('\n').slice(0, -1));
  }

  events(): TailEvent[] {
    return this.#durable.flatMap(({ tag, hour, lines }) =>
      lines
        .split('\n')
        .slice(0, -1)
        .map((line) => ({ tag, hour, ...JSON.parse(line) })),
    );
  }

  messages(): string[] {
    return this.events().map((event) => String(event.message));
  }

  /** Puts a state in the place of what was made durable, such as an earlier version wrote it. */
  load(state: Readonly<Record<string, Json>>): void {
    this.#saved.clear();
    for (const [key, value] of Object.entries(state)) this.#saved.set(key, value);
  }

  /** What a volume looks like that was mounted under another device number while the agent was down. */
  remount(): void {
    for (const [key, value] of this.#saved) {
      if (!key.startsWith('gen ')) continue;
      const fields = [...(value as readonly Json[])];
      fields[9] = String(fields[9]).replace(/^\d+:/, (device) => `${Number.parseInt(device, 10) + 1}:`);
      this.#saved.set(key, fields);
    }
  }

  /** Generations in the durable state that are not read to their end yet. */
  get unfinished(): number {
    const ENDED = 4;
    return [...this.#saved].filter(
      ([key, value]) => key.startsWith('gen ') && (Number((value as readonly Json[])[8]) & ENDED) === 0,
    ).length;
  }

  get state(): ReadonlyMap<string, Json> {
    return this.#saved;
  }

  #take(builder: Builder): void {
    const lines = builder.buffer.toString('utf8', 0, builder.length);
    this.#pending.push({ tag: builder.tag, hour: builder.hour, lines });
    builder.clear();
  }
}

/** What happens to a log: text is written, the input reads and cuts (null), or crashes and restarts (undefined). */
export type TailStep = string | null | undefined;

/** @returns everything that was written */
export async function play(tail: TailHarness, file: string, steps: readonly TailStep[]): Promise<string> {
  let text = '';
  for (const step of steps) {
    if (typeof step === 'string') {
      fs.appendFileSync(file, step);
      text += step;
    } else if (step === null) {
      await new Promise((resolve) => setImmediate(resolve));
      tail.cut();
    } else {
      await tail.crash();
      await tail.start();
    }
  }
  return text;
}
