/** Removes KCL's leader lock when its owner is dead; docs/decisions/leader-lock-is-deleted.md says why. */
import {
  type AttributeValue,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Logger } from 'pino';
import { uptime } from '../../base/uptime.ts';
import type { ConsumerConfig } from '../config.ts';

/** As KCL 3 names the lock's attributes: the worker's id, and what every heartbeat changes. */
const OWNER = 'ownerName';
const VERSION = 'recordVersionNumber';
const LOCK = 'Leader';
const TIMEOUT_MS = 5_000;
/** KCL's lock lives for two minutes with a heartbeat every 30 seconds: an owner that missed two of them is dead. */
const SILENT_MS = 70_000;
/** Nobody holds the lock, somebody else does, or KCL has not created the table yet. */
const NOT_OURS = ['ConditionalCheckFailedException', 'ResourceNotFoundException'];

/** How often {@link Leadership.look} is to be called, ms. */
export const LOOK_EVERY_MS = 10_000;

/** The leader lock as a table has it. */
interface LeaderLock {
  readonly owner: string;
  readonly version: string;
}

interface Place {
  readonly table: string;
  readonly key: Readonly<Record<string, AttributeValue>>;
}

/**
 * Where the lock of an application can be: since KCL 3.5 in the lease table, for applications that an earlier release
 * created in a table of its own.
 */
function placesOf(application: string): readonly Place[] {
  return [
    { table: application, key: { leaseKey: { S: LOCK } } },
    { table: `${application}-CoordinatorState`, key: { key: { S: LOCK } } },
  ];
}

/**
 * While the lock of a dead daemon stands, nobody assigns leases. Only time depends on it: two leaders at once would move
 * leases to and fro, and the commit log makes that harmless.
 *
 * Whatever goes wrong is logged and costs those minutes, no more.
 */
export class Leadership {
  readonly #worker: string;
  readonly #places: readonly Place[];
  readonly #client: DynamoDBClient;
  readonly #log: Logger;
  readonly #uptime: () => number;
  /** For each table: the newest heartbeat of another worker that holds the lock, and when it was first seen. */
  readonly #seen = new Map<string, LeaderLock & { readonly at: number }>();
  #failing = false;
  #closed = false;

  constructor(config: ConsumerConfig, log: Logger, clock: () => number = uptime) {
    const { region } = config.stream;
    const { endpoint } = config.dynamodb;
    this.#worker = config.worker_id;
    this.#places = placesOf(config.application);
    this.#client = new DynamoDBClient({
      region,
      maxAttempts: 2,
      ...(endpoint === undefined ? {} : { endpoint }),
    });
    this.#log = log;
    this.#uptime = clock;
  }

  /** Deletes the lock when this worker's id is on it. To be called while no daemon of this worker runs. */
  async giveUp(): Promise<void> {
    for (const place of this.#places) {
      try {
        await this.#delete(place, `${OWNER} = :me`, { ':me': { S: this.#worker } });
        this.#log.info('deleted the leader lock of a daemon that has ended');
      } catch (error) {
        if (NOT_OURS.includes((error as Error).name)) continue;
        this.#log.warn(
          { err: error },
          'cannot delete the leader lock of a daemon that has ended: it may take two minutes to expire',
        );
        return;
      }
    }
  }

  /** Deletes the lock of another worker that has missed so many heartbeats that it is dead. */
  async look(): Promise<void> {
    try {
      for (const place of this.#places) await this.#judge(place, await this.#read(place));
      this.#failing = false;
    } catch (error) {
      if (NOT_OURS.includes((error as Error).name)) return;
      if (!this.#failing && !this.#closed) this.#log.warn({ err: error }, 'cannot read the leader lock');
      this.#failing = true;
    }
  }

  close(): void {
    this.#closed = true;
    this.#client.destroy();
  }

  async #read({ table, key }: Place): Promise<LeaderLock | null> {
    try {
      const command = new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true });
      const { Item } = await this.#client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
      const [owner, version] = [Item?.[OWNER]?.S, Item?.[VERSION]?.S];
      return owner === undefined || version === undefined ? null : { owner, version };
    } catch (error) {
      if ((error as Error).name === 'ResourceNotFoundException') return null;
      throw error;
    }
  }

  async #judge(place: Place, lock: LeaderLock | null): Promise<void> {
    const seen = this.#seen.get(place.table);
    if (lock === null || lock.owner === this.#worker) {
      this.#seen.delete(place.table);
      return;
    }
    const now = this.#uptime();
    if (seen?.owner !== lock.owner || seen.version !== lock.version) {
      this.#seen.set(place.table, { ...lock, at: now });
      return;
    }
    const silent = now - seen.at;
    if (silent < SILENT_MS) return;
    this.#seen.delete(place.table);
    const values = { ':owner': { S: lock.owner }, ':version': { S: lock.version } };
    await this.#delete(place, `${OWNER} = :owner AND ${VERSION} = :version`, values);
    this.#log.warn({ owner: lock.owner, silent_ms: silent }, 'deleted the lock of an unresponsive leader');
  }

  async #delete(place: Place, condition: string, values: Record<string, { S: string }>): Promise<void> {
    const command = new DeleteItemCommand({
      TableName: place.table,
      Key: place.key,
      ConditionExpression: condition,
      ExpressionAttributeValues: values,
    });
    await this.#client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
  }
}
