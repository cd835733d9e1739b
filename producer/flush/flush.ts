/**
 * The flush: reads every input to its end, seals, and waits for the stream's acknowledgement; at the deadline the rest
 * goes to the spill bucket. Repeated and concurrent calls are safe: each waits for what existed when it was called.
 */
import type { Logger } from 'pino';
import { doneBefore } from '../../base/with-timeout.ts';
import type { Input } from '../input.ts';
import type { Sealer } from '../sealer.ts';
import type { Sender } from '../sender/sender.ts';
import type { Spool, SpooledChunk } from '../spool/spool.ts';
import type { SpillFloor } from './floor.ts';
import type { Spill, Spilled } from './spill.ts';

/** How often a flush reports progress, in milliseconds. */
const PROGRESS_MS = 1000;
/** The share of a flush's time, and the most milliseconds, reserved for the spill. */
const SPILL_SHARE = 1 / 3;
const SPILL_MS = 60_000;

/** What a flush left behind; all zero and empty if nothing. */
export interface Remaining {
  readonly chunks: number;
  readonly bytes: number;
  /** Damaged ranges of the spool in quarantine. */
  readonly quarantined: number;
  /** Inputs that were not read to their end. */
  readonly unread: readonly string[];
}

export interface Flushed {
  readonly remaining: Remaining;
  /** Where the rest was spilled to, in addition to the spool; null when nothing is left or no spill bucket is set. */
  readonly spilled: Spilled | null;
}

export interface FlushDependencies {
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

/** What one flush waits for: the chunks that existed once it had read and sealed. */
interface Marked {
  readonly chunks: Set<SpooledChunk>;
  bytes: number;
  readonly gone: () => void;
}

export class Flusher {
  readonly #dependencies: FlushDependencies;
  readonly #waiting = new Set<Marked>();

  constructor(dependencies: FlushDependencies) {
    this.#dependencies = dependencies;
  }

  /** Call this when chunks have been acknowledged, or moved to quarantine because they are damaged. */
  acknowledged(chunks: readonly SpooledChunk[]): void {
    for (const marked of this.#waiting) {
      for (const chunk of chunks) if (marked.chunks.delete(chunk)) marked.bytes -= chunk.header.bytes;
      if (marked.chunks.size === 0) marked.gone();
    }
  }

  /**
   * @param deadline milliseconds of `performance.now()`; the spill, if any, also ends by then
   * @param progress called about once a second with what is left
   * @param end whether the agent ends with this flush: inputs are stopped and the last chunk says that none follows
   */
  async flush(
    deadline: number,
    progress: (remaining: Remaining) => void = () => {},
    end = false,
  ): Promise<Flushed> {
    const { inputs, sealer, sender, spool, spill } = this.#dependencies;
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
        // Stopping an input releases everyone waiting for its end, reached or not.
        if (inTime) unread.delete(input.name);
      });
      await doneBefore(sendUntil, Promise.all(drains));
      inTime = false;
      if (end) await Promise.all(inputs.map((input) => input.stop()));
      const ends = end && unread.size === 0;
      const sealed = await doneBefore(Math.max(sendUntil, performance.now() + LAST_CUT_MS), sealer.cut(ends));
      // On a full disk the cut is still pending: what the inputs passed on is durable only at its source.
      if (!sealed || sealer.failed) for (const { name } of inputs) unread.add(name);
      const { promise: gone, resolve } = Promise.withResolvers<void>();
      const chunks = new Set(sender.unacknowledged());
      marked = { chunks, bytes: bytesOf(chunks), gone: resolve };
      this.#waiting.add(marked);
      progress(remaining());
      if (chunks.size > 0) await doneBefore(sendUntil, gone);
      if (nothingRemains(remaining())) {
        if (spool.reclaimable) await doneBefore(deadline, sealer.cut());
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
    const { sender, spill, floor, sealer, spool, log } = this.#dependencies;
    const chunks = sender.unacknowledged();
    if (!spill || (chunks.length === 0 && spool.quarantined === 0)) return null;
    const soon = performance.now() + LAST_CUT_MS;
    const oldest = spool.oldestEpoch;
    if (oldest !== null) {
      // Made durable before the first object, so that no later chunk can declare these lanes finished.
      floor.note(oldest, Date.now());
      await doneBefore(Math.min(deadline, soon), sealer.cut());
    }
    const spilled = await spill.put(sender.unacknowledged(), Math.max(deadline, soon));
    log.warn(spilled, 'spilled what could not be sent in time; the spool keeps it as well');
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

/** Milliseconds that the last cut or a spill always gets. */
export const LAST_CUT_MS = 2000;
