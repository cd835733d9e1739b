/** Sends what a dead agent left in its spool, on its own host or on any host that has the disk. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { TailraceError } from '../base/errors.ts';
import { doneBefore } from '../base/with-timeout.ts';
import { holdDirectory, releaseDirectory } from './control/lock.ts';
import { Counters } from './counters.ts';
import { explain } from './sender/failures.ts';
import { DEFAULT_LANE_LIMITS, Lanes } from './sender/lanes.ts';
import { DEFAULT_SENDER_OPTIONS, Sender } from './sender/sender.ts';
import { openStream, type StreamOptions } from './sender/stream.ts';
import { Spool } from './spool/spool.ts';

export interface RecoverOptions {
  readonly stateDir: string;
  readonly stream: StreamOptions;
  /** Milliseconds of `performance.now()`. */
  readonly deadline: number;
}

export interface RecoverProgress {
  readonly chunks: number;
  readonly bytes: number;
  readonly quarantined: number;
  /** Why nothing can be sent right now. */
  readonly trouble: string | null;
}

const PROGRESS_MS = 1000;

/**
 * Sends every chunk of a spool and removes what is acknowledged. The agent's state stays, so that an agent
 * restarted there continues where the dead one stopped. Safe to repeat, and to run on a copy: a chunk is archived once.
 *
 * @returns what is left at the deadline
 * @throws StateLockedError when an agent is running there; TailraceError NO_SPOOL when there is no spool
 */
export async function recover(
  { stateDir, stream: options, deadline }: RecoverOptions,
  log: Logger,
  progress: (progress: RecoverProgress) => void,
): Promise<RecoverProgress> {
  const directory = join(stateDir, 'spool');
  if (!existsSync(directory)) {
    throw new TailraceError(
      'NO_SPOOL',
      `${directory}: no spool there: name the state directory of the dead agent`,
    );
  }
  const lock = await holdDirectory(stateDir, (socket) => socket.destroy());
  try {
    const counters = new Counters();
    const spool = await Spool.open(
      { directory, segmentBytes: 0, maxBytes: Number.POSITIVE_INFINITY },
      log,
      counters,
    );
    const stream = openStream(options);
    const { promise: sent, resolve: allSent } = Promise.withResolvers<void>();
    const done = (): void => {
      if (spool.pending === 0) allSent();
    };
    const sender = new Sender(DEFAULT_SENDER_OPTIONS, {
      stream,
      spool,
      lanes: new Lanes(DEFAULT_LANE_LIMITS, performance.now()),
      counters,
      log,
      explain: (error) => explain(error, options),
      acknowledged: done,
    });
    const state = (): RecoverProgress => ({
      chunks: spool.pending,
      bytes: spool.bytes,
      quarantined: spool.quarantined,
      trouble: sender.trouble?.message ?? null,
    });
    const ticker = setInterval(() => progress(state()), PROGRESS_MS);
    sender.send(spool.takeRecovered());
    done();
    await doneBefore(deadline, sent);
    clearInterval(ticker);
    sender.stop();
    const left = state();
    // A new segment that holds all state releases the old ones.
    if (left.chunks === 0 && left.bytes > 0)
      await doneBefore(deadline, spool.append([], {}, true).catch(onlyClosed));
    await spool.close();
    stream.close();
    return left;
  } finally {
    await releaseDirectory(stateDir, lock);
  }
}

/** On a completely full disk the old segments stay: the next agent or recovery resends them. */
function onlyClosed(error: unknown): void {
  if (!(error instanceof TailraceError && error.code === 'SPOOL_CLOSED')) throw error;
}
