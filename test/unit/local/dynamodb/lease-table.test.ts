/** Only a lease table that KCL creates gets KCL's index. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withLeaseIndex } from '../../../../local/dynamodb/lease-table.ts';

const LEASES = {
  TableName: 'other',
  BillingMode: 'PAY_PER_REQUEST',
  KeySchema: [{ AttributeName: 'leaseKey', KeyType: 'HASH' }],
  AttributeDefinitions: [{ AttributeName: 'leaseKey', AttributeType: 'S' }],
} as const;

test('a lease table has the index from the start', () => {
  const { GlobalSecondaryIndexes: indexes, AttributeDefinitions: attributes } = withLeaseIndex({
    ...LEASES,
    KeySchema: [...LEASES.KeySchema],
    AttributeDefinitions: [...LEASES.AttributeDefinitions],
  });
  assert.deepEqual(
    attributes!.map(({ AttributeName: name }) => name),
    ['leaseKey', 'leaseOwner'],
  );
  assert.equal(indexes![0]!.IndexName, 'LeaseOwnerToLeaseKeyIndex');
});

test('other tables, and one that has its index, stay as they are', () => {
  const other = {
    TableName: 'x-CoordinatorState',
    KeySchema: [{ AttributeName: 'key', KeyType: 'HASH' as const }],
  };
  assert.equal(withLeaseIndex(other), other);
  const whole = {
    ...LEASES,
    KeySchema: [...LEASES.KeySchema],
    AttributeDefinitions: [],
    GlobalSecondaryIndexes: [],
  };
  assert.equal(withLeaseIndex(whole), whole);
});
