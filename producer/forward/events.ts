/** Takes the entries of messages into the builders: tag, time, JSON line. */
import { type Builder, MAX_LINE_BYTES, type TagBuilders } from '../builder.ts';
import type { Counter } from '../counters.ts';
import type { InputContext } from '../input.ts';
import { EventTime } from './event-time.ts';
import { generalBound, JsonWriter, plainBound } from './json-writer.ts';
import type { Message } from './message.ts';
import { readUint32, skipValue } from './msgpack-scan.ts';
import { compilePattern, fillTag } from './routes.ts';
import { shorten } from './shorten.ts';

/** Entries up to this size are written straight into a builder. */
const DIRECT_BYTES = 16 * 1024;
/** Scratch that is kept from one large event to the next. */
const KEPT_SCRATCH_BYTES = 1024 * 1024;
const CACHED_TAGS = 2000;

const TIME = Buffer.from('"time":');
const OWN_TIME = Buffer.from('"_time":');

export interface EventOptions {
  readonly tagPrefix: string | null;
  readonly routes: readonly { readonly match: string; readonly tag: string | null; readonly drop: boolean }[];
}

/** Where the events of one client tag go. */
interface Destination {
  /** Null where they are left out. */
  readonly builders: TagBuilders | null;
  /** Whether the tag's own name is in the builders; elsewhere each event carries it. */
  readonly tag: string | null;
}

type Extra = readonly (readonly [name: string, json: string])[];

const NONE: Extra = [];
const TRUNCATED: Extra = [['_truncated', 'true']];
const UNPARSED: Extra = [['_unparsed', 'true']];

