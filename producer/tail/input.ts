/** The tail input: follows log files and gives their lines to the builders, a turn at a time. */
import type { Counter } from '../counters.ts';
import { Fit } from '../format/fit.ts';
import { Tally } from '../format/json-bytes.ts';
import { RawLines } from '../format/raw-lines.ts';
import { Transform } from '../format/transform.ts';
import { type Input, type InputContext, inputName } from '../input.ts';
import { resolvePlaceholders } from '../instance/placeholders.ts';
import { readPositions } from '../predecessor/positions.ts';
import { isOfSystem } from './access.ts';
import { CompressedSource } from './compressed.ts';
import { CHECK_BYTES, type Follower, TURN_BYTES } from './follower.ts';
import { globsOf } from './glob.ts';
import { openFilesLimit } from './limits.ts';
import { ALL, type Splitter, turnBytes, WHOLE_LINES } from './lines.ts';
import { Looks } from './looks.ts';
import type { TailOptions } from './options.ts';
import { bootTime } from './power-loss.ts';
import { type ScanEvent, Scanner, STARTED } from './scanner.ts';
import {
  addsPath,
  createParser,
  createSplitter,
  FILE_PATH,
  type FileParser,
  joinsLines,
  parserPerFile,
} from './splitting.ts';
import { tagOf } from './tag.ts';

/** Milliseconds between looks at logs that grow. */
const ACTIVE_TICK = 100;
/** A look's cost times this passes until the next one at least. */
const SPARSE = 4;
/** Milliseconds between looks at most while something grows. */
const SLOWEST_TICK = 1000;
/** Files that one pass over the queue reads at most, however little each holds. */
const FILES_PER_PASS = 512;
/** Looks of a drain: what one file is may be known only when another one was read. */
const DRAIN_LOOKS = 4;
/** Milliseconds without growth after which a file may be closed when there are too many. */
const PARK_AFTER = 5000;
/** Files that stay open whatever the limit. */
const MIN_OPEN = 16;
/** Milliseconds for which a last line without a newline has to lie still before a flush takes it. */
const SETTLED = 1000;
/** Milliseconds that parts of a container's line wait for the rest. */
const JOINED_WAIT = 5000;
/** Milliseconds between warnings of a format that does not match. */
const WARN_EVERY = 600_000;

const EVENTS: Readonly<Record<Exclude<ScanEvent, 'exhausted'>, string>> = {
  rotated: 'tailrace_agent_tail_rotations_total',
  truncated: 'tailrace_agent_tail_truncations_total',
  lost_bytes: 'tailrace_agent_tail_lost_bytes_total',
  gone: 'tailrace_agent_tail_gone_files_total',
  refused: 'tailrace_agent_tail_refused_files_total',
  damaged: 'tailrace_agent_tail_damaged_files_total',
  copies: 'tailrace_agent_tail_copies_total',
  alike: 'tailrace_agent_tail_alike_files_total',
  cut: 'tailrace_agent_tail_cut_files_total',
  repeated: 'tailrace_agent_tail_repeated_files_total',
  history: 'tailrace_agent_tail_history_files_total',
};

