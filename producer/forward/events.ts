/** Takes the entries of messages into the builders: tag, time, JSON line. */
import { type Builder, MAX_LINE_BYTES } from '../builder.ts';
import type { Counter } from '../counters.ts';
import type { InputContext } from '../input.ts';
import { RateLimitedLog } from '../rate-limited-log.ts';
import { type Destination, type DestinationOptions, Destinations } from './destinations.ts';
import { EntryOffsets } from './entries.ts';
import { EventTime } from './event-time.ts';
import { type Fault, type FaultReason, faultAt, faultOf, internalFault } from './faults.ts';
import { generalBound, JsonWriter, plainBound, TIME, TIME_BESIDE, type TimeName } from './json-writer.ts';
import { markedLine, textOf } from './marked-line.ts';
import { type Message, readHead } from './message.ts';
import { readUint32, skipAny } from './msgpack-scan.ts';
import { stringHead } from './msgpack-write.ts';
import { type Joined, Partials } from './partials.ts';
import { shorten } from './shorten.ts';
import { Transcoder } from './transcode.ts';
import { transformLine } from './transform-line.ts';

/** Entries up to this size are written straight into a builder. */
const DIRECT_BYTES = 16 * 1024;
/** Scratch that is kept from one large event to the next. */
const KEPT_SCRATCH_BYTES = 1024 * 1024;
/** A record cut down to this and still too long as a line is so by what is added to it. */
const LEAST_BYTES = 1024;

/** Fewer bytes of entries than this are not worth a run. */
const LEAST_RUN_BYTES = 2048;
/** After so many entries that are not plain, 2 to this power are taken one by one. */
const MOST_MISSES = 12;

/** Log lines about entries that could not be written: this many at once, then one each so many milliseconds. */
const LOG_BURST = 5;
const LOG_INTERVAL_MS = 10_000;

/** Bytes that are kept of a time that is not one. */
const MAX_TIME_TEXT_BYTES = 1024;

type Extra = readonly (readonly [name: string, json: string])[];

const NONE: Extra = [];
const TRUNCATED: Extra = [['_truncated', 'true']];
const UNPARSED: Extra = [['_unparsed', 'true']];
const INCOMPLETE: Extra = [['_incomplete', 'true']];

/** What became of a line: written, left out by a transform, or too long. */
type Outcome = 'written' | 'excluded' | 'too_long';

export class EventTaker {
  readonly #context: InputContext;
  readonly #destinations: Destinations;
  readonly #partials: Partials;
  readonly #joinPartials: boolean;
  #writer = new JsonWriter();
  readonly #errors = new RateLimitedLog(LOG_BURST, LOG_INTERVAL_MS);
  readonly #entries = new EntryOffsets();
  readonly #transcoder: Transcoder | null;
  /** How often in a row an entry that was to begin a run was not plain. */
  #misses = 0;
  readonly #time = new EventTime();
  /** The key of the event's time that served last: records of one source either have a `time` or haven't. */
  #timeName: TimeName = TIME;
  #scratch = Buffer.allocUnsafeSlow(64 * 1024);
  readonly #events: Counter;
  readonly #truncated: Counter;
  readonly #unparsed: Counter;
  readonly #timeless: Counter;
  readonly #replaced: Counter;
  readonly #adjusted: Counter;
  readonly #joined: Counter;
  readonly #incomplete: Counter;
  readonly #repeatedParts: Counter;
  readonly #bad: Readonly<Record<FaultReason, Counter>>;
  readonly #dropped: Readonly<Record<'route' | 'excluded' | 'too_long', Counter>>;

