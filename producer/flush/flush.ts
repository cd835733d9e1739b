/**
 * The flush: every input to its end, sealed, acknowledged by the stream; on the deadline what is left goes to the
 * spill bucket. It may be called again and by several at once: each waits for what was there at its own call.
 */
import type { Logger } from 'pino';
import type { Input } from '../input.ts';
import type { Sealer } from '../sealer.ts';
import type { Sender } from '../sender/sender.ts';
import type { Spool, SpooledChunk } from '../spool/spool.ts';
import type { SpillFloor } from './floor.ts';
import type { Spill, Spilled } from './spill.ts';

/** How often a flush says how far it is, in milliseconds. */
const PROGRESS_MS = 1000;
/** The part of a flush's time, and the most milliseconds, that are kept for the spill. */
const SPILL_SHARE = 1 / 3;
const SPILL_MS = 60_000;

/** What a flush left behind; all zero and empty when nothing. */
export interface Remaining {
  readonly chunks: number;
  readonly bytes: number;
  /** Damaged places of the spool that were put aside. */
  readonly quarantined: number;
  /** Inputs that were not read to their end. */
  readonly unread: readonly string[];
}

export interface Flushed {
  readonly remaining: Remaining;
  /** Where what is left went besides the spool; null when nothing is left or no spill bucket is set. */
  readonly spilled: Spilled | null;
}

export interface FlushParts {
  readonly inputs: readonly Input[];
  readonly sealer: Sealer;
  readonly sender: Sender;
  readonly spool: Spool;
  readonly spill: Spill | null;
  readonly floor: SpillFloor;
  readonly log: Logger;
}

export function nothingRemains({ chunks, quarantined, unread }: Remaining): boolean {
  return chunks === 0 && quarantined === 0 && unread.length === 0;
}

/** What one flush waits for: chunks that were there when it had read and sealed. */
interface Marked {
  readonly chunks: Set<SpooledChunk>;
  bytes: number;
  readonly gone: () => void;
}

export class Flusher {
  readonly #parts: FlushParts;
  readonly #waiting = new Set<Marked>();

  constructor(parts: FlushParts) {
    this.#parts = parts;
  }

  /** To be called when chunks were acknowledged, or put aside because they are damaged. */
  acknowledged(chunks: readonly SpooledChunk[]): void {
    for (const marked of this.#waiting) {
      for (const chunk of chunks) if (marked.chunks.delete(chunk)) marked.bytes -= chunk.header.bytes;
      if (marked.chunks.size === 0) marked.gone();
    }
  }

  /**
   * @param deadline milliseconds of `performance.now()`; the spill, where there is one, ends by then too
   * @param progress called about once a second with what is left
   * @param end whether the agent ends with this flush: inputs are stopped and the last chunk says that none follows
   */
  async flush(
    deadline: number,
    progress: (remaining: Remaining) => void = () => {},
    end = false,
  ): Promise<Flushed> {
    const { inputs, sealer, sender, spool, spill } = this.#parts;
    const reserve = spill ? Math.min(SPILL_MS, (deadline - performance.now()) * SPILL_SHARE) : 0;
    const sendUntil = deadline - Math.max(0, reserve);
    const unread = new Set(inputs.map(({ name }) => name));
    let marked: Marked | null = null;
    const remaining = (): Remaining => {
      const { size, bytes } = marked ? { size: marked.chunks.size, bytes: marked.bytes } : all(sender);
      return { chunks: size, bytes, quarantined: spool.quarantined, unread: [...unread] };
    };
    const ticker = setInterval(() => progress(remaining()), PROGRESS_MS);
    try {
      let inTime = true;
      const drains = inputs.map(async (input) => {
        await input.drain();
        // An input that is stopped lets go of who waits for its end, reached or not.
        if (inTime) unread.delete(input.name);
      });
      await before(sendUntil, Promise.all(drains));
      inTime = false;
      if (end) await Promise.all(inputs.map((input) => input.stop()));
      const ends = end && unread.size === 0;
      const sealed = await before(Math.max(sendUntil, performance.now() + LAST_CUT_MS), sealer.cut(ends));
      // On a full disk the cut is still waiting: what the inputs gave is durable nowhere but at its source.
      if (!sealed || sealer.failed) for (const { name } of inputs) unread.add(name);
      const { promise: gone, resolve } = Promise.withResolvers<void>();
      const chunks = new Set(sender.unacknowledged());
      marked = { chunks, bytes: bytesOf(chunks), gone: resolve };
      this.#waiting.add(marked);
      progress(remaining());
      if (chunks.size > 0) await before(sendUntil, gone);
      if (nothingRemains(remaining())) {
        if (spool.reclaimable) await before(deadline, sealer.cut());
        return { remaining: remaining(), spilled: null };
      }
      const spilled = await this.#spill(deadline);
      return { remaining: remaining(), spilled };
    } finally {
      clearInterval(ticker);
      if (marked) this.#waiting.delete(marked);
    }
  }

  async #spill(deadline: number): Promise<Spilled | null> {
    const { sender, spill, floor, sealer, spool, log } = this.#parts;
    const chunks = sender.unacknowledged();
    if (!spill || (chunks.length === 0 && spool.quarantined === 0)) return null;
    const soon = performance.now() + LAST_CUT_MS;
    const oldest = spool.oldestEpoch;
    if (oldest !== null) {
      // Durable before the first object, so that no later chunk can say that these lanes are done with.
      floor.note(oldest, Date.now());
      await before(Math.min(deadline, soon), sealer.cut());
    }
    const spilled = await spill.put(sender.unacknowledged(), Math.max(deadline, soon));
    log.warn(spilled, 'what could not be sent in time was spilled; the spool keeps it too');
    return spilled;
  }
}

function all(sender: Sender): { readonly size: number; readonly bytes: number } {
  const chunks = sender.unacknowledged();
  return { size: chunks.length, bytes: bytesOf(chunks) };
}

function bytesOf(chunks: Iterable<SpooledChunk>): number {
  let bytes = 0;
  for (const { header } of chunks) bytes += header.bytes;
  return bytes;
}

/** Milliseconds that the last cut, or a spill, gets in any case. */
export const LAST_CUT_MS = 2000;

/**
 * Waits for `work`, but not beyond the deadline; work that is still under way then is left to itself.
 *
 * @param deadline milliseconds of `performance.now()`, which no setting of the wall clock moves
 * @returns whether the work was done in time
 */
export async function before(deadline: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, deadline - performance.now()));
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
