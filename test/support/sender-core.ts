/** The agent's core with a real sender: what is sealed goes over HTTP to a test double of Kinesis. */
import type { Logger } from 'pino';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../../producer/builder.ts';
import { Counters } from '../../producer/counters.ts';
import { Identity } from '../../producer/identity.ts';
import { DEFAULT_SEALER_OPTIONS, Sealer } from '../../producer/sealer.ts';
import { explain } from '../../producer/sender/failures.ts';
import { DEFAULT_LANE_LIMITS, Lanes } from '../../producer/sender/lanes.ts';
import { DEFAULT_SENDER_OPTIONS, Sender, type SenderOptions } from '../../producer/sender/sender.ts';
import { openStream } from '../../producer/sender/stream.ts';
import { Spool } from '../../producer/spool/spool.ts';
import { StateMap } from '../../producer/state.ts';
import { silent } from './agent-core.ts';
import type { KinesisDouble } from './kinesis-double.ts';
import { MemoryFiles } from './memory-files.ts';

export interface SenderCore {
  readonly builders: Builders;
  readonly sealer: Sealer;
  readonly sender: Sender;
  readonly spool: Spool;
  readonly counters: Counters;
  /** Resolves when the stream has acknowledged everything. */
  emptied(): Promise<void>;
  /** Resolves when `check` holds; it is evaluated after each response and each failure. */
  until(check: () => boolean): Promise<void>;
  stop(): Promise<void>;
}

export interface SenderCoreOptions {
  readonly sender?: Partial<SenderOptions>;
  readonly lanes?: number;
  readonly requestTimeout?: number;
  readonly credentialsTimeout?: number;
  readonly endpoint?: string;
  readonly log?: Logger;
}

export async function startSenderCore(
  double: KinesisDouble,
  options: SenderCoreOptions = {},
): Promise<SenderCore> {
  const counters = new Counters();
  const files = new MemoryFiles();
  const spool = await Spool.open(
    { directory: '/state/spool', segmentBytes: 1024 * 1024, maxBytes: 1e9, files },
    silent,
    counters,
  );
  const own = new StateMap();
  const name = { name: 'weblogs', region: 'us-east-1', endpoint: options.endpoint ?? double.endpoint };
  const stream = openStream({
    ...name,
    requestTimeout: options.requestTimeout ?? 5000,
    credentialsTimeout: options.credentialsTimeout,
  });
  const checks = new Set<() => void>();
  const look = (): void => {
    for (const check of checks) check();
  };
  const sender = new Sender(
    { ...DEFAULT_SENDER_OPTIONS, ...options.sender },
    {
      stream,
      spool,
      counters,
      log: options.log ?? silent,
      lanes: new Lanes({ ...DEFAULT_LANE_LIMITS, initial: options.lanes ?? 1 }, performance.now()),
      explain: (error) => explain(error, name),
      acknowledged: look,
    },
  );
  const identity = new Identity(own, 'machine', Date.now());
  const builders = new Builders(DEFAULT_BUILDER_LIMITS, Date.now, counters, (builder) =>
    sealer.encode(builder),
  );
  const sealer: Sealer = new Sealer(DEFAULT_SEALER_OPTIONS, {
    builders,
    identity,
    spool,
    sections: new Map([['agent', own]]),
    ownSection: 'agent',
    counters,
    beforeCut: () => {},
    floor: () => spool.oldestEpoch ?? identity.epoch,
    lane: () => sender.nextLane(),
    readUpTo: () => 0,
    send: (chunks, encoded, gather) => sender.send(chunks, encoded, gather),
    hold: () => {},
    fail: (error) => {
      throw error;
    },
  });
  const until = (check: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const ask = (): void => {
        if (!check()) return;
        checks.delete(ask);
        resolve();
      };
      checks.add(ask);
      ask();
    });
  return {
    builders,
    sealer,
    sender,
    spool,
    counters,
    until,
    emptied: () => until(() => spool.pending === 0),
    async stop() {
      sender.stop();
      await sealer.stop();
      stream.close();
    },
  };
}
