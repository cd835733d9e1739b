/** Watches the stream while the daemon runs: repairs leases that do not belong to it, and finds shards that nobody reads. */
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import type { Logger } from 'pino';
import { incarnationOf } from '../../archive/commit-keys.ts';
import { newestCommit } from '../../archive/commit-log.ts';
import {
  describeStream,
  type StreamShard,
  streamClient,
  streamShards,
} from '../../archive/kinesis-stream.ts';
import { S3Store } from '../../archive/s3.ts';
import { atOnce } from '../../base/at-once.ts';
import { TailraceError } from '../../base/errors.ts';
import { uptime } from '../../base/uptime.ts';
import type { ConsumerConfig } from '../config.ts';
import type { StreamSight } from '../status/board.ts';
import { asksForLog, type Lease, leaseRepairs } from './lease-repair.ts';
import { LeaseTable } from './lease-table.ts';

interface StreamWatchDependencies {
  readonly config: ConsumerConfig;
  readonly log: Logger;
  /** Whether this worker has a process for the shard. */
  readonly holds: (shard: string) => boolean;
  /** The stream was deleted, and another one of its name created, since the last look. */
  readonly onRecreated: () => void;
  readonly clock?: () => number;
}

/** Logs of closed shards that are looked at at the same time. */
const LOGS_AT_ONCE = 16;

export class StreamWatch {
  readonly #dependencies: StreamWatchDependencies;
  readonly #kinesis: KinesisClient;
  readonly #table: LeaseTable;
  readonly #store: S3Store;
  readonly #uptime: () => number;
  #incarnation: string | null = null;
  /** Shards of this incarnation whose log is closed; it stays so. */
  readonly #archived = new Set<string>();
  /** For each lease of another worker: its counter, and when that was first seen. */
  readonly #counters = new Map<string, { readonly counter: string; readonly at: number }>();
  #unread = new Map<string, number>();
  #looking: Promise<StreamSight> | null = null;

  constructor(dependencies: StreamWatchDependencies) {
    const { config, clock = uptime } = dependencies;
    const { archive, stream } = config;
    this.#dependencies = dependencies;
    this.#kinesis = streamClient(stream, 3);
    this.#table = new LeaseTable(config);
    this.#store = new S3Store(
      { bucket: archive.bucket, region: archive.region ?? stream.region, endpoint: archive.endpoint },
      { tries: 2 },
    );
    this.#uptime = clock;
  }

  /**
   * Repairs leases and returns what the stream looks like; a look under way is shared.
   *
   * @throws whatever Kinesis, DynamoDB or S3 answers
   */
  look(): Promise<StreamSight> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  close(): void {
    this.#kinesis.destroy();
    this.#table.close();
    this.#store.close();
  }

  async #look(): Promise<StreamSight> {
    const { config } = this.#dependencies;
    const identity = await asking('Kinesis', describeStream(this.#kinesis, config.stream));
    const incarnation = incarnationOf(identity);
    const isAnother = this.#incarnation !== null && this.#incarnation !== incarnation;
    if (this.#incarnation !== incarnation) this.#archived.clear();
    this.#incarnation = incarnation;
    const [shards, leases] = await Promise.all([
      asking('Kinesis', streamShards(this.#kinesis, config.stream)),
      asking(`DynamoDB (table ${config.application})`, this.#table.leases()),
    ]);
    await this.#repair(shards, leases);
    if (isAnother) this.#dependencies.onRecreated();
    this.#unread = this.#findUnread(shards, leases);
    return { openShards: shards.filter(({ closed }) => !closed).length, unread: this.#unread };
  }

  async #repair(shards: readonly StreamShard[], leases: readonly Lease[]): Promise<void> {
    const { config, log } = this.#dependencies;
    const ids = new Set(shards.map(({ id }) => id));
    for (const id of this.#archived) if (!ids.has(id)) this.#archived.delete(id);
    const leasesByShard = new Map(leases.map((lease) => [lease.shard, lease]));
    const asked = shards.filter(
      (shard) => !this.#archived.has(shard.id) && asksForLog(shard, leasesByShard.get(shard.id)),
    );
    // A week of reshards leaves thousands of closed shards to a worker that has just started.
    await atOnce(LOGS_AT_ONCE, asked, async ({ id }) => {
      const name = { prefix: config.archive.prefix, incarnation: this.#incarnation!, shard: id };
      if ((await newestCommit(this.#store, name))?.close) this.#archived.add(id);
    });
    const facts = { shards, leases, worker: config.worker_id, archived: this.#archived };
    for (const repair of leaseRepairs(facts)) {
      const table = `DynamoDB (table ${config.application})`;
      if (!(await asking(table, this.#table.repair(repair)))) continue;
      const shard = repair.kind === 'create' ? repair.shard.id : repair.lease.shard;
      log.warn({ shard, repair: repair.kind }, `repaired a lease: ${repair.why}`);
    }
  }

  #findUnread(shards: readonly StreamShard[], leases: readonly Lease[]): Map<string, number> {
    const { config, holds } = this.#dependencies;
    const now = this.#uptime();
    const leasesByShard = new Map(leases.map((lease) => [lease.shard, lease]));
    const open = shards.filter((shard) => !shard.closed);
    for (const id of this.#counters.keys()) if (!leasesByShard.has(id)) this.#counters.delete(id);
    const unread = new Map<string, number>();
    for (const { id, parents } of open) {
      const lease = leasesByShard.get(id);
      // A child is read when its parents are done.
      const waits = parents.some((parent) => {
        const checkpoint = leasesByShard.get(parent)?.checkpoint;
        return checkpoint !== undefined && checkpoint !== 'SHARD_END';
      });
      if (waits || holds(id)) continue;
      if (lease?.owner && lease.owner !== config.worker_id && this.#isRenewed(lease, now)) continue;
      unread.set(id, this.#unread.get(id) ?? now);
    }
    return unread;
  }

  /** Whether the worker that holds the lease has renewed it within the time after which it would lose it. */
  #isRenewed({ shard, counter }: Lease, now: number): boolean {
    const seen = this.#counters.get(shard);
    if (seen?.counter !== counter) {
      this.#counters.set(shard, { counter, at: now });
      return true;
    }
    return now - seen.at < this.#dependencies.config.kcl.failover_time;
  }
}

/** Says which service failed: an error of the network, or a time-out, names none. */
async function asking<T>(service: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof TailraceError) throw error;
    const { name, message, code } = error as Error & { code?: string };
    const text = `${service}: ${[name === 'Error' ? code : name, message].filter(Boolean).join(': ')}`;
    throw new ServiceError(text, { cause: error });
  }
}

class ServiceError extends Error {
  override readonly name = 'ServiceError';
}
