/**
 * The sealer: turns what the builders hold into chunks, and makes them durable in the spool by cuts.
 *
 *     commit of a full builder ─→ encode ─→ drafts ─┐
 *     timer, waiting ack, flush ─→ cut: encode ─────┴→ identities + state of the inputs → spool.append → acks, sender
 *
 * A regular cut is a barrier over all inputs. A cut for a client that waits for its ack takes the inputs of that
 * client's group alone (see {@link TagGroup}): acks may come a thousand times a second, and what other inputs collect
 * must not be chopped into small chunks by them. Such cuts are commits in groups: made at once when no cut is under
 * way, while everything that arrives during one waits for the next.
 */
import { readHeader } from '../chunk/header.ts';
import { type Compression, encodeChunk, frameBody } from '../chunk/writer.ts';
import { type Builder, type Builders, HOUR_MS, type TagGroup } from './builder.ts';
import { ChunkAim } from './chunk-aim.ts';
import type { Counters } from './counters.ts';
import { type Draft, draftsOf } from './draft.ts';
import type { Identity } from './identity.ts';
import type { SectionChanges } from './spool/recovery.ts';
import type { EncodedChunk, Spool, SpooledChunk } from './spool/spool.ts';
import type { StateMap } from './state.ts';
import { Watermarks } from './watermarks.ts';

const NO_LINES = Buffer.alloc(0);

export interface SealerOptions extends SealPace {
  readonly compression: Compression;
  /** Bytes that a chunk should not exceed, and may not. */
  readonly targetBytes: number;
  readonly maxBytes: number;
}

export interface SealPace {
  /** Milliseconds between the chunks by which the agent says how far it has read. */
  readonly watermarkInterval: number;
  /** Milliseconds between regular cuts under load, and when little comes in. */
  readonly interval: number;
  readonly idleInterval: number;
  /** Milliseconds that an ack may wait for others to share its cut. */
  readonly ackInterval: number;
}

export const DEFAULT_SEALER_OPTIONS: SealerOptions = {
  compression: { codec: 'gzip', level: 3 },
  // Ten PUT units of 25 KiB, of which the partition key takes some bytes; as a record of the sender.
  targetBytes: 250 * 1024 - 128,
  // A record of the service holds 1 MiB with its partition key; the rest is room for the key.
  maxBytes: 1024 * 1024 - 256,
  interval: 1000,
  idleInterval: 5000,
  ackInterval: 0,
  watermarkInterval: 300_000,
};

/** Compressed bytes that may wait for the next cut: above the first a cut is made, above the second inputs wait. */
const PENDING_CUT_BYTES = 4 * 1024 * 1024;
const PENDING_PAUSE_BYTES = 16 * 1024 * 1024;
/** Raw bytes in an interval below which the next one may be longer. */
const LITTLE_BYTES = 64 * 1024;
/**
 * Unacknowledged chunks from which on acks share cuts for this many milliseconds: during an outage of the stream, each
 * chunk is held in memory until it is over.
 */
const MANY_CHUNKS = 1000;
const MANY_CHUNKS_ACK_MS = 100;

export interface SealerDependencies {
  readonly builders: Builders;
  readonly identity: Identity;
  readonly spool: Spool;
  /** The sections of the state by name; an input's section has its name. Read at each cut, after `beforeCut`. */
  readonly sections: ReadonlyMap<string, StateMap>;
  /** The name of the section that belongs to no input and is part of every cut: it holds the identity. */
  readonly ownSection: string;
  readonly counters: Counters;
  /** Lets inputs write their progress into their sections: those named, or all. */
  readonly beforeCut: (inputs: ReadonlySet<string> | null) => void;
  /** The oldest epoch of which something is unacknowledged. */
  readonly floor: () => string;
  /** The lane of the next chunk. */
  readonly lane: () => string;
  /** All that the inputs' sources had at this time was read; milliseconds since 1970, 0 when that is not known yet. */
  readonly readUpTo: () => number;
  /**
   * Passes the chunks of a durable cut on to the stream; their bytes are still at hand.
   *
   * @param gather whether small ones may wait for more to share their record
   */
  readonly send: (chunks: readonly SpooledChunk[], encoded: readonly EncodedChunk[], gather: boolean) => void;
  /** Called when inputs have to wait, or may go on. */
  readonly hold: (held: boolean) => void;
  /** The disk no longer keeps what it took. */
  readonly fail: (error: unknown) => void;
}

interface Waiting {
  readonly input: string;
  readonly done: () => void;
}

/** What a cut takes. */
interface Scope {
  readonly groups: ReadonlySet<TagGroup>;
  readonly inputs: ReadonlySet<string>;
}

