/**
 * The sealer: makes chunks of what the builders hold and, as a barrier over all inputs at once, cuts that become
 * durable in the spool.
 *
 *     commit of a full builder ─→ encode ─→ pending ─┐
 *     timer, waiting ack, flush ─→ cut: encode all ──┴→ + state of every input → spool.append → acks, sender
 */
import type { Logger } from 'pino';
import { readHeader } from '../chunk/header.ts';
import { type Compression, chunkBytes, compress, encodeChunk, frameLines } from '../chunk/writer.ts';
import { type Builder, type Builders, HOUR_MS } from './builder.ts';
import type { Counters } from './counters.ts';
import type { Identity } from './identity.ts';
import type { SectionChanges } from './spool/recovery.ts';
import type { EncodedChunk, Spool, SpooledChunk } from './spool/spool.ts';
import type { StateMap } from './state.ts';

const NEWLINE = 0x0a;
const NO_LINES = Buffer.alloc(0);

export interface SealerOptions extends SealPace {
  readonly compression: Compression;
  /** Bytes that a chunk aims at, and may not exceed. */
  readonly targetBytes: number;
  readonly maxBytes: number;
}

export interface SealPace {
  /** Milliseconds between cuts under load, when little comes in, and while an ack waits. */
  readonly interval: number;
  readonly idleInterval: number;
  readonly ackInterval: number;
}

export const DEFAULT_SEALER_OPTIONS: SealerOptions = {
  compression: { codec: 'gzip', level: 1 },
  targetBytes: 256 * 1024,
  maxBytes: 1024 * 1024 - 256,
  interval: 1000,
  idleInterval: 5000,
  ackInterval: 100,
};

/** Compressed bytes that may wait for the next cut: beyond the first a cut is made, beyond the second inputs wait. */
const PENDING_CUT_BYTES = 4 * 1024 * 1024;
const PENDING_PAUSE_BYTES = 16 * 1024 * 1024;
/** Raw bytes in an interval under which the next one may be longer. */
const LITTLE_BYTES = 64 * 1024;
/** Bounds of what a builder collects before it becomes a chunk. */
const MIN_RAW_BYTES = 256 * 1024;
const MAX_RAW_BYTES = 4 * 1024 * 1024;

export interface SealerParts {
  readonly builders: Builders;
  readonly identity: Identity;
  readonly spool: Spool;
  /** The sections of the state by name; asked for at each cut, after `beforeCut`. */
  readonly sections: ReadonlyMap<string, StateMap>;
  readonly counters: Counters;
  readonly log: Logger;
  /** Lets every input write its progress into its section. */
  readonly beforeCut: () => void;
  /** The oldest epoch of which something is unacknowledged. */
  readonly floor: () => string;
  /** The lane of the next chunk. */
  readonly lane: () => string;
  /** Takes the chunks of a durable cut to the stream; their bytes are still at hand. */
  readonly send: (chunks: readonly SpooledChunk[], encoded: readonly EncodedChunk[]) => void;
  /** Called when inputs have to wait, or may go on. */
  readonly hold: (held: boolean) => void;
  /** The disk no longer keeps what it took. */
  readonly fail: (error: unknown) => void;
}

export class Sealer {
  #options: SealerOptions;
  readonly #parts: SealerParts;
  #pending: EncodedChunk[] = [];
  #pendingBytes = 0;
  #rawBytes = 0;
  #waiting: (() => void)[] = [];
  #cutting: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #timerAt = Number.POSITIVE_INFINITY;
  #delay: number;
  #held = false;
  #stopped = false;
  #failed = false;

  constructor(options: SealerOptions, parts: SealerParts) {
    this.#options = options;
    this.#parts = parts;
    this.#delay = options.interval;
  }

  start(): void {
    this.#schedule(this.#options.interval);
  }

  /** Changes the pace of the cuts, from the next one on; a shorter one at once. */
  pace(pace: SealPace): void {
    this.#options = { ...this.#options, ...pace };
    this.#delay = pace.interval;
    this.#schedule(pace.interval);
  }

  /** Whether a cut could not become durable; none is made after it. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Bytes that wait for the next cut, compressed. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** As InputContext.afterDurable. */
  afterDurable(done: () => void, urgent: boolean): void {
    this.#waiting.push(done);
    this.#schedule(urgent ? this.#options.ackInterval : this.#options.interval);
  }

