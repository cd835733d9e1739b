/** Builders: one growing NDJSON buffer per (tag, hour), which inputs write into directly. */
import { MAX_TAG_BYTES } from '../chunk/header.ts';
import type { Counter, Counters } from './counters.ts';

export const HOUR_MS = 3_600_000;
/** The tag of events beyond the limit of tags. */
const OVERFLOW_TAG = '_other';
/** The longest NDJSON line that an input may write, in bytes; it truncates longer ones and marks them `"_truncated": true`. */
export const MAX_LINE_BYTES = 512 * 1024;
/**
 * How deep the objects and arrays of a line may be nested, itself included: DataFusion from Python refuses 64, Arrow's
 * interface to it being limited to that; serde_json refuses more than 127, DuckDB 200.
 */
export const MAX_DEPTH = 63;

const NEWLINE = 0x0a;
const SPACE = 0x20;
const INITIAL_BYTES = 64 * 1024;
const NO_BUFFER = Buffer.alloc(0);
/** The most builders at a time: a client that spreads events over many tags and hours gets small chunks, not all memory. */
const MAX_BUILDERS = 2048;
/** Empty buffers kept for the next hour's or tag's builder. */
const POOLED = 4;

export interface BuilderLimits {
  /** Initial raw size at which a builder is full and its lines become a chunk immediately. */
  readonly chunkBytes: number;
  readonly maxTags: number;
  /** Event times further in the past or the future than this, in milliseconds, count as implausible. */
  readonly maxPast: number;
  readonly maxFuture: number;
}

export const DEFAULT_BUILDER_LIMITS: BuilderLimits = {
  chunkBytes: 1536 * 1024,
  maxTags: 1000,
  maxPast: 30 * 24 * HOUR_MS,
  maxFuture: 24 * HOUR_MS,
};

/**
 * Collects the lines of one tag and hour. To add a line: `reserve`, write at `buffer[length]`, `commit`. Each of the
 * two calls may change `buffer` and `length`.
 */
export class Builder {
  readonly tag: string;
  readonly hour: number;
  buffer: Buffer;
  /** Bytes of whole lines in `buffer`. */
  length = 0;
  events = 0;
  /** Earliest and latest time of the lines, milliseconds since 1970. */
  firstTime = Number.POSITIVE_INFINITY;
  lastTime = 0;
  /** Time of the line to be committed next. */
  time = 0;
  /** The builders of the same tag. */
  readonly siblings: TagBuilders;
  readonly #owner: Builders;

  constructor(siblings: TagBuilders, hour: number, buffer: Buffer, owner: Builders) {
    this.tag = siblings.tag;
    this.hour = hour;
    this.buffer = buffer;
    this.siblings = siblings;
    this.#owner = owner;
  }

