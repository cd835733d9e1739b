/** Which leases are repaired: a table of what the stream and KCL's table can say of a shard. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamShard } from '../../../../archive/kinesis-stream.ts';
import { asksForLog, type Lease, leaseRepairs } from '../../../../consumer/kcl/lease-repair.ts';

const ME = 'worker-1';

function shard(id: string, changes: Partial<StreamShard> = {}): StreamShard {
  return {
    id,
    parents: [],
    range: ['0', 'f'],
    hashKeys: ['0', '15'],
    startingSequence: '1000',
    closed: false,
    ...changes,
  };
}

function lease(of: string, checkpoint: string, owner: string | null = ME): Lease {
  return { shard: of, owner, checkpoint, counter: '1' };
}

function repairs(
  shards: readonly StreamShard[],
  leases: readonly Lease[],
  archived: readonly string[] = [],
): string[] {
  const facts = { shards, leases, worker: ME, archived: new Set(archived) };
  return leaseRepairs(facts).map((repair) =>
    repair.kind === 'create' ? `create ${repair.shard.id}` : `${repair.kind} ${repair.lease.shard}`,
  );
}

const cases: [what: string, found: string[], expected: string[]][] = [
  ['a lease in the middle of its shard', repairs([shard('a')], [lease('a', '1000')]), []],
  ['a lease at the beginning', repairs([shard('a')], [lease('a', 'TRIM_HORIZON')]), []],
  ['a shard that is gone', repairs([shard('a')], [lease('a', '1000'), lease('x', '5')]), ['delete x']],
  ['gone, of nobody', repairs([shard('a')], [lease('a', '1000'), lease('x', '5', null)]), ['delete x']],
  ['gone, of another worker', repairs([shard('a')], [lease('a', '1000'), lease('x', '5', 'worker-2')]), []],
  ['a checkpoint of an earlier stream', repairs([shard('a')], [lease('a', '999')]), ['rewind a']],
  [
    'the same with more digits',
    repairs([shard('a', { startingSequence: '10000' })], [lease('a', '9999')]),
    ['rewind a'],
  ],
  ['the same, of another worker', repairs([shard('a')], [lease('a', '999', 'worker-2')]), []],
  ['an end in an open shard', repairs([shard('a')], [lease('a', 'SHARD_END')]), ['rewind a']],
  ['the same, of another worker', repairs([shard('a')], [lease('a', 'SHARD_END', 'worker-2')]), ['rewind a']],
  ['an end that is archived', repairs([shard('a', { closed: true })], [lease('a', 'SHARD_END')], ['a']), []],
  ['an end that is not', repairs([shard('a', { closed: true })], [lease('a', 'SHARD_END')]), ['rewind a']],
  ['no leases at all', repairs([shard('a'), shard('b')], []), []],
  ['a lease that is lost', repairs([shard('a'), shard('b')], [lease('a', '1000')]), ['create b']],
  [
    'a shard that is done, whose lease KCL has deleted',
    repairs([shard('a', { closed: true }), shard('b', { parents: ['a'] })], [lease('b', '1000')], ['a']),
    [],
  ],
  [
    'a child whose parent is under way',
    repairs([shard('a', { closed: true }), shard('b', { parents: ['a'] })], [lease('a', '1000')]),
    [],
  ],
  [
    'a lost child of a parent that is done',
    repairs([shard('a', { closed: true }), shard('b', { parents: ['a'] })], [lease('a', 'SHARD_END')], ['a']),
    ['create b'],
  ],
  [
    'a lost child of a merge, one parent of which is under way',
    repairs(
      [shard('a', { closed: true }), shard('b', { closed: true }), shard('c', { parents: ['a', 'b'] })],
      [lease('a', 'SHARD_END'), lease('b', '1000')],
      ['a'],
    ),
    [],
  ],
  [
    'a child whose parent is trimmed',
    repairs([shard('b', { parents: ['a'] }), shard('c')], [lease('c', '1000')]),
    ['create b'],
  ],
  [
    'a stream recreated with fewer shards, under the same names',
    repairs([shard('a')], [lease('a', '999'), lease('b', '999')]),
    ['rewind a', 'delete b'],
  ],
];

for (const [what, found, expected] of cases) {
  test(`${what}: ${expected.length === 0 ? 'left alone' : expected.join(', ')}`, () => {
    assert.deepEqual(found, expected);
  });
}

test('the archive is asked only about closed shards whose lease has ended or is not there', () => {
  const closed = shard('a', { closed: true });
  assert.equal(asksForLog(closed, undefined), true);
  assert.equal(asksForLog(closed, lease('a', 'SHARD_END')), true);
  assert.equal(asksForLog(closed, lease('a', '1000')), false);
  assert.equal(asksForLog(shard('a'), lease('a', 'SHARD_END')), false);
});
