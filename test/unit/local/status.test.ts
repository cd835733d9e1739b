/** When the consumer of a local pipeline has read everything. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReadAll, type ShardView } from '../../../local/status.ts';

function shard(phase: string, behindMs: number | null): ShardView {
  return {
    id: 'shardId-000000000000',
    phase,
    records: 1,
    archived: 1,
    pendingBytes: 0,
    behindMs,
    trouble: null,
  };
}

test('everything is read when every open shard is, to its end', () => {
  const atEnd = shard('running', 0);
  const cases: [openShards: number | null, shards: ShardView[], expected: boolean][] = [
    [2, [atEnd, atEnd], true],
    [2, [atEnd], false],
    [2, [], false],
    [null, [atEnd], false],
    [2, [atEnd, shard('running', 10)], false],
    [2, [atEnd, shard('starting', null)], false],
    [1, [atEnd, shard('ended', 10)], true],
    [2, [atEnd, shard('ended', 0)], false],
    [2, [atEnd, shard('lost', 0)], false],
  ];
  for (const [openShards, shards, expected] of cases) {
    assert.equal(hasReadAll({ openShards, shards }), expected, JSON.stringify([openShards, shards]));
  }
});
