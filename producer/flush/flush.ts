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

export class Flusher {
  readonly #parts: FlushParts;
  #waiting: (() => void)[] = [];

  constructor(parts: FlushParts) {
    this.#parts = parts;
  }

  /** To be called when chunks were acknowledged. */
  acknowledged(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /**
   * @param deadline milliseconds since 1970; the spill, where there is one, ends by then too
   * @param progress called about once a second with what is left
   * @param end whether the agent ends with this flush: inputs are stopped and the last chunk says that none follows
   */
  async flush(
    deadline: number,
    progress: (remaining: Remaining) => void = () => {},
    end = false,
  ): Promise<Flushed> {
    const { inputs, sealer, sender, spool, spill } = this.#parts;
    const reserve = spill ? Math.min(SPILL_MS, (deadline - Date.now()) * SPILL_SHARE) : 0;
    const sendUntil = deadline - Math.max(0, reserve);
    const unread = new Set(inputs.map(({ name }) => name));
    let mine: ReadonlySet<SpooledChunk> | null = null;
    const remaining = (): Remaining => {
      const left = sender.unacknowledged().filter((chunk) => mine === null || mine.has(chunk));
      return {
        chunks: left.length,
        bytes: left.reduce((bytes, { header }) => bytes + header.bytes, 0),
        quarantined: spool.quarantined,
        unread: [...unread],
      };
    };
    const ticker = setInterval(() => progress(remaining()), PROGRESS_MS);
    try {
      const drains = inputs.map(async (input) => {
        await input.drain();
        unread.delete(input.name);
      });
      await before(sendUntil, Promise.all(drains));
      if (end) await Promise.all(inputs.map((input) => input.stop()));
      const ends = end && unread.size === 0;
      const sealed = await before(Math.max(sendUntil, Date.now() + LAST_CUT_MS), sealer.cut(ends));
      // On a full disk the cut is still waiting: what the inputs gave is durable nowhere but at its source.
      if (!sealed || sealer.failed) for (const { name } of inputs) unread.add(name);
      const marked = new Set(sender.unacknowledged());
      mine = marked;
      progress(remaining());
      while (remaining().chunks > 0 && Date.now() < sendUntil) {
        await before(sendUntil, new Promise<void>((resolve) => this.#waiting.push(resolve)));
      }
    } finally {
      clearInterval(ticker);
    }
    const left = remaining();
    if (nothingRemains(left)) {
      if (spool.reclaimable) await before(deadline, sealer.cut());
      return { remaining: left, spilled: null };
    }
    return { remaining: remaining(), spilled: await this.#spill(deadline) };
  }

  async #spill(deadline: number): Promise<Spilled | null> {
    const { sender, spill, floor, sealer, spool, log } = this.#parts;
    const chunks = sender.unacknowledged();
    if (!spill || (chunks.length === 0 && spool.quarantined === 0)) return null;
    const now = Date.now();
    const oldest = spool.oldestEpoch;
    if (oldest !== null) {
      // Durable before the first object, so that no later chunk can say that these lanes are done with.
      floor.note(oldest, now);
      await before(Math.min(deadline, now + LAST_CUT_MS), sealer.cut());
    }
    const spilled = await spill.put(sender.unacknowledged(), Math.max(deadline, now + LAST_CUT_MS));
    log.warn(spilled, 'what could not be sent in time was spilled; the spool keeps it too');
    return spilled;
  }
}

/** Milliseconds that the last cut, or a spill, gets in any case. */
export const LAST_CUT_MS = 2000;

/**
 * Waits for `work`, but not beyond the deadline; work that is still under way then is left to itself.
 *
 * @returns whether the work was done in time
 */
export async function before(deadline: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, deadline - Date.now()));
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
