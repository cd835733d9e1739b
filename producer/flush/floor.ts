/**
 * The oldest epoch of which chunks may still arrive from a spill: consumers must not forget its lanes before then.
 *
 * Spilled chunks also stay in the spool and are sent once the stream responds, so the spool alone would
 * let the floor rise while copies in S3 still wait to be put back. This record is part of the agent's state.
 */
import * as z from 'zod/mini';
import type { StateMap } from '../state.ts';

const spilledEpoch = z.object({
  epoch: z.string().check(z.regex(/^[0-9a-f]{16}$/)),
  /** When it was spilled, milliseconds since 1970. */
  at: z.number(),
});

const KEY = 'spilled';

export class SpillFloor {
  readonly #state: StateMap;
  readonly #horizon: number;

  /** @param horizon the consumers' dedupe_horizon, ms: what is put back later is unproven whatever the floor says */
  constructor(state: StateMap, horizon: number) {
    this.#state = state;
    this.#horizon = horizon;
  }

  /** Records, with the next cut, that chunks from `epoch` on are about to be spilled. */
  note(epoch: string, now: number): void {
    const known = this.oldest(now);
    this.#state.set(KEY, { epoch: known !== null && known < epoch ? known : epoch, at: now });
  }

  oldest(now: number): string | null {
    const spilled = this.#state.read(KEY, spilledEpoch);
    return spilled && now - spilled.at < this.#horizon ? spilled.epoch : null;
  }
}