  /** @throws TailraceError when the options make no sense */
  constructor(
    options: DestinationOptions,
    context: InputContext,
    labels: { readonly input: string },
    transcoder = Transcoder.create(),
  ) {
    this.#transcoder = transcoder;
    this.#context = context;
    this.#destinations = new Destinations(options, context, labels);
    this.#partials = new Partials(context.state, context.uptime());
    this.#joinPartials = options.joinPartials;
    const counter = (name: string, more = {}): Counter =>
      context.counters.counter(`tailrace_agent_forward_${name}_total`, { ...labels, ...more });
    this.#events = counter('events');
    this.#truncated = counter('truncated_events');
    this.#unparsed = counter('unparsed_events');
    this.#timeless = counter('timeless_events');
    this.#replaced = counter('invalid_utf8');
    this.#adjusted = counter('adjusted_json');
    this.#joined = counter('joined_parts_events');
    this.#incomplete = counter('incomplete_events');
    this.#repeatedParts = counter('repeated_parts');
    const bad = (reason: FaultReason): Counter => counter('bad_events', { reason });
    this.#bad = {
      not_an_entry: bad('not_an_entry'),
      bad_time: bad('bad_time'),
      too_deep: bad('too_deep'),
      cut_off: bad('cut_off'),
      internal: bad('internal'),
    };
    this.#dropped = {
      route: counter('dropped_events', { reason: 'route' }),
      excluded: counter('dropped_events', { reason: 'excluded' }),
      too_long: counter('dropped_events', { reason: 'too_long' }),
    };
  }

  /**
   * Takes a whole message, in one turn. An entry that is not sound is kept as marked text and does not cost the others.
   *
   * @param bytes where the entries are: the message's own bytes, or what was compressed in it
   */
  take(message: Message, bytes: Buffer, from: number, to: number): void {
    const destination = this.#destinations.of(message.tag);
    this.#writer.watched = destination.watched;
    if (message.mode === 'message') {
      const record = skipAny(bytes, from, to);
      const fault = faultOf(bytes, from, record, to);
      if (fault === null) this.#takeEntry(message.tag, destination, bytes, from, record, to);
      else this.#keepFault(destination, bytes, fault);
    } else {
      this.#takeEntries(message.tag, destination, bytes, from, to);
    }
    const { tally } = this.#writer;
    this.#replaced.value += tally.replaced;
    this.#adjusted.value += tally.adjusted;
    Object.assign(tally, { replaced: 0, adjusted: 0 });
    if (bytes.length > KEPT_SCRATCH_BYTES) this.#writer.forget();
  }

  #takeEntries(tag: string, destination: Destination, bytes: Buffer, from: number, to: number): void {
    const entries = this.#entries;
    /** What is not an entry is kept as one text for as long as it goes on: a byte of it may be a value of its own. */
    let open = null as Fault | null;
    const runs = this.#runsOf(destination, to - from);
    for (let at = from; at < to; ) {
      let most = Number.POSITIVE_INFINITY;
      if (open !== null) most = 1;
      else if (runs !== null) {
        const next = this.#takeRun(runs, destination, bytes, at, to);
        if (next > at) {
          at = next;
          this.#misses = 0;
          continue;
        }
        // Where hardly anything is plain, trying costs more than it brings.
        this.#misses = Math.min(this.#misses + 1, MOST_MISSES);
        most = 2 ** this.#misses;
      }
      const found = entries.find(bytes, at, to, most);
      at = found.at;
      if (open !== null && entries.count > 0) {
        this.#keepFault(destination, bytes, open);
        open = null;
      }
      for (let i = 0; i < entries.count; i++) {
        this.#takeEntry(tag, destination, bytes, entries.time(i), entries.record(i), entries.end(i));
      }
      if (!found.unsound) continue;
      const fault = faultAt(bytes, at, to);
      at = fault.to;
      if (open?.record === null && fault.record === null) {
        open = { ...open, to: fault.to };
        continue;
      }
      if (open !== null) this.#keepFault(destination, bytes, open);
      open = fault;
    }
    if (open !== null) this.#keepFault(destination, bytes, open);
  }

  /** Whether entries of a destination may be written in runs: null where each has to be looked at. */
  #runsOf(destination: Destination, bytes: number): Transcoder | null {
    const runs = this.#transcoder;
    if (runs === null || bytes < LEAST_RUN_BYTES) return null;
    if (destination.builders === null || destination.examined || destination.tag !== null) return null;
    runs.release();
    return runs.prepare(destination) ? runs : null;
  }

  /** Takes plain entries from `at` on into one builder; returns where they end. */
  #takeRun(runs: Transcoder, destination: Destination, bytes: Buffer, at: number, to: number): number {
    const seconds = runSeconds(bytes, at, to);
    const builders = destination.builders!;
    const span = seconds > 0 ? builders.span(seconds * 1000) : null;
    if (span === null || !runs.run(bytes, at, to, span.from, span.to)) return at;
    const builder = builders.at(runs.firstTime);
    builder.reserve(runs.bytes);
    const end = runs.copy(builder.buffer, builder.length);
    this.#events.value += runs.count;
    builder.commitMany(end, runs.count, runs.firstTime, runs.lastTime);
    return runs.next;
  }

  /** Writes lines whose missing parts are given up: those of which nothing came since `before`. */
  expirePartials(before: number): void {
    for (const joined of this.#partials.expire(before)) this.#takeJoined(joined);
  }

  beforeCut(): void {
    this.#partials.beforeCut(this.#context.now());
  }

  /** Whatever goes wrong with an entry costs neither the others nor their ack: it is kept as text. */
  #takeEntry(
    tag: string,
    destination: Destination,
    bytes: Buffer,
    time: number,
    record: number,
    end: number,
  ): void {
    try {
      this.#entry(tag, destination, bytes, time, record, end);
    } catch (error) {
      this.#noticeError(error, destination);
      this.#keepFault(destination, bytes, internalFault(bytes, time, record, end));
    }
  }

  #noticeError(error: unknown, destination: Destination): void {
    this.#writer = new JsonWriter();
    this.#writer.watched = destination.watched;
    const skipped = this.#errors.take(this.#context.uptime());
    if (skipped === null) return;
    this.#context.log.error({ err: error, skipped }, 'an event could not be written; it is kept as text');
  }

  #entry(
    tag: string,
    destination: Destination,
    bytes: Buffer,
    timeAt: number,
    record: number,
    end: number,
  ): void {
    const time = this.#time;
    time.read(bytes, timeAt);
    if (time.absent) {
      this.#timeless.value++;
      time.setMilliseconds(this.#context.now());
    }
    if (destination.builders === null) {
      this.#events.value++;
      this.#dropped.route.value++;
      return;
    }
    const isMap = isMapType(bytes[record]!);
    const builder = destination.builders.at(time.milliseconds);
    if (isMap && !destination.examined && destination.tag === null && end - record <= DIRECT_BYTES) {
      builder.reserve(plainBound(end - record) + destination.added.length);
      if (this.#plain(builder, bytes, record, destination.added)) {
        this.#events.value++;
        return;
      }
    }
    if (isMap && this.#joinPartials && this.#part(tag, bytes, record, end)) return;
    this.#general(builder, destination, bytes, record, end, NONE);
    this.#events.value++;
  }

  /** Keeps what an entry has that is not sound: its record where only the time is wrong, else its text. */
  #keepFault(destination: Destination, bytes: Buffer, fault: Fault): void {
    this.#events.value++;
    this.#bad[fault.reason].value++;
    if (destination.builders === null) {
      this.#dropped.route.value++;
      return;
    }
    const time = this.#time;
    time.absent = true;
    if (fault.time !== null) time.read(bytes, fault.time);
    if (time.absent) {
      this.#timeless.value++;
      time.setMilliseconds(this.#context.now());
    }
    const builder = destination.builders.at(time.milliseconds);
    const { record } = fault;
    if (fault.reason === 'bad_time' && record !== null) {
      const isMap = isMapType(bytes[record.from]!);
      const text = textOf(bytes, record.time, Math.min(record.from, record.time + MAX_TIME_TEXT_BYTES));
      const extra: Extra = [['_bad_time', JSON.stringify(text)], ...(isMap ? UNPARSED : NONE)];
      if (isMap) this.#unparsed.value++;
      this.#general(builder, destination, bytes, record.from, record.to, extra);
      return;
    }
    this.#unparsed.value++;
    const line = markedLine(destination, bytes, fault, time);
    if (line === null) {
      this.#dropped.excluded.value++;
      return;
    }
    builder.reserve(line.length);
    line.copy(builder.buffer, builder.length);
    builder.commit(builder.length + line.length);
  }

  /** The usual record: all keys are strings, different and unwatched, and it has no `time`, or no `_time`. */
  #plain(builder: Builder, bytes: Buffer, record: number, added: Buffer): boolean {
    const writer = this.#writer;
    const { seconds, nanoseconds } = this.#time;
    writer.out = builder.buffer;
    writer.at = builder.length;
    if (!writer.plainEvent(bytes, record, this.#timeName, seconds, nanoseconds)) {
      const other = this.#timeName === TIME ? TIME_BESIDE : TIME;
      if (!writer.plainEvent(bytes, record, other, seconds, nanoseconds)) return false;
      this.#timeName = other;
    }
    const out = writer.out;
    let at = writer.at;
    for (let i = 0; i < added.length; i++) out[at++] = added[i]!;
    out[at++] = 0x7d;
    out[at++] = 0x0a;
    if (at - builder.length > MAX_LINE_BYTES) return false;
    builder.commit(at);
    return true;
  }

  /** @returns whether the record was taken as a part of a line */
  #part(tag: string, bytes: Buffer, record: number, end: number): boolean {
    const { seconds, nanoseconds } = this.#time;
    const now = this.#context.uptime();
    const lines = this.#partials.add(tag, seconds, nanoseconds, bytes, record, end, now);
    if (lines === null) return false;
    this.#repeatedParts.value += this.#partials.repeated;
    this.#partials.repeated = 0;
    for (const joined of lines) this.#takeJoined(joined);
    return true;
  }

  /** A line of which parts came is one event, whatever their number. */
  #takeJoined({ tag, seconds, nanoseconds, record, incomplete }: Joined): void {
    const destination = this.#destinations.of(tag);
    (incomplete ? this.#incomplete : this.#joined).value++;
    if (destination.builders === null) {
      this.#events.value++;
      this.#dropped.route.value++;
      return;
    }
    this.#time.seconds = seconds;
    this.#time.nanoseconds = nanoseconds;
    try {
      const builder = destination.builders.at(this.#time.milliseconds);
      this.#general(builder, destination, record, 0, record.length, incomplete ? INCOMPLETE : NONE);
      this.#events.value++;
    } catch (error) {
      this.#noticeError(error, destination);
      this.#keepFault(destination, record, internalFault(record, 0, 0, record.length));
    }
  }

  /** Any record: by way of the scratch buffer. */
  #general(
    builder: Builder,
    destination: Destination,
    bytes: Buffer,
    record: number,
    end: number,
    extra: Extra,
  ): void {
    let source = bytes;
    let at = record;
    if (destination.tag !== null) extra = [...extra, ['_tag', JSON.stringify(destination.tag)]];
    if (!isMapType(bytes[record]!)) {
      this.#unparsed.value++;
      source = Buffer.concat([MESSAGE_KEY, ...asString(bytes, record, end)]);
      at = 0;
      end = source.length;
      extra = [...extra, ...UNPARSED];
    }
    let outcome: Outcome = 'too_long';
    if (end - at <= MAX_LINE_BYTES) outcome = this.#viaScratch(builder, destination, source, at, end, extra);
    if (outcome === 'too_long') {
      this.#truncated.value++;
      extra = [...extra, ...TRUNCATED];
      for (let limit = MAX_LINE_BYTES / 2; outcome === 'too_long' && limit >= LEAST_BYTES; limit /= 4) {
        const short = shorten(source, at, end, limit);
        outcome = this.#viaScratch(builder, destination, short, 0, short.length, extra);
      }
    }
    if (outcome !== 'written') this.#dropped[outcome].value++;
    if (this.#scratch.length > KEPT_SCRATCH_BYTES) this.#scratch = Buffer.allocUnsafeSlow(KEPT_SCRATCH_BYTES);
  }

  #viaScratch(
    builder: Builder,
    destination: Destination,
    bytes: Buffer,
    record: number,
    end: number,
    extra: Extra,
  ): Outcome {
    const writer = this.#writer;
    const room = extra.reduce((sum, [name, json]) => sum + (name.length + json.length) * 3 + 32, 128);
    const bound = generalBound(end - record) + room;
    if (bound > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(bound);
    writer.out = this.#scratch;
    writer.at = 0;
    const { replaced, adjusted } = writer.tally;
    writer.generalEvent(bytes, record, this.#time.seconds, this.#time.nanoseconds, extra);
    writer.out[writer.at++] = 0x7d;
    let line: Buffer = this.#scratch.subarray(0, writer.at);
    if (line.length < MAX_LINE_BYTES && destination.transforms.length > 0) {
      const transformed = transformLine(line.toString(), destination.transforms);
      if (transformed === null) return 'excluded';
      line = Buffer.from(transformed);
    }
    if (line.length >= MAX_LINE_BYTES) {
      Object.assign(writer.tally, { replaced, adjusted });
      return 'too_long';
    }
    builder.reserve(line.length + 1);
    line.copy(builder.buffer, builder.length);
    builder.buffer[builder.length + line.length] = 0x0a;
    builder.commit(builder.length + line.length + 1);
    return 'written';
  }
}

/** `{"message": …}` up to the value. */
const MESSAGE_KEY = Buffer.from('\x81\xa7message', 'latin1');

/** A value as msgpack's string: readers want one type of a name. */
function asString(bytes: Buffer, at: number, end: number): Buffer[] {
  if (readHead(bytes, at)?.kind === 'bytes') return [bytes.subarray(at, end)];
  const text = Buffer.from(textOf(bytes, at, end));
  return [stringHead(text.length), text];
}

function isMapType(type: number): boolean {
  return (type >= 0x80 && type < 0x90) || type === 0xde || type === 0xdf;
}

/** The seconds of an entry's time as runs have it; 0 for any other form. */
function runSeconds(bytes: Buffer, at: number, end: number): number {
  if (bytes[at] !== 0x92 || at + 7 > end) return 0;
  const type = bytes[at + 1];
  if (type === 0xd7 && bytes[at + 2] === 0) return readUint32(bytes, at + 3);
  return type === 0xce ? readUint32(bytes, at + 2) : 0;
}
