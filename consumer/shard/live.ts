/**
 * The work on a shard that the stream has. KCL also takes a shard for ended when Kinesis says that there is no such stream,
 * which may pass: a log is closed, and never read on, only when the stream itself lists the shard as closed, or no more.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamRecord } from '../../archive/writer/record.ts';
import { TailraceError } from '../../base/errors.ts';
import type { ShardWork } from './processor.ts';

export interface LiveShardOptions {
  readonly shard: string;
  readonly archiver: ShardWork;
  /** Whether the stream lists the shard as one that takes records; resolves when Kinesis has answered. */
  readonly isOpen: () => Promise<boolean>;
  /** Between two questions, ms. */
  readonly pause?: number;
}

/** A split shows in the list of shards within moments. */
const QUESTIONS = 5;
const PAUSE_MS = 1000;

export class LiveShard implements ShardWork {
  readonly #options: LiveShardOptions;

  constructor(options: LiveShardOptions) {
    this.#options = options;
  }

  get safe(): string | null {
    return this.#options.archiver.safe;
  }

  initialize(start: string | null): Promise<void> {
    return this.#options.archiver.initialize(start);
  }

  take(records: readonly StreamRecord[], caughtUp: boolean): Promise<void> {
    return this.#options.archiver.take(records, caughtUp);
  }

  flush(): Promise<void> {
    return this.#options.archiver.flush();
  }

  /** @throws TailraceError SHARD_OPEN when the shard has not ended: the daemon reads on after a restart */
  async end(): Promise<void> {
    const { archiver, isOpen, pause = PAUSE_MS } = this.#options;
    for (let question = 1; ; question++) {
      const answer = isOpen();
      const isLate = await Promise.race([answer.then(() => false), sleep(pause, true, { ref: false })]);
      // What was read must not wait for a stream that may never come back.
      if (isLate) await archiver.flush();
      if (!(await answer)) return archiver.end();
      if (question === QUESTIONS) throw stillOpen(this.#options.shard);
      await sleep(pause);
    }
  }
}

function stillOpen(shard: string): TailraceError {
  const message = `KCL takes ${shard} for ended, and the stream lists it as open: restarting the daemon, which reads on`;
  return new TailraceError('SHARD_OPEN', message, { retriable: true });
}
