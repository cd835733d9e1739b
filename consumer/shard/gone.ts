/**
 * The work on a shard that has a lease although the stream no longer has it: trimmed, or of a stream that was recreated.
 * Its log is closed by the rules of the design, and the lease ends with KCL's checkpoint of a shard's end.
 */

import type { StreamRecord } from '../../archive/writer/record.ts';
import { TailraceError } from '../../base/errors.ts';
import type { ShardWork } from './processor.ts';

export interface GoneShardOptions {
  readonly shard: string;
  /** Whether the stream still does not list the shard. */
  readonly isGone: () => Promise<boolean>;
  readonly closeLog: () => Promise<void>;
}

export class GoneShard implements ShardWork {
  readonly safe = null;
  readonly #options: GoneShardOptions;

  constructor(options: GoneShardOptions) {
    this.#options = options;
  }

  async initialize(): Promise<void> {}

  /** @throws TailraceError SHARD_LISTED when records come, which a shard that is gone does not have */
  async take(records: readonly StreamRecord[]): Promise<void> {
    if (records.length > 0) throw this.#listed();
  }

  async flush(): Promise<void> {}

  /** @throws TailraceError SHARD_LISTED when the stream lists the shard after all */
  async end(): Promise<void> {
    if (!(await this.#options.isGone())) throw this.#listed();
    await this.#options.closeLog();
  }

  #listed(): TailraceError {
    const message = `${this.#options.shard} was not in the stream's list of shards, and is now: restarting the daemon`;
    return new TailraceError('SHARD_LISTED', message, { retriable: true });
  }
}
