/** Rates from commits: by shard, by producer, by minute, each event once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Commit } from '../../../../archive/commit.ts';
import { Recent } from '../../../../cli/console/recent.ts';

const NOW = 1_795_897_200_000;
const MINUTE = 60_000;
const NONE: ReadonlySet<string> = new Set();

function commit(shard: string, from: number, to: number, events: number, written = to): Commit {
  return {
    ...{ shard, arrival: [from, to], written, number: 1, close: false, records: events / 10 },
    lanes: { a: ['producer-a', ''], b: ['producer-b', ''] },
    objects: [
      {
        key: `${shard}/${from}`,
        events,
        bytes: events * 20,
        lane_events: { a: events / 4, b: (events * 3) / 4 },
      },
    ],
  } as unknown as Commit;
}

/** Ten minutes of two shards: 60 events a second in one, 30 in the other. */
function tenMinutes(): Recent {
  const recent = new Recent();
  for (let i = 10; i > 0; i--) {
    recent.add(commit('s1', NOW - i * MINUTE, NOW - (i - 1) * MINUTE - 1, 3600), NONE);
    recent.add(commit('s2', NOW - i * MINUTE, NOW - (i - 1) * MINUTE - 1, 1800), NONE);
  }
  return recent;
}

const rounded = (value: number): number => Math.round(value);

test('rates of shards, producers and what flows between them add up to that of the archive', () => {
  const recent = tenMinutes();
  const shards = recent.shards();
  assert.deepEqual(
    [...shards].map(([name, { rate }]) => [name, rounded(rate.events), rounded(rate.records)]),
    [
      ['s1', 60, 6],
      ['s2', 30, 3],
    ],
  );
  assert.equal(rounded(recent.rate(NOW)!.events), 90);
  assert.deepEqual(
    [...recent.producers()].map(([name, { events }]) => [name, rounded(events * 10) / 10]),
    [
      ['producer-a', 22.5],
      ['producer-b', 67.5],
    ],
  );
  const links = recent.links().reduce((sum, { events }) => sum + events, 0);
  assert.equal(rounded(links), 90);
});

test('minutes: the events of a batch over the time of its arrival, and how long they waited', () => {
  const recent = tenMinutes();
  recent.add(commit('s1', NOW, NOW + 5 * MINUTE - 1, 5 * 3600, NOW + 6 * MINUTE), NONE);
  const { from, events, delay } = recent.minutes(NOW + 6 * MINUTE);
  const at = (time: number): number => (time - from) / MINUTE;
  assert.equal(events[at(NOW - 11 * MINUTE)], null, 'before the archive began');
  assert.equal(rounded(events[at(NOW - 5 * MINUTE)]!), 90);
  assert.equal(rounded(events[at(NOW + 2 * MINUTE)]!), 60);
  assert.equal(events[at(NOW + 6 * MINUTE)], null, 'not archived yet');
  assert.equal(rounded(delay[at(NOW)]!), 360);
  const total = events.reduce<number>((sum, value) => sum + (value ?? 0) * 60, 0);
  assert.ok(Math.abs(total - (10 * 5400 + 4 * 3600)) < 50, `${total}`);
});

test('what was voided does not count, and what is old is forgotten', () => {
  const recent = new Recent();
  recent.add(commit('s1', NOW - MINUTE, NOW, 600), new Set([`s1/${NOW - MINUTE}`]));
  assert.equal(recent.rate(NOW)!.events, 0);
  const old = tenMinutes();
  old.trim(NOW + 5 * 3_600_000);
  assert.equal(old.rate(NOW + 5 * 3_600_000), null);
  assert.ok(old.minutes(NOW + 5 * 3_600_000).events.every((value) => value === null || value === 0));
});
