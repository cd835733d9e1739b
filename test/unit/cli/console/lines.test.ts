/** One line for each shard and producer, of what several sources say about it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { producerLines, shardLines } from '../../../../cli/console/lines.ts';
import type { ShardRecent } from '../../../../cli/console/recent.ts';
import type { AgentSeen, WorkerSeen } from '../../../../cli/console/status-watch.ts';

const NOW = 1_795_897_200_000;

const recent = (events: number, closed = false): ShardRecent => ({
  rate: { events, bytes: 100, records: 1 },
  ...{ newest: NOW - 9000, lastCommit: NOW - 8000, commits: 7, closed },
});

function workerOf(lines: Record<string, object>, unread: Record<string, number> = {}): WorkerSeen {
  const usual = {
    connected: true,
    phase: 'running',
    trouble: null,
    s3_trouble: null,
    stuck: false,
    millis_behind_latest: 0,
  };
  const shards = Object.fromEntries(Object.entries(lines).map(([id, line]) => [id, { ...usual, ...line }]));
  return {
    ...{ source: 'worker', at: NOW },
    status: { shards, unread_ms: unread } as unknown as WorkerSeen['status'],
    rates: new Map([['s1', { events: 0, bytes: 943_718.4, records: 250 }]]),
  };
}

test('what comes in is what the consumer counts, events are those of the commits', () => {
  const [line] = shardLines(new Map([['s1', recent(40)]]), [workerOf({ s1: {} })], null);
  assert.deepEqual([line!.events, line!.bytes, line!.records, line!.heat], [40, 943_718.4, 250, 0.9]);
});

test('records can be what a shard is full of', () => {
  const worker = {
    ...workerOf({ s1: {} }),
    rates: new Map([['s1', { events: 0, bytes: 1000, records: 990 }]]),
  };
  assert.equal(shardLines(new Map(), [worker], null)[0]!.heat, 0.99);
});

test('closed shards are left out, and so is a process without a shard yet; one that nobody reads is named', () => {
  const archived = new Map([
    ['s1', recent(1)],
    ['s0', recent(0, true)],
  ]);
  const worker = workerOf({ s1: {}, '': { phase: 'starting' } }, { s2: 600_000 });
  assert.deepEqual(
    shardLines(archived, [worker], null).map(({ shard, level, trouble }) => [shard, level, trouble]),
    [
      ['s1', 'good', null],
      ['s2', 'bad', 'no worker reads it'],
    ],
  );
});

test('a stopped shard says why, and one far behind is bad', () => {
  const worker = workerOf({
    s1: { phase: 'stopped', trouble: 'commit 3 is damaged' },
    s2: { millis_behind_latest: 61_000 },
    s3: { millis_behind_latest: 3_600_000 },
  });
  assert.deepEqual(
    shardLines(new Map(), [worker], null).map(({ level, trouble }) => [level, trouble]),
    [
      ['bad', 'commit 3 is damaged'],
      ['note', null],
      ['bad', null],
    ],
  );
});

test('producers: a stopped one is well and has no rate, a silent one is noted, an old status says nothing of now', () => {
  const archived = (producer: string, heard: number, stopped = false) => ({
    ...{ producer, heard, stopped, started: NOW - 1e7, lastCut: heard, until: heard },
  });
  const agent = {
    ...{ source: 'file', at: NOW - 3_600_000, rate: null },
    status: {
      ...{ producer: 'old', host: 'web-9', state: 'ready', reasons: [], uptime_ms: 1 },
      spool: { bytes: 0, chunks: 0, oldest_age_ms: 0 },
      instance: { id: null, lifecycle: null, interruption: null, rebalance: null },
    },
  } as unknown as AgentSeen;
  const rate = { events: 10, bytes: 100 };
  const lines = producerLines(
    [
      archived('sending', NOW - 1000),
      archived('silent', NOW - 3_600_000),
      archived('stopped', NOW - 1000, true),
    ],
    [agent],
    new Map([
      ['sending', rate],
      ['stopped', rate],
    ]),
    NOW,
  );
  assert.deepEqual(
    lines.map(({ producer, state, level, rate: shown }) => [producer, state, level, shown?.events ?? null]),
    [
      ['old', 'unknown', 'note', null],
      ['silent', 'silent', 'note', null],
      ['sending', 'sending', 'good', 10],
      ['stopped', 'stopped', 'good', null],
    ],
  );
});
