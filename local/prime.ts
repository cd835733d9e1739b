/**
 * Prepares the tables of a KCL 3 application as KCL itself would, so that its first worker starts immediately: on an empty
 * lease table KCL first waits for a random time and for its next shard sync, half a minute or more.
 */
import {
  CreateTableCommand,
  type DynamoDBClient,
  PutItemCommand,
  ResourceInUseException,
  ScanCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import type { KinesisClient, Shard } from '@aws-sdk/client-kinesis';
import { listShards } from '../base/list-shards.ts';

export interface PrimeOptions {
  readonly kinesis: KinesisClient;
  readonly dynamodb: DynamoDBClient;
  readonly streamName: string;
  /** KCL's application name, also the name of its lease table. */
  readonly application: string;
  /** The id of the worker that gets all leases, when it is known: KCL would first wait for the worker to report its load. */
  readonly worker?: string | undefined;
}

/**
 * Creates missing tables, and the leases if there are none yet. Does nothing to an application that
 * has run before, nor for a resharded stream, whose leases only KCL can work out.
 */
export async function primeLeases(options: PrimeOptions): Promise<void> {
  const { kinesis, dynamodb, streamName, application, worker } = options;
  const [shards] = await Promise.all([
    listShards(streamName, (command) => kinesis.send(command)),
    createLeaseTable(dynamodb, application),
  ]);
  // The answer to CreateTable comes before the table can be used.
  await waitUntilTableExists(
    { client: dynamodb, maxWaitTime: 30, minDelay: 0.02, maxDelay: 0.5 },
    { TableName: application },
  );
  const resharded = shards.some((shard) => shard.ParentShardId !== undefined);
  const { Items: leases } = await dynamodb.send(new ScanCommand({ TableName: application, Limit: 1 }));
  if (resharded || (leases?.length ?? 0) > 0) return;
  await Promise.all(shards.map((shard) => putLease(dynamodb, application, shard, worker)));
}

async function createLeaseTable(dynamodb: DynamoDBClient, name: string): Promise<void> {
  await ignoreExisting(
    dynamodb.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: 'leaseKey', KeyType: 'HASH' }],
        AttributeDefinitions: [
          { AttributeName: 'leaseKey', AttributeType: 'S' },
          { AttributeName: 'leaseOwner', AttributeType: 'S' },
        ],
        GlobalSecondaryIndexes: [
          {
            IndexName: 'LeaseOwnerToLeaseKeyIndex',
            KeySchema: [
              { AttributeName: 'leaseOwner', KeyType: 'HASH' },
              { AttributeName: 'leaseKey', KeyType: 'RANGE' },
            ],
            Projection: { ProjectionType: 'KEYS_ONLY' },
          },
        ],
      }),
    ),
  );
}

async function putLease(
  dynamodb: DynamoDBClient,
  table: string,
  shard: Shard,
  worker: string | undefined,
): Promise<void> {
  await dynamodb.send(
    new PutItemCommand({
      TableName: table,
      Item: {
        leaseKey: { S: shard.ShardId! },
        checkpoint: { S: 'TRIM_HORIZON' },
        checkpointSubSequenceNumber: { N: '0' },
        leaseCounter: { N: '0' },
        ownerSwitchesSinceCheckpoint: { N: '0' },
        startingHashKey: { S: shard.HashKeyRange!.StartingHashKey! },
        endingHashKey: { S: shard.HashKeyRange!.EndingHashKey! },
        ...(worker === undefined ? {} : { leaseOwner: { S: worker } }),
      },
    }),
  );
}

async function ignoreExisting(creation: Promise<unknown>): Promise<void> {
  try {
    await creation;
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
}