export class Sealer {
  #options: SealerOptions;
  readonly #dependencies: SealerDependencies;
  readonly #watermarks: Watermarks;
  readonly #aim: ChunkAim;
  #drafts: Draft[] = [];
  #pendingBytes = 0;
  #rawBytes = 0;
  #waiting: Waiting[] = [];
  /** The inputs whose clients wait for an ack. */
  #urgent = new Set<string>();
  #urgentTimer: NodeJS.Timeout | null = null;
  #urgentTurn = false;
  #cutting: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #timerAt = Number.POSITIVE_INFINITY;
  #delay: number;
  #held = false;
  #stopped = false;
  #failed = false;

  constructor(options: SealerOptions, dependencies: SealerDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#watermarks = new Watermarks(performance.now());
    this.#aim = new ChunkAim(options.targetBytes);
    this.#delay = options.interval;
  }

  start(): void {
    this.#schedule(this.#options.interval);
  }

  /** Changes the pace of the cuts, from the next one on; a shorter one at once. */
  pace(pace: Partial<SealPace> & Pick<SealPace, 'interval'>): void {
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

  /**
   * As InputContext.afterDurable.
   *
   * @param input the name of the input that asks
   */
  afterDurable(input: string, done: () => void, urgent: boolean): void {
    this.#waiting.push({ input, done });
    if (!urgent) {
      this.#schedule(this.#options.interval);
      return;
    }
    this.#urgent.add(input);
    this.#cutSoon();
  }

  /** Compresses a builder's lines and empties it. They reach the spool with the next cut that takes their group. */
  encode(builder: Builder): void {
    const { compression, maxBytes } = this.#options;
    const { builders } = this.#dependencies;
    const rawBytes = builder.length;
    for (const draft of draftsOf(builder, compression, maxBytes)) {
      this.#drafts.push(draft);
      const { rawBytes, chunk } = draft.body;
      this.#pendingBytes += chunk.length;
      builders.chunkBytes = this.#aim.next(builders.chunkBytes, rawBytes, chunk.length);
    }
    this.#rawBytes += rawBytes;
    builder.clear();
    if (this.#pendingBytes >= PENDING_CUT_BYTES) this.#schedule(0);
    this.#updateHold();
  }

  /**
   * Cuts now, and resolves when everything the builders and inputs held at the call is durable.
   *
   * @param end whether this is the last cut of a clean stop: its last chunk says so
   */
  async cut(end = false): Promise<void> {
    // One append at a time; a cut that is under way began before this call and may lack what came since.
    while (this.#cutting) await this.#cutting;
    await this.#begin(null, end);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#urgentTimer) clearTimeout(this.#urgentTimer);
    while (this.#cutting) await this.#cutting;
  }

  async #begin(scope: Scope | null, end: boolean): Promise<void> {
    if (this.#failed) return;
    this.#cutting = this.#cutNow(scope, end)
      .catch((error) => {
        this.#failed = true;
        // A stop while the disk is full: what is not durable is still at its source.
        if ((error as { code?: unknown }).code !== 'SPOOL_CLOSED') this.#dependencies.fail(error);
      })
      .finally(() => {
        this.#cutting = null;
        if (this.#urgent.size > 0) this.#cutSoon();
      });
    await this.#cutting;
  }

  async #cutNow(scope: Scope | null, end: boolean): Promise<void> {
    const { builders, spool, send } = this.#dependencies;
    // From here to the append nothing may be awaited: events and progress are taken at one moment.
    this.#dependencies.beforeCut(scope?.inputs ?? null);
    for (const builder of builders.filled(scope?.groups)) this.encode(builder);
    const chunks = this.#takeDrafts(scope).map((draft) => this.#frame(draft));
    if (end) chunks.push(...this.#endOfEpoch());
    else if (scope === null) chunks.push(...this.#dueWatermarks());
    const changes = this.#takeChanges(scope);
    const waiting = this.#takeWaiting(scope);
    builders.refresh();
    if (scope === null) this.#pace();

    const reclaim = scope === null && chunks.length === 0 && spool.reclaimable;
    if (chunks.length > 0 || reclaim || Object.keys(changes).length > 0) {
      const spooled = await spool.append(chunks, changes, reclaim);
      for (const { bytes } of chunks) this.#pendingBytes -= bytes.length;
      this.#count(chunks);
      send(spooled, chunks, scope !== null);
    } else if (scope === null) {
      send([], [], false);
    }
    for (const { done } of waiting) done();
    this.#updateHold();
  }

  #takeDrafts(scope: Scope | null): readonly Draft[] {
    const all = this.#drafts;
    if (scope === null) {
      this.#drafts = [];
      return all;
    }
    const inScope = ({ siblings }: Draft): boolean => scope.groups.has(siblings.group);
    this.#drafts = all.filter((draft) => !inScope(draft));
    return this.#drafts.length === 0 ? all : all.filter(inScope);
  }

  #takeChanges(scope: Scope | null): SectionChanges {
    const { sections, ownSection } = this.#dependencies;
    const changes: SectionChanges = {};
    for (const [name, section] of sections) {
      if (!section.dirty) continue;
      if (scope === null || name === ownSection || scope.inputs.has(name))
        changes[name] = section.takeChanges();
    }
    return changes;
  }

  #takeWaiting(scope: Scope | null): readonly Waiting[] {
    const all = this.#waiting;
    if (scope === null) {
      this.#waiting = [];
      this.#urgent.clear();
      return all;
    }
    this.#waiting = all.filter(({ input }) => !scope.inputs.has(input));
    for (const input of scope.inputs) this.#urgent.delete(input);
    return this.#waiting.length === 0 ? all : all.filter(({ input }) => scope.inputs.has(input));
  }

  /** Makes a chunk of a draft: from here on it has its identity. */
  #frame({ body, hour, firstTime, lastTime, events }: Draft): EncodedChunk {
    const { identity, floor, lane } = this.#dependencies;
    const ids = identity.next(lane(), floor());
    this.#watermarks.sealed(ids.lane);
    const bytes = frameBody(body, {
      ...ids,
      hour,
      firstTime,
      lastTime,
      events,
      end: false,
    });
    return { header: readHeader(bytes), bytes };
  }

  /** The last chunk of the epoch, which says that nothing follows; an epoch without chunks needs none. */
  #endOfEpoch(): EncodedChunk[] {
    const { identity, lane } = this.#dependencies;
    if (identity.ordinal === 0) return [];
    const now = Date.now();
    return [this.#frameEmpty(lane(), now, now, true)];
  }

  /** Behind all chunks of a regular cut: whatever the inputs had read is in one of them, or in an earlier one. */
  #dueWatermarks(): EncodedChunk[] {
    const { lane, readUpTo } = this.#dependencies;
    const lanes = this.#watermarks.due(performance.now(), this.#options.watermarkInterval, lane);
    if (lanes.length === 0) return [];
    const now = Date.now();
    const until = Math.min(readUpTo(), now);
    return lanes.map((name) => this.#frameEmpty(name, until, now, false));
  }

  /**
   * A chunk without events.
   *
   * @param until all that the sources had at this time was read
   */
  #frameEmpty(lane: string, until: number, now: number, end: boolean): EncodedChunk {
    const { identity, floor } = this.#dependencies;
    const header = {
      ...identity.next(lane, floor()),
      tag: '',
      hour: Math.floor(now / HOUR_MS),
      firstTime: until,
      lastTime: now,
      events: 0,
      end,
    };
    const bytes = encodeChunk(NO_LINES, header, this.#options.compression);
    this.#pendingBytes += bytes.length;
    return { header: readHeader(bytes), bytes };
  }

  #count(chunks: readonly EncodedChunk[]): void {
    const { counters } = this.#dependencies;
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

  /** Makes a cut for the clients that wait, unless one is under way: that one's end comes back here. */
  #cutSoon(): void {
    if (this.#stopped || this.#cutting || this.#urgentTurn || this.#urgentTimer) return;
    const { ackInterval } = this.#options;
    const many = this.#dependencies.spool.pending >= MANY_CHUNKS;
    const delay = many ? Math.max(ackInterval, MANY_CHUNKS_ACK_MS) : ackInterval;
    if (delay > 0) {
      this.#urgentTimer = setTimeout(() => {
        this.#urgentTimer = null;
        this.#cutForAcks();
      }, delay);
      return;
    }
    // Behind everything that this turn of the event loop reads from other clients.
    this.#urgentTurn = true;
    setImmediate(() => {
      this.#urgentTurn = false;
      this.#cutForAcks();
    });
  }

  #cutForAcks(): void {
    if (this.#stopped || this.#cutting || this.#urgent.size === 0) return;
    const { builders } = this.#dependencies;
    const groups = new Set([...this.#urgent].map((input) => builders.group(input)));
    const inputs = new Set([...groups].flatMap((group) => [...group.inputs]));
    void this.#begin({ groups, inputs }, false);
  }

  #updateHold(): void {
    const held = this.#pendingBytes >= PENDING_PAUSE_BYTES || this.#dependencies.spool.full;
    if (held === this.#held) return;
    this.#held = held;
    this.#dependencies.hold(held);
  }

  /** Called when the spool has become smaller. */
  roomMade(): void {
    this.#updateHold();
  }
}
