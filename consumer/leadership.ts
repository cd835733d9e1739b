/** KCL's lock on distributing the leases: given up for the daemon that held it and is dead. */
import { DeleteItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Logger } from 'pino';
import type { ConsumerConfig } from './config.ts';

/** As KCL 3 names the table, the lock's key and the attribute with the worker's id. */
const TABLE_SUFFIX = '-CoordinatorState';
const KEY = 'Leader';
const TIMEOUT_MS = 5_000;
/** No lock is held, somebody else holds it, or KCL has not made its table yet. */
const NOT_OURS = ['ConditionalCheckFailedException', 'ResourceNotFoundException'];

/**
 * Deletes the lock when this worker's id is on it. To be called while no daemon of this worker runs: a daemon that
 * was killed leaves its lock behind for two minutes, in which nobody gives a shard to anybody.
 *
 * Whatever goes wrong is logged and costs those minutes, no more.
 */
export async function giveUpLeadership(config: ConsumerConfig, log: Logger): Promise<void> {
  const { region } = config.stream;
  const { endpoint } = config.dynamodb;
  const client = new DynamoDBClient({
    region,
    maxAttempts: 2,
    ...(endpoint === undefined ? {} : { endpoint }),
  });
  try {
    const command = new DeleteItemCommand({
      TableName: `${config.application}${TABLE_SUFFIX}`,
      Key: { key: { S: KEY } },
      ConditionExpression: 'ownerName = :me',
      ExpressionAttributeValues: { ':me': { S: config.worker_id } },
    });
    await client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
    log.info('gave up the lock of a daemon that is dead');
  } catch (error) {
    if (!NOT_OURS.includes((error as Error).name)) {
      log.warn({ err: error }, 'a lock of the daemon before may stand: it may take two minutes to end');
    }
  } finally {
    client.destroy();
  }
}
