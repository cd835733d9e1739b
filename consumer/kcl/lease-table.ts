/** KCL's leases in DynamoDB: read, and repaired without disturbing a worker that has read or written them since. */
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DynamoDBClient,
  PutItemCommand,
  ResourceNotFoundException,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { ConsumerConfig } from '../config.ts';
import type { Lease, LeaseRepair } from './lease-repair.ts';

const TIMEOUT_MS = 10_000;
/** What a lease says that nobody has read from: KCL's way to write the start of a shard. */
const TRIM_HORIZON: Readonly<Record<string, AttributeValue>> = {
  checkpoint: { S: 'TRIM_HORIZON' },
  checkpointSubSequenceNumber: { N: '0' },
};

/** What of a consumer's configuration its lease table goes by. */
interface LeaseTableConfig extends Pick<ConsumerConfig, 'application' | 'dynamodb'> {
  readonly stream: Pick<ConsumerConfig['stream'], 'region'>;
}

export class LeaseTable {
  readonly #table: string;
  readonly #client: DynamoDBClient;

  constructor({ application, stream, dynamodb: { endpoint } }: LeaseTableConfig) {
    this.#table = application;
    this.#client = new DynamoDBClient({
      region: stream.region,
      maxAttempts: 3,
      ...(endpoint === undefined ? {} : { endpoint }),
    });
  }

  /** All leases; none when KCL has not created the table yet. */
  async leases(): Promise<Lease[]> {
    const leases: Lease[] = [];
    let start: Record<string, AttributeValue> | undefined;
    do {
      const command = new ScanCommand({
        TableName: this.#table,
        ConsistentRead: true,
        ExclusiveStartKey: start,
      });
      try {
        const page = await this.#client.send(command, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
        leases.push(...(page.Items ?? []).flatMap(leaseOf));
        start = page.LastEvaluatedKey;
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return [];
        throw error;
      }
    } while (start !== undefined);
    return leases;
  }

  /** @returns false when the lease has changed since it was read, so that the repair may be wrong */
  async repair(repair: LeaseRepair): Promise<boolean> {
    try {
      const abortSignal = AbortSignal.timeout(TIMEOUT_MS);
      if (repair.kind === 'create') await this.#client.send(this.#creation(repair), { abortSignal });
      else if (repair.kind === 'delete')
        await this.#client.send(this.#deletion(repair.lease), { abortSignal });
      else await this.#client.send(this.#rewinding(repair.lease), { abortSignal });
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  }

  close(): void {
    this.#client.destroy();
  }

  #creation({ shard }: LeaseRepair & { kind: 'create' }): PutItemCommand {
    return new PutItemCommand({
      TableName: this.#table,
      Item: {
        leaseKey: { S: shard.id },
        ...TRIM_HORIZON,
        leaseCounter: { N: '0' },
        ownerSwitchesSinceCheckpoint: { N: '0' },
        startingHashKey: { S: shard.hashKeys[0] },
        endingHashKey: { S: shard.hashKeys[1] },
        ...(shard.parents.length === 0 ? {} : { parentShardId: { SS: [...shard.parents] } }),
      },
      ConditionExpression: 'attribute_not_exists(leaseKey)',
    });
  }

  #deletion(lease: Lease): DeleteItemCommand {
    return new DeleteItemCommand({
      TableName: this.#table,
      Key: { leaseKey: { S: lease.shard } },
      ...unchanged(lease, {}),
    });
  }

  /** The counter stays: a worker that holds the lease goes on renewing it, and begins where the lease says now. */
  #rewinding(lease: Lease): UpdateItemCommand {
    return new UpdateItemCommand({
      TableName: this.#table,
      Key: { leaseKey: { S: lease.shard } },
      UpdateExpression: 'SET checkpoint = :start, checkpointSubSequenceNumber = :zero REMOVE childShardIds',
      ...unchanged(lease, {
        ':start': TRIM_HORIZON['checkpoint']!,
        ':zero': TRIM_HORIZON['checkpointSubSequenceNumber']!,
      }),
    });
  }
}

function unchanged(
  { checkpoint, counter }: Lease,
  values: Record<string, AttributeValue>,
): { ConditionExpression: string; ExpressionAttributeValues: Record<string, AttributeValue> } {
  return {
    ConditionExpression: 'checkpoint = :read AND leaseCounter = :counter',
    ExpressionAttributeValues: { ...values, ':read': { S: checkpoint }, ':counter': { N: counter } },
  };
}

/** Since KCL 3.5 the table holds the leader lock and the workers' metrics, too: those have an `entityType`. */
function leaseOf(item: Record<string, AttributeValue>): Lease[] {
  const { leaseKey, leaseOwner, checkpoint, leaseCounter, entityType } = item;
  if (entityType?.S !== undefined && entityType.S !== 'LEASE') return [];
  if (leaseKey?.S === undefined || checkpoint?.S === undefined) return [];
  return [
    {
      shard: leaseKey.S,
      owner: leaseOwner?.S ?? null,
      checkpoint: checkpoint.S,
      counter: leaseCounter?.N ?? '0',
    },
  ];
}
