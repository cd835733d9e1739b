/** KCL's lock on distributing the leases: given up for a daemon that held it and is dead. */
import { DeleteItemCommand, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import type { Logger } from 'pino';
import { uptime } from '../../base/uptime.ts';
import type { ConsumerConfig } from '../config.ts';

/** As KCL 3 names the table, the lock's key, and its attributes: the worker's id, and what each sign of life changes. */
const TABLE_SUFFIX = '-CoordinatorState';
const KEY = { key: { S: 'Leader' } };
const OWNER = 'ownerName';
const VERSION = 'recordVersionNumber';
const TIMEOUT_MS = 5_000;
/** KCL's lock lives for two minutes, with a sign of life every 30 seconds: who has left out two of them is dead. */
const SILENT_MS = 70_000;
/** No lock is held, somebody else holds it, or KCL has not made its table yet. */
const NOT_OURS = ['ConditionalCheckFailedException', 'ResourceNotFoundException'];

/** How often {@link Leadership.look} is to be called, ms. */
export const LOOK_EVERY_MS = 10_000;

/**
 * While the lock of a dead daemon stands, nobody gives a shard to anybody. Nothing depends on it but time: two
 * leaders at once would move leases to and fro, and the commit log makes that harmless.
 *
 * Whatever goes wrong is logged and costs those minutes, no more.
 */
export class Leadership {
  readonly #worker: string;
  readonly #table: string;
  readonly #client: DynamoDBClient;
  readonly #log: Logger;
  readonly #uptime: () => number;
  /** The newest sign of life of another worker that holds the lock, and when it was seen. */
  #seen: { readonly owner: string; readonly version: string; readonly at: number } | null = null;
  #failing = false;
  #closed = false;

  constructor(config: ConsumerConfig, log: Logger, clock: () => number = uptime) {
    const { region } = config.stream;
    const { endpoint } = config.dynamodb;
    this.#worker = config.worker_id;
    this.#table = `${config.application}${TABLE_SUFFIX}`;
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
    try {
      await this.#delete(`${OWNER} = :me`, { ':me': { S: this.#worker } });
      this.#log.info('gave up the lock of a daemon that is dead');
    } catch (error) {
      if (NOT_OURS.includes((error as Error).name)) return;
      this.#log.warn({ err: error }, 'a lock of the daemon before may stand: it may take two minutes to end');
    }
  }

  /** Deletes the lock of another worker that has given no sign of life for so long that it is dead. */
  async look(): Promise<void> {
    try {
      const command = new GetItemCommand({ TableName: this.#table, Key: KEY, ConsistentRead: true });
      const { Item } = await this.#client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
      this.#failing = false;
      await this.#judge(Item?.[OWNER]?.S, Item?.[VERSION]?.S);
    } catch (error) {
      if (NOT_OURS.includes((error as Error).name)) return;
      if (!this.#failing && !this.#closed)
        this.#log.warn({ err: error }, "the leader's signs of life can not be read");
      this.#failing = true;
    }
  }

  close(): void {
    this.#closed = true;
    this.#client.destroy();
  }

  async #judge(owner: string | undefined, version: string | undefined): Promise<void> {
    if (owner === undefined || version === undefined || owner === this.#worker) {
      this.#seen = null;
      return;
    }
    const now = this.#uptime();
    if (this.#seen?.owner !== owner || this.#seen.version !== version) {
      this.#seen = { owner, version, at: now };
      return;
    }
    const silent = now - this.#seen.at;
    if (silent < SILENT_MS) return;
    this.#seen = null;
    const condition = `${OWNER} = :owner AND ${VERSION} = :version`;
    await this.#delete(condition, { ':owner': { S: owner }, ':version': { S: version } });
    this.#log.warn({ owner, silent_ms: silent }, 'gave up the lock of a leader that is silent');
  }

  async #delete(condition: string, values: Record<string, { S: string }>): Promise<void> {
    const command = new DeleteItemCommand({
      TableName: this.#table,
      Key: KEY,
      ConditionExpression: condition,
      ExpressionAttributeValues: values,
    });
    await this.#client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
  }
}
