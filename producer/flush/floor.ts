/**
 * The oldest epoch of which chunks may still arrive from a spill: consumers must not forget its lanes before then.
 *
 * Spilled chunks also stay in the spool and are sent once the stream responds, so the spool alone would
 * let the floor rise while copies in S3 still wait to be put back. This record is part of the agent's state.
 */
import type { Json, StateMap } from '../state.ts';

interface SpilledEpoch {
  readonly epoch: string;
  /** When it was spilled, milliseconds since 1970. */
  readonly at: number;
}

const KEY = 'spilled';
/** Longer than a spilled object lives and than consumers remember a lane. */
const KEPT_MS = 90 * 24 * 3_600_000;

export class SpillFloor {
  readonly #state: StateMap;

  constructor(state: StateMap) {
    this.#state = state;
  }

  /** Records, with the next cut, that chunks from `epoch` on are about to be spilled. */
  note(epoch: string, now: number): void {
    const known = this.oldest(now);
    const spilled: SpilledEpoch = { epoch: known !== null && known < epoch ? known : epoch, at: now };
    this.#state.set(KEY, spilled as unknown as Exclude<Json, null>);
  }

  oldest(now: number): string | null {
    const spilled = this.#state.get(KEY) as SpilledEpoch | undefined;
    return spilled && now - spilled.at < KEPT_MS ? spilled.epoch : null;
  }
}