  /** Makes a chunk of a builder's lines and empties it. It reaches the spool with the next cut. */
  encode(builder: Builder): void {
    const raw = builder.buffer.subarray(0, builder.length);
    this.#encodeLines(raw, builder, builder.events);
    this.#rawBytes += raw.length;
    builder.clear();
    if (this.#pendingBytes >= PENDING_CUT_BYTES) this.#schedule(0);
    this.#updateHold();
  }

  /**
   * Cuts now, and resolves when all that the builders and inputs held at the call is durable.
   *
   * @param end whether this is the last cut of a clean stop: its last chunk says so
   */
  async cut(end = false): Promise<void> {
    // One append at a time; a cut that is under way began before this call and may lack what came since.
    while (this.#cutting) await this.#cutting;
    if (this.#failed) return;
    this.#cutting = this.#cutNow(end)
      .catch((error) => {
        this.#failed = true;
        // A stop while the disk is full: what is not durable is still at its source.
        if ((error as { code?: unknown }).code !== 'SPOOL_CLOSED') this.#parts.fail(error);
      })
      .finally(() => {
        this.#cutting = null;
      });
    await this.#cutting;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    while (this.#cutting) await this.#cutting;
  }

  async #cutNow(end: boolean): Promise<void> {
    const { builders, spool, sections, send } = this.#parts;
    // From here to the append nothing may be awaited: events and progress are taken at one moment.
    this.#parts.beforeCut();
    for (const builder of builders.filled()) this.encode(builder);
    if (end) this.#endEpoch();
    const changes: SectionChanges = {};
    for (const [name, section] of sections) if (section.dirty) changes[name] = section.takeChanges();
    const chunks = this.#pending;
    const waiting = this.#waiting;
    this.#pending = [];
    this.#waiting = [];
    builders.refresh();
    this.#pace();

    const reclaim = chunks.length === 0 && spool.reclaimable;
    if (chunks.length > 0 || reclaim || Object.keys(changes).length > 0) {
      const spooled = await spool.append(chunks, changes, reclaim);
      this.#pendingBytes -= chunks.reduce((bytes, chunk) => bytes + chunk.bytes.length, 0);
      this.#count(chunks);
      send(spooled, chunks);
    }
    for (const done of waiting) done();
    this.#updateHold();
  }

  /** Turns lines into a chunk, or into two where compression does not bring them under the limit. */
  #encodeLines(raw: Buffer, builder: Builder, events: number): void {
    const { compression, maxBytes } = this.#options;
    const data = compress(raw, compression);
    if (chunkBytes(compression.codec, builder.tag, data.length) > maxBytes) {
      const middle = lineBreakNear(raw, raw.length >>> 1);
      if (middle !== -1) {
        const before = countLines(raw, middle);
        this.#encodeLines(raw.subarray(0, middle), builder, before);
        this.#encodeLines(raw.subarray(middle), builder, events - before);
        return;
      }
    }
    const { identity, floor, lane } = this.#parts;
    const header = {
      ...identity.next(lane(), floor()),
      tag: builder.tag,
      hour: builder.hour,
      firstTime: Math.floor(builder.firstTime),
      lastTime: Math.floor(builder.lastTime),
      events,
      end: false,
    };
    const bytes = frameLines(raw, data, header, compression.codec);
    this.#push(bytes);
    if (raw.length >= MIN_RAW_BYTES) this.#aim(raw.length / bytes.length);
  }

  /** The last chunk of the epoch, which says that nothing follows; an epoch without chunks needs none. */
  #endEpoch(): void {
    const { identity, floor, lane } = this.#parts;
    if (identity.ordinal === 0) return;
    const now = Date.now();
    const header = {
      ...identity.next(lane(), floor()),
      tag: '',
      hour: Math.floor(now / HOUR_MS),
      firstTime: now,
      lastTime: now,
      events: 0,
      end: true,
    };
    this.#push(encodeChunk(NO_LINES, header, this.#options.compression));
  }

  #push(bytes: Buffer): void {
    this.#pending.push({ header: readHeader(bytes), bytes });
    this.#pendingBytes += bytes.length;
  }

  /** Lets builders collect what compresses to about the target, given what the last full chunk did. */
  #aim(ratio: number): void {
    const { builders } = this.#parts;
    const wanted = this.#options.targetBytes * ratio;
    const next = builders.chunkBytes + (wanted - builders.chunkBytes) / 4;
    builders.chunkBytes = Math.min(MAX_RAW_BYTES, Math.max(MIN_RAW_BYTES, Math.floor(next)));
  }

  #count(chunks: readonly EncodedChunk[]): void {
    const { counters } = this.#parts;
    for (const { header } of chunks) {
      counters.add('tailrace_agent_sealed_chunks_total');
      counters.add('tailrace_agent_sealed_events_total', header.events);
      counters.add('tailrace_agent_sealed_raw_bytes_total', header.rawBytes);
      counters.add('tailrace_agent_sealed_bytes_total', header.bytes);
    }
  }

  /** The next regular cut: soon while much comes in, later and later while little does. */
  #pace(): void {
    const { interval, idleInterval } = this.#options;
    this.#delay = this.#rawBytes < LITTLE_BYTES ? Math.min(this.#delay * 2, idleInterval) : interval;
    this.#rawBytes = 0;
  }

  #schedule(delay: number): void {
    if (this.#stopped) return;
    const at = performance.now() + delay;
    if (at >= this.#timerAt) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#timerAt = Number.POSITIVE_INFINITY;
      void this.cut().then(() => this.#schedule(this.#delay));
    }, delay);
  }

  #updateHold(): void {
    const held = this.#pendingBytes >= PENDING_PAUSE_BYTES || this.#parts.spool.full;
    if (held === this.#held) return;
    this.#held = held;
    this.#parts.hold(held);
  }

  /** Called when the spool got smaller. */
  roomMade(): void {
    this.#updateHold();
  }
}

/** Where a line begins at or after `from`, or the last place before it; -1 when it is all one line. */
function lineBreakNear(raw: Buffer, from: number): number {
  const after = raw.indexOf(NEWLINE, from) + 1;
  if (after > 0 && after < raw.length) return after;
  const before = raw.lastIndexOf(NEWLINE, from - 1) + 1;
  return before > 0 ? before : -1;
}

function countLines(raw: Buffer, end: number): number {
  let lines = 0;
  for (let at = raw.indexOf(NEWLINE); at !== -1 && at < end; at = raw.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