export class EventTaker {
  readonly #context: InputContext;
  readonly #routes: readonly {
    readonly matches: (tag: string) => boolean;
    readonly tag: string | null;
    readonly drop: boolean;
  }[];
  readonly #prefix: string;
  readonly #destinations = new Map<string, Destination>();
  readonly #writer = new JsonWriter();
  readonly #time = new EventTime();
  /** The key of the event's time that served last: records of one source either have a `time` or haven't. */
  #timeName = TIME;
  #scratch = Buffer.allocUnsafeSlow(64 * 1024);
  readonly #events: Counter;
  readonly #dropped: Counter;
  readonly #truncated: Counter;
  readonly #unparsed: Counter;
  readonly #timeless: Counter;
  readonly #replaced: Counter;

  constructor(options: EventOptions, context: InputContext, labels: { readonly input: string }) {
    this.#context = context;
    this.#prefix = options.tagPrefix === null ? '' : `${options.tagPrefix}.`;
    this.#routes = options.routes.map((route) => ({ ...route, matches: compilePattern(route.match) }));
    const { counters } = context;
    this.#events = counters.counter('tailrace_forward_events_total', labels);
    this.#dropped = counters.counter('tailrace_forward_dropped_events_total', { ...labels, reason: 'route' });
    this.#truncated = counters.counter('tailrace_forward_truncated_events_total', labels);
    this.#unparsed = counters.counter('tailrace_forward_unparsed_events_total', labels);
    this.#timeless = counters.counter('tailrace_forward_timeless_events_total', labels);
    this.#replaced = counters.counter('tailrace_forward_invalid_utf8_total', labels);
  }

  /**
   * Takes all of a message whose entries have been checked, in one turn.
   *
   * @param bytes where the entries stand: the message's own bytes, or what was compressed in it
   */
  take(message: Message, bytes: Buffer, from: number, to: number): void {
    const destination = this.#destination(message.tag);
    if (message.mode === 'message') {
      this.#entry(destination, bytes, from, skipValue(bytes, from, to, 1), to);
    } else {
      let at = from;
      while (at < to) {
        const type = bytes[at]!;
        const count = type === 0x92 ? 2 : entryCount(bytes, at);
        const time = at + (type === 0xdc ? 3 : type === 0xdd ? 5 : 1);
        const record = skipValue(bytes, time, to, 2);
        at = skipValue(bytes, record, to, 2);
        this.#entry(destination, bytes, time, record, at);
        for (let i = 2; i < count; i++) at = skipValue(bytes, at, to, 2);
      }
    }
    this.#replaced.value += this.#writer.tally.replaced;
    this.#writer.tally.replaced = 0;
  }

  #entry(destination: Destination, bytes: Buffer, timeAt: number, record: number, end: number): void {
    if (destination.builders === null) {
      this.#dropped.value++;
      return;
    }
    const time = this.#time;
    time.read(bytes, timeAt);
    if (time.absent) {
      this.#timeless.value++;
      time.setMilliseconds(this.#context.now());
    }
    this.#events.value++;
    const builder = destination.builders.at(time.milliseconds);
    const type = bytes[record]!;
    const isMap = (type >= 0x80 && type < 0x90) || type === 0xde || type === 0xdf;
    if (isMap && destination.tag === null && end - record <= DIRECT_BYTES) {
      builder.reserve(plainBound(end - record));
      if (this.#plain(builder, bytes, record)) return;
    }
    this.#general(builder, destination, bytes, record, end, isMap);
  }

  /** The usual record: all keys are strings and different, and `time` isn't one of them, or `_time` isn't. */
  #plain(builder: Builder, bytes: Buffer, record: number): boolean {
    const writer = this.#writer;
    const { seconds, nanoseconds } = this.#time;
    writer.out = builder.buffer;
    writer.at = builder.length;
    if (!writer.plainEvent(bytes, record, this.#timeName, seconds, nanoseconds)) {
      this.#timeName = this.#timeName === TIME ? OWN_TIME : TIME;
      if (!writer.plainEvent(bytes, record, this.#timeName, seconds, nanoseconds)) return false;
    }
    writer.out[writer.at] = 0x7d;
    writer.out[writer.at + 1] = 0x0a;
    if (writer.at + 2 - builder.length > MAX_LINE_BYTES) return false;
    builder.commit(writer.at + 2);
    return true;
  }

  /** Any record: by way of the scratch buffer. */
  #general(
    builder: Builder,
    destination: Destination,
    bytes: Buffer,
    record: number,
    end: number,
    isMap: boolean,
  ): void {
    let extra = destination.tag === null ? NONE : [['_tag', JSON.stringify(destination.tag)] as const];
    let source = bytes;
    let at = record;
    if (!isMap) {
      this.#unparsed.value++;
      source = Buffer.concat([MESSAGE_KEY, bytes.subarray(record, end)]);
      at = 0;
      end = source.length;
      extra = [...extra, ...UNPARSED];
    }
    // What is shorter may be too long as JSON, what is longer may be short as JSON; but not by any factor.
    if (end - at > MAX_LINE_BYTES || !this.#viaScratch(builder, source, at, end, extra)) {
      this.#truncated.value++;
      extra = [...extra, ...TRUNCATED];
      for (let limit = MAX_LINE_BYTES / 2; ; limit >>= 2) {
        const short = shorten(source, at, end, limit);
        if (this.#viaScratch(builder, short, 0, short.length, extra)) break;
      }
    }
    if (this.#scratch.length > KEPT_SCRATCH_BYTES) this.#scratch = Buffer.allocUnsafeSlow(KEPT_SCRATCH_BYTES);
  }

  /** @returns false when the line would be too long; nothing was written then */
  #viaScratch(builder: Builder, bytes: Buffer, record: number, end: number, extra: Extra): boolean {
    const writer = this.#writer;
    const bound =
      generalBound(end - record) +
      extra.reduce((sum, [name, json]) => sum + (name.length + json.length) * 3 + 32, 0);
    if (bound > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(bound);
    writer.out = this.#scratch;
    writer.at = 0;
    const replaced = writer.tally.replaced;
    writer.generalEvent(bytes, record, this.#time.seconds, this.#time.nanoseconds, extra);
    writer.out[writer.at++] = 0x7d;
    writer.out[writer.at++] = 0x0a;
    if (writer.at > MAX_LINE_BYTES) {
      writer.tally.replaced = replaced;
      return false;
    }
    builder.reserve(writer.at);
    this.#scratch.copy(builder.buffer, builder.length, 0, writer.at);
    builder.commit(builder.length + writer.at);
    return true;
  }

  #destination(tag: string): Destination {
    const known = this.#destinations.get(tag);
    if (known) return known;
    const full = this.#prefix + tag;
    const route = this.#routes.find(({ matches }) => matches(full));
    let destination: Destination;
    if (route?.drop) {
      destination = { builders: null, tag: null };
    } else {
      const name = route?.tag ? fillTag(route.tag, full) : full;
      const builders = this.#context.builders.tag(name);
      destination = { builders, tag: builders.tag === name ? null : name };
    }
    // A client that makes up tags must not fill the memory with them.
    if (this.#destinations.size >= CACHED_TAGS) this.#destinations.clear();
    this.#destinations.set(tag, destination);
    return destination;
  }
}

/** `{"message": …}` up to the value. */
const MESSAGE_KEY = Buffer.from('\x81\xa7message', 'latin1');

function entryCount(bytes: Buffer, at: number): number {
  const type = bytes[at]!;
  return type === 0xdc ? bytes.readUInt16BE(at + 1) : type === 0xdd ? readUint32(bytes, at + 1) : type & 0x0f;
}
