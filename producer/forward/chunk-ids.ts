/**
 * The ids of recent messages, so that one whose ack was lost is recognized when it is resent.
 *
 * They are kept in the state by the cut that carries their events: a batch of ids per cut, under `ids/<number>`.
 */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import * as z from 'zod/mini';
import { checkState, type StateMap } from '../state.ts';

const PREFIX = 'ids/';
/** Bytes at either end of a message's events that tell it from another of the same id. */
const FINGERPRINT_BYTES = 4096;

const storedIds = z.object({ ids: z.array(z.string()) });

export interface ChunkIdLimits {
  /** Milliseconds for which an id is kept. */
  readonly ttl: number;
  readonly max: number;
}

interface Batch {
  readonly key: string;
  /** When its first id came, by a clock that only goes on; of an earlier run's, the start of this one. */
  readonly since: number;
  readonly ids: string[];
}

export class ChunkIds {
  readonly #limits: ChunkIdLimits;
  readonly #state: StateMap;
  readonly #known = new Set<string>();
  /** Oldest first; the last is the one that the next cut carries, when it is open. */
  readonly #batches: Batch[] = [];
  #open: Batch | null = null;
  #number = 0;

  /** @param now milliseconds of a clock that only goes on, as in all other calls */
  constructor(limits: ChunkIdLimits, state: StateMap, now = 0) {
    this.#limits = limits;
    this.#state = state;
    for (const [key, value] of state.entries()) {
      if (!key.startsWith(PREFIX)) continue;
      const { ids } = checkState(key, value, storedIds);
      this.#batches.push({ key, since: now, ids });
      for (const id of ids) this.#known.add(id);
      this.#number = Math.max(this.#number, Number(key.slice(PREFIX.length)));
    }
    this.#batches.sort((a, b) => Number(a.key.slice(PREFIX.length)) - Number(b.key.slice(PREFIX.length)));
  }

  /**
   * The name under which a message is remembered. Its tag and the length and ends of its events are part of
   * it: a client that counts its ids from 1 at each start must not have new messages taken for old ones.
   */
  static name(id: Buffer, tag: string, events: Buffer): string {
    const ends = [events.subarray(0, FINGERPRINT_BYTES), events.subarray(-FINGERPRINT_BYTES)];
    const [head, tail] = ends.map((bytes) => crc32(bytes));
    const digest = hash(
      'sha256',
      Buffer.concat([id, Buffer.from(`/${events.length}/${head}/${tail}/${tag}`)]),
      'buffer',
    );
    return digest.toString('base64', 0, 15);
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
    if (this.#open === null) {
      this.#open = { key: `${PREFIX}${++this.#number}`, since: now, ids: [] };
      this.#batches.push(this.#open);
    }
    this.#open.ids.push(name);
  }

  /** Writes what came since the last cut into the state, and forgets what is too old or too much. */
  beforeCut(now: number): void {
    if (this.#open !== null) {
      this.#state.set(this.#open.key, { ids: this.#open.ids });
      this.#open = null;
    }
    while (this.#batches.length > 0) {
      const oldest = this.#batches[0]!;
      if (now - oldest.since < this.#limits.ttl && this.#known.size <= this.#limits.max) break;
      // At most a cut's worth of ids less than the maximum: batches go as a whole.
      if (this.#batches.length === 1 && now - oldest.since < this.#limits.ttl) break;
      for (const id of oldest.ids) this.#known.delete(id);
      this.#state.delete(oldest.key);
      this.#batches.shift();
    }
  }
}
