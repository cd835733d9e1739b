/** The tail input: follows log files and gives their lines to the builders, a turn at a time. */
import * as path from 'node:path';
import type { Counter } from '../counters.ts';
import { Fit } from '../format/fit.ts';
import { Tally } from '../format/json-bytes.ts';
import { Transform } from '../format/transform.ts';
import { type Input, type InputContext, inputName } from '../input.ts';
import { resolvePlaceholders } from '../instance/placeholders.ts';
import { isOfSystem } from './access.ts';
import { CompressedSource } from './compressed.ts';
import { FolderWatch } from './folder-watch.ts';
import { CHECK_BYTES, type Follower, TURN_BYTES } from './follower.ts';
import { ACTIVE } from './followers.ts';
import { Glob } from './glob.ts';
import { ALL, type Splitter, turnBytes, WHOLE_LINES } from './lines.ts';
import type { TailOptions } from './options.ts';
import { type ScanEvent, Scanner } from './scanner.ts';
import { createParser, createSplitter, type FileParser, joinsLines, parserPerFile } from './splitting.ts';
import { tagOf } from './tag.ts';

/** Milliseconds between looks at logs that grow, and at all others. */
const ACTIVE_TICK = 100;
const IDLE_TICK = 1000;
/** Files that one pass over the queue reads at most, however little each holds. */
const FILES_PER_PASS = 64;
/** Milliseconds for which a last line without a newline has to lie still before a flush takes it. */
const SETTLED = 1000;
/** Milliseconds that parts of a container's line wait for the rest. */
const JOINED_WAIT = 5000;
/** Milliseconds between warnings of a format that does not match. */
const WARN_EVERY = 600_000;

const EVENTS: Readonly<Record<ScanEvent, string>> = {
  rotated: 'tailrace_agent_tail_rotations_total',
  truncated: 'tailrace_agent_tail_truncations_total',
  lost_bytes: 'tailrace_agent_tail_lost_bytes_total',
  gone: 'tailrace_agent_tail_gone_files_total',
  refused: 'tailrace_agent_tail_refused_files_total',
  damaged: 'tailrace_agent_tail_damaged_files_total',
};

const TALLIES: readonly (readonly [keyof Tally, string])[] = [
  ['events', 'tailrace_agent_tail_events_total'],
  ['unparsed', 'tailrace_agent_tail_unparsed_total'],
  ['hashed', 'tailrace_agent_tail_hashed_lines_total'],
  ['truncated', 'tailrace_agent_tail_truncated_lines_total'],
  ['replaced', 'tailrace_agent_tail_invalid_utf8_total'],
  ['headers', 'tailrace_agent_tail_header_lines_total'],
  ['excluded', 'tailrace_agent_tail_excluded_total'],
  ['timeless', 'tailrace_agent_tail_timeless_total'],
];

export function createTailInput(options: TailOptions, context: InputContext): Input {
  return new TailInput(options, context);
}

class TailInput implements Input {
  readonly name: string;
  readonly #options: TailOptions;
  readonly #context: InputContext;
  readonly #turnBytes: number;
  readonly #buffer: Buffer;
  readonly #tally = new Tally();
  readonly #fit = new Fit();
  /** When the log last said that the format does not match. */
  #warned = Number.NEGATIVE_INFINITY;
  readonly #clock: { now: number };
  readonly #parsers = new Map<string, FileParser>();
  /** Milliseconds that an event of several lines waits for more. */
  readonly #flushInterval: number;
  readonly #queue: Follower[] = [];
  #scanner!: Scanner;
  #transform!: Transform;
  readonly #watch = new FolderWatch((folder) => this.#woken(folder));
  #running = false;
  #paused = false;
  #scheduled: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;
  #nextLook = 0;
  #nextRefresh = 0;
  #drains: (() => void)[] = [];
  /** Whether a drain is to look once more when all is read. */
  #lookAgain = false;
  readonly #bytes: Counter;
  readonly #parsed: Counter;
  readonly #counters: readonly (readonly [keyof Tally, Counter])[];