  /** Makes room for `bytes` more after `length`. */
  reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }

  /** Bytes of lines after which it is full. */
  get missing(): number {
    return this.#owner.threshold - this.length;
  }

  /** Accepts the line written from `length` to `end`, newline included. */
  commit(end: number): void {
    this.length = end;
    this.events++;
    if (this.time < this.firstTime) this.firstTime = this.time;
    if (this.time > this.lastTime) this.lastTime = this.time;
    if (end >= this.#owner.threshold) this.#owner.reached(this);
  }

  /** Accepts whole lines written from `length` to `end`, whose times all are in this hour, milliseconds since 1970. */
  commitMany(end: number, events: number, firstTime: number, lastTime: number): void {
    this.length = end;
    this.events += events;
    if (firstTime < this.firstTime) this.firstTime = firstTime;
    if (lastTime > this.lastTime) this.lastTime = lastTime;
    if (end >= this.#owner.threshold) this.#owner.reached(this);
  }

  /** Empties the builder after its lines have gone into a chunk. */
  clear(): void {
    this.length = 0;
    this.events = 0;
    this.firstTime = Number.POSITIVE_INFINITY;
    this.lastTime = 0;
  }
}

/** Makes one line of each event: a builder of its own, because every statement in `commit` costs every line. */
class OneLineBuilder extends Builder {
  readonly #broken: Counter;

  constructor(siblings: TagBuilders, hour: number, buffer: Buffer, owner: Builders, broken: Counter) {
    super(siblings, hour, buffer, owner);
    this.#broken = broken;
  }

  override commit(end: number): void {
    const { buffer, length } = this;
    if (buffer.indexOf(NEWLINE, length) < end - 1) {
      this.#broken.value++;
      for (let at = length; at < end - 1; at++) if (buffer[at] === NEWLINE) buffer[at] = SPACE;
    }
    super.commit(end);
  }
}

/** The builders of one tag. */
export class TagBuilders {
  readonly tag: string;
  /** The inputs that write here, with all that they write. */
  group: TagGroup;
  readonly #owner: Builders;
  readonly #hours = new Map<number, Builder>();
  #last: Builder | null = null;

  constructor(tag: string, group: TagGroup, owner: Builders) {
    this.tag = tag;
    this.group = group;
    this.#owner = owner;
    group.tags.add(this);
  }

  /**
   * The builder for an event of this time. An implausible time is counted, and the event goes to its hour of arrival.
   *
   * @param time milliseconds since 1970
   */
  at(time: number): Builder {
    const plausible = this.#owner.plausible(time);
    const hour = Math.floor(plausible / HOUR_MS);
    let builder = this.#last;
    if (builder === null || builder.hour !== hour) {
      builder = this.#hours.get(hour) ?? null;
      if (builder === null) {
        builder = this.#owner.create(this, hour);
        this.#hours.set(hour, builder);
      }
      this.#last = builder;
    }
    builder.time = plausible;
    return builder;
  }

  /** Whether an event of this time goes to its own hour. */
  isPlausible(time: number): boolean {
    return this.#owner.isPlausible(time);
  }

  /**
   * The seconds since 1970, from the first to the one behind the last, whose every event goes to the same builder as one
   * at `time` would; null if none does.
   *
   * @param time milliseconds since 1970
   */
  span(time: number): { readonly from: number; readonly to: number } | null {
    const { earliest, latest } = this.#owner;
    const hour = Math.floor(time / HOUR_MS);
    const from = Math.max(hour * HOUR_MS, earliest);
    const to = Math.min((hour + 1) * HOUR_MS, latest);
    return time >= from && time < to ? { from: Math.ceil(from / 1000), to: Math.floor(to / 1000) } : null;
  }

  builders(): IterableIterator<Builder> {
    return this.#hours.values();
  }

  forget(builder: Builder): void {
    this.#hours.delete(builder.hour);
    if (this.#last === builder) this.#last = null;
  }
}

/** Where an input gets its builders. */
export interface TagSource {
  /** As {@link Builders.tag}. */
  tag(tag: string): TagBuilders;
  /** Has each event checked to be one line: for inputs that make events of several. */
  guard(): void;
}

/**
 * Inputs that share tags, and all tags they write: what one of them has read goes into the same chunks as what the
 * others have read, so a cut takes a whole group or nothing of it.
 */
export class TagGroup {
  readonly inputs = new Set<string>();
  readonly tags = new Set<TagBuilders>();
}

/** All builders of an agent. */
export class Builders {
  readonly #limits: BuilderLimits;
  readonly #now: () => number;
  readonly #full: (builder: Builder) => void;
  #chunkBytes: number;
  /** Raw bytes at which a committed line calls {@link reached}: one comparison per line serves both limits. */
  threshold: number;
  /** Whether some input makes events of several lines: then each event is checked to be one line itself. */
  #guarded = false;
  readonly #tags = new Map<string, TagBuilders>();
  /** By input. */
  readonly #groups = new Map<string, TagGroup>();
  readonly #pool: Buffer[] = [];
  #count = 0;
  readonly #absurd: Counter;
  readonly #broken: Counter;
  readonly #overflow: Counter;
  /** The window of plausible times, milliseconds since 1970. */
  earliest = 0;
  latest = 0;

  /**
   * @param now milliseconds since 1970
   * @param full called inside `commit` with a builder whose lines should become a chunk; leaves it empty
   */
  constructor(
    limits: BuilderLimits,
    now: () => number,
    counters: Counters,
    full: (builder: Builder) => void,
  ) {
    this.#limits = limits;
    this.#now = now;
    this.#full = full;
    this.#chunkBytes = limits.chunkBytes;
    this.threshold = limits.chunkBytes;
    this.#broken = counters.counter('tailrace_agent_inner_newlines_total');
    this.#absurd = counters.counter('tailrace_agent_absurd_times_total');
    this.#overflow = counters.counter('tailrace_agent_tag_overflows_total');
    this.refresh();
  }

  /**
   * The builders of a tag; keep the result for as long as the source has that tag. Beyond `maxTags` it is that of
   * `_other`, and each such call is counted.
   *
   * @param input the name of the input that is going to write there
   */
  tag(tag: string, input = ''): TagBuilders {
    const builders = this.#tags.get(tag) ?? this.#newTag(tag, input);
    this.#join(builders.group, this.group(input));
    return builders;
  }

  /** The same for one input. */
  of(input: string): TagSource {
    return {
      tag: (tag) => this.tag(tag, input),
      guard: () => this.guard(),
    };
  }

  /** The group of an input. It may be part of a larger one after the next call of {@link tag}. */
  group(input: string): TagGroup {
    let group = this.#groups.get(input);
    if (!group) {
      group = new TagGroup();
      group.inputs.add(input);
      this.#groups.set(input, group);
    }
    return group;
  }

  #newTag(tag: string, input: string): TagBuilders {
    let name = tag;
    if (this.#tags.size >= this.#limits.maxTags || Buffer.byteLength(tag) > MAX_TAG_BYTES) {
      this.#overflow.value++;
      name = OVERFLOW_TAG;
      const overflow = this.#tags.get(name);
      if (overflow) return overflow;
    }
    const builders = new TagBuilders(name, this.group(input), this);
    this.#tags.set(name, builders);
    return builders;
  }

  #join(one: TagGroup, other: TagGroup): void {
    if (one === other) return;
    const [small, large] = one.tags.size < other.tags.size ? [one, other] : [other, one];
    for (const tag of small.tags) {
      tag.group = large;
      large.tags.add(tag);
    }
    for (const input of small.inputs) {
      this.#groups.set(input, large);
      large.inputs.add(input);
    }
  }

  /** Has the builders that are made from now on check that each event is one line. */
  guard(): void {
    this.#guarded = true;
  }

  /** Advances the window of plausible times: called at each seal, not for each event. */
  refresh(): void {
    const now = this.#now();
    this.earliest = now - this.#limits.maxPast;
    this.latest = now + this.#limits.maxFuture;
  }

  isPlausible(time: number): boolean {
    return time >= this.earliest && time <= this.latest;
  }

  /** `time` if plausible, otherwise now. */
  plausible(time: number): number {
    if (this.isPlausible(time)) return time;
    this.#absurd.value++;
    return this.#now();
  }

  create(siblings: TagBuilders, hour: number): Builder {
    const buffer = this.#pool.pop() ?? Buffer.allocUnsafeSlow(INITIAL_BYTES);
    this.#count++;
    // A line is being committed to a builder: the others wait until it is in.
    if (this.#count > MAX_BUILDERS) this.threshold = 0;
    return this.#guarded
      ? new OneLineBuilder(siblings, hour, buffer, this, this.#broken)
      : new Builder(siblings, hour, buffer, this);
  }

  /** The number of builders, with or without lines. */
  get count(): number {
    return this.#count;
  }

  /** Raw bytes at which a builder is full; the sealer adjusts it so that chunks reach their target size. */
  get chunkBytes(): number {
    return this.#chunkBytes;
  }

  set chunkBytes(bytes: number) {
    this.#chunkBytes = bytes;
    if (this.threshold > 0) this.threshold = bytes;
  }

  /** A builder is full, or there are too many builders. */
  reached(builder: Builder): void {
    if (this.#count > MAX_BUILDERS) this.#relieve();
    else this.#full(builder);
  }

  /** Turns everything into chunks and drops every builder. */
  #relieve(): void {
    for (const builder of this.filled()) this.#full(builder);
    for (const tag of this.#tags.values()) for (const builder of tag.builders()) this.#letGo(tag, builder);
    this.threshold = this.#chunkBytes;
  }

  #letGo(tag: TagBuilders, builder: Builder): void {
    tag.forget(builder);
    this.#count--;
    if (this.#pool.length < POOLED) this.#pool.push(builder.buffer);
    // A parser may still hold the builder as its guess for the next line; by then the buffer belongs to another.
    builder.buffer = NO_BUFFER;
  }

  /**
   * The builders that have lines, in a stable order; empty ones of past hours are dropped.
   *
   * @param groups those asked for; all unless given
   */
  *filled(groups?: ReadonlySet<TagGroup>): Generator<Builder> {
    const hour = Math.floor(this.#now() / HOUR_MS);
    const tags = groups === undefined ? this.#tags.values() : [...groups].flatMap((group) => [...group.tags]);
    for (const tag of tags) {
      for (const builder of tag.builders()) {
        if (builder.events > 0) {
          yield builder;
        } else if (builder.hour !== hour) {
          this.#letGo(tag, builder);
        }
      }
    }
  }

  /** Bytes of lines that are not in a chunk yet. */
  get bytes(): number {
    let bytes = 0;
    for (const tag of this.#tags.values()) for (const builder of tag.builders()) bytes += builder.length;
    return bytes;
  }
}
