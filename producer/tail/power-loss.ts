/**
 * Files that a power loss has made shorter than what was read of them, or left zeros at the end of that: the agent reads
 * what is in the page cache, and the file system may not have written it yet. What such a file still holds was read.
 *
 * Only a file that nobody can have written to since is taken for one: the machine was booted after the last look at the
 * logs, and the file was written last before that, and not long after the look.
 */
import type { BigIntStats } from 'node:fs';
import { uptime } from 'node:os';
import { FINGERPRINT_BYTES } from './fingerprint.ts';
import type { Position } from './follower.ts';
import type { PlainSource } from './source.ts';

/** Milliseconds that a file may have been written to after the last look that the state has. */
const LOOK_AGE_MS = 600_000;

/** When this machine was booted, in milliseconds since 1970 by the clock as it is set now. */
export function bootTime(): number {
  return Date.now() - uptime() * 1000;
}

export class PowerLoss {
  readonly #lookedAt: number;
  readonly #booted: number;

  /** @param lookedAt when the logs were last looked at by an earlier run, ms; undefined when there was none */
  constructor(lookedAt: number | undefined, booted: number) {
    this.#lookedAt = lookedAt ?? Number.POSITIVE_INFINITY;
    this.#booted = booted;
  }

  /** Whether a file that no longer holds what was read of it is what a power loss has left of it. */
  isIn(source: PlainSource, stats: BigIntStats, { offset, fingerprint }: Position): boolean {
    if (this.#booted <= this.#lookedAt || fingerprint.bytes < FINGERPRINT_BYTES) return false;
    const written = Number(stats.mtimeMs);
    if (written >= this.#booted || written > this.#lookedAt + LOOK_AGE_MS) return false;
    if (Number(stats.size) < offset) return true;
    const last = Buffer.alloc(1);
    return source.read(last, 0, 1, offset - 1) === 1 && last[0] === 0;
  }
}
