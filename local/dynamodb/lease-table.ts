/**
 * The lease table as KCL wants it: KCL creates it and then adds an index to it, which dynalite refuses for tables that are
 * paid per request. So the table gets its index when it is created. No I/O.
 */
import type { CreateTableCommandInput } from '@aws-sdk/client-dynamodb';

/** The request with the index, when it is for a lease table without one; otherwise as it came. */
export function withLeaseIndex(input: CreateTableCommandInput): CreateTableCommandInput {
  const [key, ...more] = input.KeySchema ?? [];
  const isLeaseTable = key?.AttributeName === 'leaseKey' && more.length === 0;
  if (!isLeaseTable || input.GlobalSecondaryIndexes !== undefined) return input;
  return {
    ...input,
    AttributeDefinitions: [
      ...(input.AttributeDefinitions ?? []),
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
  };
}
