/** What happens to the services around the pipeline: proxies that fail, processes that stand still, shards that change. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DescribeStreamSummaryCommand,
  type KinesisClient,
  MergeShardsCommand,
  type Shard,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis';
import { listShards } from '../../base/list-shards.ts';
import type { Failure, FaultProxy, Faults } from '../support/fault-proxy.ts';
import { signal } from './processes.ts';
import type { Fault, Target } from './schedule.ts';
import type { Timeline } from './timeline.ts';
import { until } from './wait.ts';

const json = (status: number, type: string): Failure => ({
  status,
  type: 'application/x-amz-json-1.1',
  body: JSON.stringify({ __type: type, message: 'made by the fault harness' }),
});
const xml = (status: number, code: string): Failure => ({
  status,
  type: 'application/xml',
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>made by the fault harness</Message></Error>`,
});

const COMMON: Readonly<Record<string, Partial<Faults>>> = {
  resets: { reset: 0.3 },
  'late answers': { late: 0.7, lateMs: 2_500 },
};
/** What a proxy does to requests while a fault lasts. */
const PROXY_FAULTS: Readonly<Partial<Record<Target, Readonly<Record<string, Partial<Faults>>>>>> = {
  kinesis: {
    ...COMMON,
    throttling: { throttled: 0.5 },
    'lost answers': { lost: 0.25 },
    'internal errors': { failed: 0.5, failure: json(500, 'InternalFailure') },
    'access denied': { failed: 1, failure: json(400, 'AccessDeniedException') },
    'hanging requests': { hung: 0.3 },
  },
  s3: {
    ...COMMON,
    'slow down': { failed: 0.6, failure: xml(503, 'SlowDown') },
    'internal errors': { failed: 0.5, failure: xml(500, 'InternalError') },
    'access denied': { failed: 1, failure: xml(403, 'AccessDenied') },
    'lost answers': { lost: 0.3 },
  },
  dynamodb: {
    ...COMMON,
    throttling: { failed: 0.5, failure: json(400, 'ProvisionedThroughputExceededException') },
    'internal errors': { failed: 0.5, failure: json(500, 'InternalServerError') },
    'lost answers': { lost: 0.2 },
  },
};

/** A service, the proxy before it and its process. */
export class FaultyService {
  readonly #target: Target;
  readonly #proxy: FaultProxy;
  readonly #pid: number;
  readonly #timeline: Timeline;

  constructor(target: Target, proxy: FaultProxy, pid: number, timeline: Timeline) {
    this.#target = target;
    this.#proxy = proxy;
    this.#pid = pid;
    this.#timeline = timeline;
  }

  async suffer({ kind, ms }: Fault): Promise<void> {
    const at = this.#timeline.now;
    if (kind === 'freeze') {
      signal(this.#pid, 'SIGSTOP');
      await sleep(ms);
      signal(this.#pid, 'SIGCONT');
    } else {
      const faults = PROXY_FAULTS[this.#target]?.[kind];
      if (faults === undefined) throw new Error(`no fault ${kind} of ${this.#target}`);
      this.#proxy.faults = faults;
      await sleep(ms);
      this.#proxy.faults = {};
    }
    this.#timeline.add({ target: this.#target, kind, note: `for ${ms} ms` }, at);
  }

  heal(): void {
    signal(this.#pid, 'SIGCONT');
    this.#proxy.faults = {};
  }
}

const LEAST_SHARDS = 3;
const MOST_SHARDS = 6;
const RESHARD_MS = 300_000;

/** Splits and merges: the stream keeps between three and six open shards. */
export class Stream {
  readonly #kinesis: KinesisClient;
  readonly #name: string;
  readonly #timeline: Timeline;
  readonly #allRead: () => Promise<unknown>;

  /** @param allRead resolves when each open shard is read */
  constructor(kinesis: KinesisClient, name: string, timeline: Timeline, allRead: () => Promise<unknown>) {
    this.#kinesis = kinesis;
    this.#name = name;
    this.#timeline = timeline;
    this.#allRead = allRead;
  }

  /** Open shards in the order of their hash keys. */
  async open(): Promise<Shard[]> {
    const shards = await listShards(this.#name, (command) => this.#kinesis.send(command));
    const start = (shard: Shard): bigint => BigInt(shard.HashKeyRange!.StartingHashKey!);
    return shards
      .filter((shard) => shard.SequenceNumberRange?.EndingSequenceNumber === undefined)
      .sort((a, b) => (start(a) < start(b) ? -1 : 1));
  }

  async suffer({ pick }: Fault): Promise<void> {
    const at = this.#timeline.now;
    const open = await this.open();
    const split = open.length <= LEAST_SHARDS || (open.length < MOST_SHARDS && pick < 0.5);
    const i = Math.floor(((pick * 7919) % 1) * (split ? open.length : open.length - 1));
    const shard = open[i]!;
    const what = split ? await this.#split(shard) : await this.#merge(shard, open[i + 1]!);
    await this.#active();
    await this.#allRead();
    this.#timeline.add(
      {
        target: 'stream',
        kind: split ? 'split' : 'merge',
        note: what,
        recovery: { of: 'resharded', ms: this.#timeline.now - at },
      },
      at,
    );
  }

  async #split(shard: Shard): Promise<string> {
    const [start, end] = [shard.HashKeyRange!.StartingHashKey!, shard.HashKeyRange!.EndingHashKey!];
    const middle = String((BigInt(start) + BigInt(end)) / 2n);
    const ShardToSplit = shard.ShardId!;
    await this.#kinesis.send(
      new SplitShardCommand({ StreamName: this.#name, ShardToSplit, NewStartingHashKey: middle }),
    );
    return ShardToSplit;
  }

  async #merge(shard: Shard, next: Shard): Promise<string> {
    const ShardToMerge = shard.ShardId!;
    const AdjacentShardToMerge = next.ShardId!;
    await this.#kinesis.send(
      new MergeShardsCommand({ StreamName: this.#name, ShardToMerge, AdjacentShardToMerge }),
    );
    return `${ShardToMerge} and ${AdjacentShardToMerge}`;
  }

  async #active(): Promise<void> {
    await until('the stream is active', RESHARD_MS, async () => {
      const { StreamDescriptionSummary: summary } = await this.#kinesis.send(
        new DescribeStreamSummaryCommand({ StreamName: this.#name }),
      );
      return summary?.StreamStatus === 'ACTIVE';
    });
  }
}
