/**
 * The ids of recent messages, so that one whose ack was lost is recognized when it is resent.
 *
 * The cut that carries a message's events keeps its id in the state, in batches under `ids/<number>`. Cuts for acks may
 * come a thousand times a second: a batch stays open over many of them, and each writes it as far as it goes.
 */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import * as z from 'zod/mini';
import { checkState, type StateMap } from '../state.ts';

const PREFIX = 'ids/';
/** Bytes at either end of a message's events that tell it from another of the same id. */
const FINGERPRINT_BYTES = 4096;

/** The most ids in a batch: each cut writes the open one, and each segment of the spool begins with all of them. */
const BATCH_IDS = 64;
/** The least number of batches that the maximum is divided into, as is the time: a batch is forgotten as a whole. */
const BATCHES = 10;
/** How the ids of a batch were made; earlier releases, which left the tag out, wrote none. */
const FORM = 2;

const storedIds = z.object({ ids: z.array(z.string()), form: z.optional(z.number()) });

export interface ChunkIdLimits {
  /** Milliseconds for which an id is kept. */
  readonly ttl: number;
  readonly max: number;
}

interface Batch {
  readonly key: string;
  /** When its first and its last id came, by a clock that only goes on; of an earlier run's, the start of this one. */
  readonly since: number;
  until: number;
  readonly ids: string[];
}

export class ChunkIds {
  readonly #limits: ChunkIdLimits;
  readonly #state: StateMap;
  readonly #batchIds: number;
  readonly #known = new Set<string>();
  /** Ids whose form is not known: they may be those of an earlier release. */
  readonly #unstated = new Set<string>();
  /** Oldest first; the last one may be open. */
  readonly #batches: Batch[] = [];
  #open: Batch | null = null;
  /** Batches that the next cut writes. */
  readonly #changed = new Set<Batch>();
  #number = 0;

  /** @param now milliseconds of a clock that only goes on, as in all other calls */
  constructor(limits: ChunkIdLimits, state: StateMap, now = 0) {
    this.#limits = limits;
    this.#batchIds = Math.max(1, Math.min(BATCH_IDS, Math.floor(limits.max / BATCHES)));
    this.#state = state;
    for (const [key, value] of state.entries()) {
      if (!key.startsWith(PREFIX)) continue;
      const { ids, form } = checkState(key, value, storedIds);
      this.#batches.push({ key, since: now, until: now, ids });
      for (const id of ids) {
        this.#known.add(id);
        if (form !== FORM) this.#unstated.add(id);
      }
      this.#number = Math.max(this.#number, Number(key.slice(PREFIX.length)));
    }
    this.#batches.sort((a, b) => Number(a.key.slice(PREFIX.length)) - Number(b.key.slice(PREFIX.length)));
  }

  /**
   * The name under which a message is remembered. Its tag and the length and ends of its events are part of
   * it: a client that counts its ids from 1 at each start must not have new messages taken for old ones.
   */
  name(id: Buffer, tag: string, events: Buffer): string {
    const ends = [events.subarray(0, FINGERPRINT_BYTES), events.subarray(-FINGERPRINT_BYTES)];
    const [head, tail] = ends.map((bytes) => crc32(bytes));
    const untagged = `/${events.length}/${head}/${tail}`;
    if (this.#unstated.size > 0) {
      const earlier = digest(id, untagged);
      if (this.#unstated.has(earlier)) return earlier;
    }
    return digest(id, `${untagged}/${tag}`);
  }

  has(name: string): boolean {
    return this.#known.has(name);
  }

  get size(): number {
    return this.#known.size;
  }

  /** Remembers a name from `now` on; it goes into the next cut. */
  add(name: string, now: number): void {
    if (this.#known.has(name)) return;
    this.#known.add(name);
    const batch = this.#batchAt(now);
    batch.ids.push(name);
    batch.until = now;
    this.#changed.add(batch);
  }

  /** The open batch, or a new one where that is full or has been open for long. */
  #batchAt(now: number): Batch {
    const open = this.#open;
    const lasts = open !== null && now - open.since < this.#limits.ttl / BATCHES;
    if (lasts && open.ids.length < this.#batchIds) return open;
    const batch: Batch = { key: `${PREFIX}${++this.#number}`, since: now, until: now, ids: [] };
    this.#batches.push(batch);
    this.#open = batch;
    return batch;
  }

  /** Writes what came since the last cut into the state, and forgets what is too old or too much. */
  beforeCut(now: number): void {
    // Copied: the state is read while the batch goes on.
    for (const { key, ids } of this.#changed) this.#state.set(key, { ids: [...ids], form: FORM });
    let forgotten = 0;
    for (const batch of this.#batches) {
      const isOld = now - batch.until >= this.#limits.ttl;
      // What this cut carries has no ack yet: all of it is remembered, however much it is.
      if (!isOld && (this.#known.size <= this.#limits.max || this.#changed.has(batch))) break;
      this.#forget(batch);
      forgotten++;
    }
    this.#batches.splice(0, forgotten);
    this.#changed.clear();
  }

  #forget(batch: Batch): void {
    for (const id of batch.ids) {
      this.#known.delete(id);
      this.#unstated.delete(id);
    }
    this.#state.delete(batch.key);
    if (this.#open === batch) this.#open = null;
  }
}

/** Adds what another input remembered to a section, behind what that has. */
export function adoptIds(state: StateMap, from: StateMap): void {
  const numbers = (of: StateMap): number[] =>
    [...of.entries()].flatMap(([key]) => (key.startsWith(PREFIX) ? [Number(key.slice(PREFIX.length))] : []));
  let next = Math.max(0, ...numbers(state)) + 1;
  for (const number of numbers(from).sort((a, b) => a - b))
    state.set(`${PREFIX}${next++}`, from.get(`${PREFIX}${number}`)!);
}

function digest(id: Buffer, suffix: string): string {
  return hash('sha256', Buffer.concat([id, Buffer.from(suffix)]), 'buffer').toString('base64', 0, 15);
}
