/** What commits and states come to as facts of lanes, producers and hours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Commit, CommitObject, Watermark } from '../../../../archive/commit.ts';
import { newestCommit } from '../../../../archive/commit-log.ts';
import { Facts } from '../../../../archive/hours/facts.ts';
import { Runs } from '../../../../archive/runs.ts';
import { ShardState } from '../../../../archive/state.ts';
import { ChunkSource } from '../../../support/chunks.ts';
import { archiveOf, HOUR, NOW } from '../../../support/small-archive.ts';

const [A, B] = ['a'.repeat(32), 'b'.repeat(32)];
const LOG = { prefix: '', incarnation: '0'.repeat(18), shard: 'shard-0' };
const MINUTE = 60_000;

const object = (key: string, hour: number, runs: Record<string, string>): CommitObject =>
  ({ key, hour, runs, events: 1, bytes: 1 }) as unknown as CommitObject;

const mark = (sequence: number): Watermark => [sequence, sequence, NOW + sequence, NOW + sequence, 0];

function commit(changes: Partial<Commit>): Commit {
  const lanes = { [A]: ['p', '1'], [B]: ['p', '2'] };
  return {
    ...{ arrival: null, objects: [], empty: {}, lanes, producers: [], voided: [] },
    ...changes,
  } as unknown as Commit;
}

const archived = (facts: Facts, lane: string): string | undefined =>
  facts.lanes.get(lane)?.archived.toString();

test('objects and empty chunks are archived, lost objects are not', () => {
  const facts = new Facts();
  const objects = [
    object('one', HOUR, { [A]: '1-2' }),
    object('two', HOUR, { [A]: '4' }),
    object('three', HOUR + 1, { [A]: '5', [B]: '1' }),
    object('lost', HOUR, { [A]: '6', [B]: '9' }),
  ];
  facts.add(commit({ objects, empty: { [A]: '3', [B]: '2-3' } }), new Set(['lost']));
  assert.deepEqual([archived(facts, A), archived(facts, B)], ['1-5', '1-3']);
  assert.deepEqual([facts.lanes.get(A)!.producer, facts.lanes.get(B)!.epoch], ['p', '2']);
  assert.deepEqual(
    facts.hours.get(HOUR)!.objects.map(({ key }) => key),
    ['one', 'two'],
  );
  const runsOf = (hour: number) =>
    [...facts.hours.get(hour)!.lanes].map(([lane, runs]) => [lane, runs.toString()]);
  assert.deepEqual(runsOf(HOUR), [[A, '1-2,4']]);
  assert.deepEqual(runsOf(HOUR + 1), [
    [A, '5'],
    [B, '1'],
  ]);
});

test('a producer was heard of when the latest of its records arrived, and what came before an epoch is kept', () => {
  const facts = new Facts();
  const producer = (ordinal: number, previous: { epoch: string; ordinal: number } | null) =>
    [{ producer: 'p', epoch: '1', ordinal, previous }] as unknown as Commit['producers'];
  facts.add(commit({ arrival: [NOW, NOW + 5], producers: producer(2, null) }), new Set());
  const previous = { epoch: '0', ordinal: 7 };
  facts.add(commit({ arrival: [NOW, NOW + 9], producers: producer(4, previous) }), new Set());
  facts.add(commit({ arrival: [NOW, NOW + 7], producers: producer(3, null) }), new Set());
  assert.deepEqual(facts.producers.get('p')!.get('1'), {
    previous,
    ordinal: 4,
    heard: NOW + 9,
    arrived: NOW + 5,
  });
});

test('watermarks of known lanes count, by their sequence', () => {
  const facts = new Facts();
  const watermarks = { [A]: [mark(2), mark(4)], ['c'.repeat(32)]: [mark(1)] };
  facts.add(commit({ empty: { [A]: '2,4' }, watermarks }), new Set());
  assert.deepEqual([...facts.lanes.get(A)!.watermarks.values()], [mark(2), mark(4)]);
  assert.equal(facts.lanes.size, 1);
});

test('a state before the commits counts, without what the first of them voids', () => {
  const state = new ShardState();
  const runs = new Runs();
  runs.addRange(1, 9);
  const known = { producer: 'p', epoch: '1', runs, seen: NOW + 3, watermark: mark(8) };
  state.lanes.set(A, known as unknown as Parameters<typeof state.lanes.set>[1]);
  const facts = new Facts();
  facts.addState(state, commit({ voided: [{ key: 'lost', runs: { [A]: '4-5', [B]: '1' } }] }));
  assert.equal(archived(facts, A), '1-3,6-9');
  assert.deepEqual([...facts.lanes.get(A)!.watermarks.keys()], [8]);
  assert.equal(facts.producers.get('p')!.get('1')!.heard, NOW + 3);
});

test('a commit has the watermarks of a lane in its order, and none later than their arrival', async () => {
  const agent = new ChunkSource({ name: 'p', epoch: NOW * 65_536 });
  const ahead = NOW + 10 * MINUTE;
  const chunks = [
    agent.next('', HOUR, 0, { firstTime: ahead, lastTime: ahead + 1 }),
    agent.next('', HOUR, 0, { firstTime: NOW - 2, lastTime: ahead }),
    agent.next('', HOUR, 0, { firstTime: NOW - 1, lastTime: NOW, end: true }),
  ];
  const archive = await archiveOf([chunks.toReversed()]);
  const { watermarks } = (await newestCommit(archive, LOG))!;
  assert.deepEqual(watermarks![agent.lane], [
    [1, 1, NOW, NOW, 0],
    [2, 2, NOW - 2, NOW, 0],
    [3, 3, NOW - 1, NOW, 1],
  ]);
});