const TALLIES: readonly (readonly [keyof Tally, string])[] = [
  ['events', 'tailrace_agent_tail_events_total'],
  ['unparsed', 'tailrace_agent_tail_unparsed_total'],
  ['hashed', 'tailrace_agent_tail_hashed_lines_total'],
  ['truncated', 'tailrace_agent_tail_truncated_lines_total'],
  ['replaced', 'tailrace_agent_tail_invalid_utf8_total'],
  ['adjusted', 'tailrace_agent_tail_adjusted_json_total'],
  ['zeros', 'tailrace_agent_tail_zero_bytes_total'],
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
  /** The files to read, from `#head` on. */
  readonly #queue: Follower[] = [];
  #head = 0;
  /** The files that time alone moves on: rotated ones, last lines that wait, files that cannot be read. */
  readonly #restless = new Set<Follower>();
  #openLimit = openFilesLimit();
  #scanner!: Scanner;
  #looks!: Looks;
  /** By the path of the log. */
  #transformOf!: (file: string) => Transform;
  #running = false;
  #paused = false;
  #scheduled: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;
  #nextRefresh = 0;
  #refreshed = 0;
  /** All that was in the files at this time was read, on the monotonic clock; 0 before that is known. */
  #readUpTo = 0;
  #drains: (() => void)[] = [];
  /** Whether the next refresh has to look at everything, whatever the clocks of folders say. */
  #lookAtAll = false;
  /** How often a drain may still look when all is read. */
  #looksLeft = 0;
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
    if (joinsLines(options)) context.builders.guard();
    this.#clock = { now: context.now() };
    this.#buffer = RawLines.buffer(CHECK_BYTES + this.#turnBytes + 1);
  }

  async start(): Promise<void> {
    const { options, context } = { options: this.#options, context: this.#context };
    const placeholders = await resolvePlaceholders(options.add, context.metadata);
    const redacted = context.counters.counter('tailrace_agent_tail_redacted_values_total', {
      input: this.name,
    });
    const transformOf = (file: string): Transform =>
      new Transform(options, { ...placeholders, [FILE_PATH]: file }, redacted);
    const shared = transformOf('');
    this.#transformOf = addsPath(options) ? transformOf : () => shared;
    const from = options.take_over;
    const isFirst = from !== undefined && context.state.get(STARTED) === undefined;
    const positions = isFirst ? await readPositions(from) : null;
    if (isFirst && positions === null)
      context.log.warn(from, 'the other agent has left no positions: starts as read_from_head says');
    this.#scanner = new Scanner(
      {
        include: globsOf(options.path),
        exclude: globsOf(options.exclude_path),
        readFromHead: options.read_from_head,
        symlinks: options.symlinks,
        encoded: options.encoding !== undefined,
      },
      {
        state: context.state,
        log: context.log,
        now: context.now,
        uptime: context.uptime,
        count: (event, by = 1) =>
          event === 'exhausted' ? this.#exhausted() : this.#count(EVENTS[event], by),
        splitter: (file) => this.#splitter(file),
        ready: (follower) => this.#enqueue(follower),
        openLimit: () => this.#openLimit,
        booted: context.booted ?? bootTime(),
        positions,
      },
    );
    this.#looks = new Looks(this.#scanner, () => this.#woken());
    this.#running = true;
    this.#tick();
    // What is there at the first start, and what was there before it, is known only once it is in the state.
    if (this.#scanner.fresh) context.afterDurable(() => undefined, true);
  }

  get trouble(): string | null {
    return this.#fit.reason;
  }

  get readUpTo(): number {
    const { now, uptime } = this.#context;
    return this.#readUpTo === 0 ? 0 : Math.floor(now() - (uptime() - this.#readUpTo));
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
    this.#looksLeft = DRAIN_LOOKS;
    this.#lookAtAll = true;
    this.#tick();
    return drain.promise;
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#scheduled) clearImmediate(this.#scheduled);
    this.#looks.close();
    this.#queue.length = 0;
    this.#head = 0;
    this.#restless.clear();
    this.#scanner.close();
    for (const resolve of this.#drains.splice(0)) resolve();
  }

  /** Looks at the files, wakes those that have waited long enough, and schedules the next look. */
  #tick(): void {
    if (!this.#running) return;
    if (this.#timer) clearTimeout(this.#timer);
    const begin = performance.now();
    const now = this.#context.uptime();
    if (now >= this.#nextRefresh) {
      this.#scanner.refresh(this.#lookAtAll);
      this.#lookAtAll = false;
      this.#refreshed = now;
      this.#nextRefresh = now + this.#options.refresh_interval;
    }
    this.#looks.look(now);
    this.#scanner.lookAtDisturbed();
    for (const follower of this.#restless) {
      if (follower.rotated && this.#scanner.open.has(follower)) this.#scanner.lookAtRotated(follower);
      this.#wake(follower, now);
    }
    this.#park(now);
    this.#settleDrains();
    this.#noteReadUpTo();
    const busy =
      this.#looks.busy || this.#scanner.waiting > 0 || this.#restless.size > 0 || this.#drains.length > 0;
    // With very many logs a look takes long: reading has to come between.
    const cost = performance.now() - begin;
    const wait = busy
      ? Math.max(ACTIVE_TICK, Math.min(cost * SPARSE, SLOWEST_TICK))
      : Math.min(this.#looks.next, this.#nextRefresh) - now;
    this.#timer = setTimeout(() => this.#tick(), Math.max(wait, 1));
  }

  /** Something happened in a folder that was idle. */
  #woken(): void {
    if (!this.#running) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(), 0);
  }

  /** Closes files that lie still while more are to be open than there is room for. */
  #park(now: number): void {
    const scanner = this.#scanner;
    const { open, waiting } = scanner;
    const urgent = waiting > 0 || open.size > this.#openLimit;
    const target = waiting > 0 ? this.#openLimit / 2 : this.#openLimit;
    for (const follower of urgent ? open.keys() : []) {
      if (open.size <= target) break;
      if (follower.queued || follower.rotated || follower.failing || !follower.isRead) continue;
      if (waiting > 0 || now - follower.lastGrowth >= PARK_AFTER) scanner.park(follower);
    }
    scanner.openWaiting();
  }

  /** The system opens no more files: goes on with those that are open, and comes back to the others. */
  #exhausted(): void {
    this.#count('tailrace_agent_tail_open_limit_total', 1);
    const limit = Math.max(MIN_OPEN, Math.floor(this.#scanner.open.size * 0.9));
    if (limit >= this.#openLimit) return;
    this.#openLimit = limit;
    this.#context.log.error(
      { open: this.#scanner.open.size },
      'reached the limit of open files: reading goes on, idle files are closed to make room; raise LimitNOFILE',
    );
  }

  /** Has a file read whose last bytes have waited for more for long enough. */
  #wake(follower: Follower, now: number): void {
    if (!this.#scanner.open.has(follower) || !isRestless(follower)) {
      this.#restless.delete(follower);
      return;
    }
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
    if (this.#scheduled || this.#paused || !this.#running || this.#head === this.#queue.length) return;
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
      const follower = this.#next();
      if (!follower) break;
      follower.queued = false;
      if (!this.#scanner.open.has(follower)) continue;
      const seen = follower.seen;
      this.#read(follower, now);
      bytes += Math.max(0, follower.seen - seen);
    }
    this.#report(bytes);
    this.#settleDrains();
    this.#noteReadUpTo();
  }

  /** When nothing that was found is left to read, all was read that the files had before the last looks at all of them. */
  #noteReadUpTo(): void {
    if (this.#head < this.#queue.length || this.#scanner.waiting > 0 || this.#scanner.unsettled) return;
    let upTo = Math.min(this.#looks.sweptSince, this.#refreshed);
    for (const { failing, source, seen, offset, givenUpTo } of this.#restless) {
      if (failing || (source instanceof CompressedSource && !source.ended)) return;
      // Lines that wait for more are in no event yet; one without its newline alone is not waited for.
      if (seen > offset && this.#flushInterval < Infinity) upTo = Math.min(upTo, givenUpTo);
    }
    this.#readUpTo = Math.max(this.#readUpTo, upTo);
  }

  #next(): Follower | null {
    if (this.#head === this.#queue.length) return null;
    const follower = this.#queue[this.#head++]!;
    // Shifting each one of many thousands would move all that are behind it.
    if (this.#head * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    return follower;
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
      if (!follower.failing)
        this.#context.log.error({ file: follower.file, err: error }, 'cannot read the file; it is retried');
      follower.failing = true;
      this.#count('tailrace_agent_tail_read_errors_total', 1);
      if (error.code === 'ESTALE') this.#scanner.reopen(follower);
    }
    if (isRestless(follower)) this.#restless.add(follower);
  }

  #settleDrains(): void {
    if (this.#drains.length === 0 || this.#head < this.#queue.length || this.#scanner.waiting > 0) return;
    const now = this.#context.uptime();
    let waiting = false;
    for (const follower of this.#scanner.open.keys()) {
      const { source } = follower;
      if (source instanceof CompressedSource || follower.failing) waiting = true;
      if (source instanceof CompressedSource && source.ended) {
        follower.ending = ALL;
        this.#enqueue(follower);
      }
      if (follower.seen === follower.offset) continue;
      waiting = true;
      if (now - follower.lastGrowth < SETTLED) continue;
      follower.ending = ALL;
      this.#enqueue(follower);
    }
    if (waiting) return;
    // What a file is may only be known by what was read meanwhile.
    this.#scanner.lookAtDisturbed();
    if (this.#head < this.#queue.length) return;
    if (this.#looksLeft > 0 && (this.#looksLeft === DRAIN_LOOKS || this.#scanner.unsettled)) {
      this.#looksLeft--;
      this.#scanner.refresh(true);
      if (this.#head < this.#queue.length) return;
    }
    if (this.#scanner.blind) {
      this.#lookAtAll = true;
      this.#nextRefresh = Math.min(this.#nextRefresh, now + SETTLED);
      return;
    }
    for (const resolve of this.#drains.splice(0)) resolve();
  }

  #splitter(file: string): Splitter {
    const transform = this.#transformOf(file);
    return createSplitter(
      this.#options,
      this.#parserOf(tagOf(this.#options.tag, file), file, transform),
      transform,
    );
  }

  #parserOf(tag: string, file: string, transform: Transform): FileParser {
    const shared = parserPerFile(this.#options) ? undefined : this.#parsers.get(tag);
    if (shared) return shared;
    const target = { builders: this.#context.builders.tag(tag), tally: this.#tally, clock: this.#clock };
    const made = { parser: createParser(this.#options, target, transform, file), target };
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

/** Whether time alone may move a file on. */
function isRestless({ rotated, failing, seen, offset }: Follower): boolean {
  return rotated || failing || seen > offset;
}
