/** A test double of the agent around one input: builders, state and cuts, with an array as the disk. */
import { pino } from 'pino';
import { type Builder, Builders, DEFAULT_BUILDER_LIMITS } from '../../producer/builder.ts';
import { Counters } from '../../producer/counters.ts';
import type { Input, InputContext } from '../../producer/input.ts';
import { type Json, StateMap } from '../../producer/state.ts';
import { NO_METADATA } from './metadata-double.ts';

export interface CutLine {
  readonly tag: string;
  readonly hour: number;
  readonly line: string;
}

export interface Cut {
  readonly lines: readonly CutLine[];
  readonly changes: Readonly<Record<string, Json>>;
}

export interface CutsOptions {
  /** Whether a request for an ack triggers a cut, soon. */
  readonly auto?: boolean;
  /** What an earlier double left on its disk. */
  readonly disk?: Cut[];
  readonly now?: () => number;
  readonly uptime?: () => number;
  readonly maxTags?: number;
}

export class Cuts {
  /** What has been made durable. */
  readonly disk: Cut[];
  readonly counters = new Counters();
  readonly context: InputContext;
  readonly logged: string[] = [];
  #input: Input | null = null;
  #full: CutLine[] = [];
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | null = null;
  readonly #builders: Builders;
  readonly #state: StateMap;

  constructor(options: CutsOptions = {}) {
    const { auto = true, disk = [], now = Date.now, maxTags = 1000 } = options;
    const { uptime = () => performance.now() } = options;
    this.disk = disk;
    const state = new Map<string, Json>();
    for (const cut of disk) {
      for (const [key, value] of Object.entries(cut.changes)) {
        if (value === null) state.delete(key);
        else state.set(key, value);
      }
    }
    this.#state = new StateMap(state);
    const limits = { ...DEFAULT_BUILDER_LIMITS, maxTags };
    this.#builders = new Builders(limits, now, this.counters, (builder) =>
      this.#collect(builder, this.#full),
    );
    this.context = {
      builders: this.#builders,
      state: this.#state,
      afterDurable: (done) => {
        this.#waiting.push(done);
        if (auto) this.#timer ??= setTimeout(() => this.cut(), 2);
      },
      log: pino({ level: 'debug' }, { write: (line: string) => this.logged.push(line) }),
      now,
      uptime,
      counters: this.counters,
      metadata: NO_METADATA,
    };
  }

  attach(input: Input): void {
    this.#input = input;
  }

  /** How many acks are waiting for a cut. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Makes everything received so far durable, and reports it. */
  cut(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#input?.beforeCut();
    const lines = this.#full;
    this.#full = [];
    for (const builder of this.#builders.filled()) this.#collect(builder, lines);
    this.disk.push({ lines, changes: this.#state.takeChanges() });
    for (const done of this.#waiting.splice(0)) done();
  }

  /** All durable lines. */
  get lines(): CutLine[] {
    return this.disk.flatMap((cut) => cut.lines);
  }

  /** All durable events, parsed. */
  get events(): Record<string, unknown>[] {
    return this.lines.map(({ line }) => JSON.parse(line) as Record<string, unknown>);
  }

  count(name: string, labels: Record<string, string> = {}): number {
    let sum = 0;
    for (const counter of this.counters) {
      const fits = Object.entries(labels).every(([key, value]) => counter.labels[key] === value);
      if (counter.name === name && fits) sum += counter.value;
    }
    return sum;
  }

  #collect(builder: Builder, lines: CutLine[]): void {
    const text = builder.buffer.toString('utf8', 0, builder.length);
    if (!text.endsWith('\n')) throw new Error('a builder holds a line without its newline');
    for (const line of text.slice(0, -1).split('\n'))
      lines.push({ tag: builder.tag, hour: builder.hour, line });
    builder.clear();
  }
}