  constructor(options: TailOptions, context: InputContext) {
    this.#options = options;
    this.#context = context;
    this.name = inputName(options);
    this.#flushInterval = options.multiline?.flush_interval ?? (joinsLines(options) ? JOINED_WAIT : Infinity);
    this.#turnBytes = Math.max(
      TURN_BYTES,
      turnBytes(options.max_line_size, joinsLines(options) || options.encoding !== undefined),
    );
    const counter = (name: string) => context.counters.counter(name, { input: this.name });
    this.#bytes = counter('tailrace_agent_tail_bytes_total');
    this.#parsed = counter('tailrace_agent_tail_parsed_total');
    this.#counters = TALLIES.map(([key, name]) => [key, counter(name)] as const);
    this.#clock = { now: context.now() };
    this.#buffer = Buffer.allocUnsafeSlow(CHECK_BYTES + this.#turnBytes + 1);
  }

  async start(): Promise<void> {
    const { options, context } = { options: this.#options, context: this.#context };
    this.#transform = new Transform(
      options,
      await resolvePlaceholders(options.add, context.metadata),
      context.counters.counter('tailrace_agent_tail_redacted_values_total', { input: this.name }),
    );
    const globs = (patterns: string | string[] | undefined) =>
      [patterns ?? []].flat().map((p) => new Glob(p));
    this.#scanner = new Scanner(
      {
        include: globs(options.path),
        exclude: globs(options.exclude_path),
        readFromHead: options.read_from_head,
        symlinks: options.symlinks,
        encoded: options.encoding !== undefined,
      },
      {
        state: context.state,
        log: context.log,
        now: context.now,
        uptime: context.uptime,
        count: (event, by = 1) => this.#count(EVENTS[event], by),
        splitter: (file) => this.#splitter(file),
        ready: (follower) => this.#enqueue(follower),
      },
    );
    this.#running = true;
    this.#tick();
    // What is there at the first start, and what was there before it, is known only once it stands in the state.
    if (this.#scanner.fresh) context.afterDurable(() => undefined, true);
  }

  get trouble(): string | null {
    return this.#fit.reason;
  }

  beforeCut(): void {
    this.#scanner?.save();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  drain(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    const drain = Promise.withResolvers<void>();
    this.#drains.push(drain.resolve);
    this.#nextRefresh = 0;
    this.#lookAgain = true;
    this.#scanner.lookAtAll();
    this.#tick();
    return drain.promise;
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#scheduled) clearImmediate(this.#scheduled);
    this.#watch.close();
    this.#queue.length = 0;
    this.#scanner.close();
    for (const resolve of this.#drains.splice(0)) resolve();
  }

  /** Looks at the files, wakes those that have waited long enough, and comes again. */
  #tick(): void {
    if (!this.#running) return;
    if (this.#timer) clearTimeout(this.#timer);
    const now = this.#context.uptime();
    const { logs } = this.#scanner;
    if (now >= this.#nextRefresh) {
      this.#scanner.refresh();
      this.#nextRefresh = now + this.#options.refresh_interval;
      this.#nextLook = now + IDLE_TICK;
    } else {
      const all = now >= this.#nextLook;
      if (all) this.#nextLook = now + IDLE_TICK;
      for (const log of logs.values()) if (all || log.activeUntil > now) this.#scanner.lookClosely(log);
    }
    let active = this.#drains.length > 0;
    for (const log of logs.values()) {
      if (log.rotated.size > 0) this.#scanner.lookAtRotated(log);
      for (const follower of log.followers()) this.#wake(follower, now);
      active ||= log.activeUntil > now || log.rotated.size > 0;
    }
    this.#settleDrains();
    this.#watchIdle(now);
    const wait = active ? ACTIVE_TICK : Math.min(this.#nextLook, this.#nextRefresh) - now;
    this.#timer = setTimeout(() => this.#tick(), Math.max(wait, 1));
  }

  /** Watches the folders in which nothing grows; those of symbolic links too. */
  #watchIdle(now: number): void {
    const idle = new Set<string>();
    const busy = new Set<string>();
    for (const log of this.#scanner.logs.values()) {
      const folders = log.activeUntil > now ? busy : idle;
      folders.add(path.dirname(log.path));
      if (log.folder !== '') folders.add(log.folder);
    }
    this.#watch.watch(idle.difference(busy));
  }

  #woken(folder: string): void {
    if (!this.#running) return;
    const until = this.#context.uptime() + ACTIVE;
    for (const log of this.#scanner.logs.values()) {
      if (log.folder === folder || path.dirname(log.path) === folder) log.activeUntil = until;
    }
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(), 0);
  }

  /** Has a file read whose last bytes have waited for more for long enough. */
  #wake(follower: Follower, now: number): void {
    if (follower.queued) return;
    if (follower.failing) this.#enqueue(follower);
    const still = now - follower.lastGrowth;
    if (follower.rotated) {
      const { source } = follower;
      if (source instanceof CompressedSource ? !source.ended : still < this.#options.rotate_wait) return;
      follower.ending = ALL;
      this.#enqueue(follower);
    } else if (follower.seen > follower.offset && still >= this.#flushInterval) {
      follower.ending = WHOLE_LINES;
      this.#enqueue(follower);
    }
  }

  #enqueue(follower: Follower): void {
    if (follower.queued) return;
    follower.queued = true;
    this.#queue.push(follower);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#paused || !this.#running || this.#queue.length === 0) return;
    this.#scheduled = setImmediate(() => {
      this.#scheduled = null;
      this.#pass();
      this.#schedule();
    });
  }

  /** Reads about one turn's worth, from one file or from many that have little. */
  #pass(): void {
    const now = this.#context.uptime();
    this.#clock.now = this.#context.now();
    let bytes = 0;
    for (let files = 0; files < FILES_PER_PASS && bytes < this.#turnBytes && !this.#paused; files++) {
      const follower = this.#queue.shift();
      if (!follower) break;
      follower.queued = false;
      if (this.#scanner.followers.get(follower.key) !== follower) continue;
      const seen = follower.seen;
      this.#read(follower, now);
      bytes += Math.max(0, follower.seen - seen);
    }
    this.#report(bytes);
    this.#settleDrains();
  }

  #read(follower: Follower, now: number): void {
    const last = follower.ending === ALL && follower.rotated;
    try {
      const result = follower.turn(this.#buffer, this.#turnBytes, now);
      if (result === 'more') this.#enqueue(follower);
      else if (result === 'truncated') this.#scanner.truncated(follower);
      else if (last) this.#scanner.finish(follower);
      follower.failing = false;
    } catch (error) {
      if (!isOfSystem(error)) throw error;
      if (!follower.failing) {
        this.#context.log.error(
          { file: follower.openedAs, err: error },
          'file can not be read, and is tried again',
        );
      }
      follower.failing = true;
      this.#count('tailrace_agent_tail_read_errors_total', 1);
    }
  }

  #settleDrains(): void {
    if (this.#drains.length === 0 || this.#queue.length > 0) return;
    const now = this.#context.uptime();
    let waiting = false;
    for (const follower of this.#scanner.followers.all()) {
      const { source } = follower;
      if ((source instanceof CompressedSource && !source.ended) || follower.failing) waiting = true;
      if (follower.seen === follower.offset) continue;
      waiting = true;
      if (now - follower.lastGrowth < SETTLED) continue;
      follower.ending = ALL;
      this.#enqueue(follower);
    }
    if (waiting) return;
    // What a rotated file is may only be told by what was read meanwhile.
    if (this.#lookAgain) {
      this.#lookAgain = false;
      this.#scanner.lookAtAll();
      this.#scanner.refresh();
      if (this.#queue.length > 0) return;
    }
    for (const resolve of this.#drains.splice(0)) resolve();
  }

  #splitter(file: string): Splitter {
    return createSplitter(
      this.#options,
      this.#parserOf(tagOf(this.#options.tag, file), file),
      this.#transform,
    );
  }

  #parserOf(tag: string, file: string): FileParser {
    const shared = parserPerFile(this.#options) ? undefined : this.#parsers.get(tag);
    if (shared) return shared;
    const target = { builders: this.#context.builders.tag(tag), tally: this.#tally, clock: this.#clock };
    const made = { parser: createParser(this.#options, target, this.#transform, file), target };
    if (!parserPerFile(this.#options)) this.#parsers.set(tag, made);
    return made;
  }

  /** Brings what the parsers tallied into the counters. */
  #report(bytes: number): void {
    const tally = this.#tally;
    this.#bytes.value += bytes;
    this.#parsed.value += tally.events - tally.unparsed;
    this.#noticeFit(tally.events + tally.excluded, tally.unparsed);
    for (const [key, counter] of this.#counters) {
      counter.value += tally[key];
      tally[key] = 0;
    }
  }

  /** Says that the format does not match when it begins, and every ten minutes while it lasts. */
  #noticeFit(lines: number, unparsed: number): void {
    const now = this.#context.uptime();
    const change = this.#fit.add(lines, unparsed, now);
    const { log } = this.#context;
    if (change === 'right') log.info('lines match the format');
    if (change === 'wrong' || (this.#fit.reason !== null && lines > 0 && now - this.#warned >= WARN_EVERY)) {
      this.#warned = now;
      log.warn({ reason: this.#fit.reason }, 'lines do not match the format');
    }
  }

  #count(name: string, by: number): void {
    this.#context.counters.add(name, by, { input: this.name });
  }
}
