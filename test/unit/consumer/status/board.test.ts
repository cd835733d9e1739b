/** What the worker says of its shards: counters over their processes, health, the watchdog, metrics. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { S3Trouble } from '../../../../archive/s3.ts';
import { uptime } from '../../../../base/uptime.ts';
import { checkConfig } from '../../../../cli/config.ts';
import { describeConsumer } from '../../../../cli/consumer-status.ts';
import { consumerSchema } from '../../../../consumer/config.ts';
import { ShardStatus } from '../../../../consumer/shard/status.ts';
import { Board } from '../../../../consumer/status/board.ts';
import { consumerMetrics } from '../../../../consumer/status/metrics.ts';
import { type ShardPhase, type ShardReport, zeroCounters } from '../../../../consumer/status/report.ts';

const MINUTE = 60_000;
const config = checkConfig(
  'consumer.yaml',
  { stream: { name: 'weblogs', region: 'eu-central-1' }, archive: { bucket: 'logs' }, stuck_after: '5m' },
  consumerSchema,
);

let now = 0;
let board: Board;

beforeEach(() => {
  now = 1_764_000_000_000;
  board = new Board(config, () => now);
  board.phase = 'running';
});

function report(pid: number, chunks: number, changes: Partial<ShardReport> = {}): ShardReport {
  return {
    shard: 'shard-0',
    pid,
    host_pid: 1,
    phase: 'running',
    trouble: null,
    counters: { ...zeroCounters(), chunks, s3_errors: chunks },
    millis_behind_latest: 2500,
    last_commit_at: now - 1000,
    pending_bytes: 77,
    pending_since: now - 3000,
    busy_since: null,
    busy_in: null,
    idle_since: now,
    lanes: 4,
    s3_errors_by_reason: { slow_down: chunks },
    s3_trouble: null,
    ...changes,
  };
}

const chunks = (): number => board.status().totals.chunks;

test('more shards than the heap is made for are a fault that says what to do', () => {
  const java = { ...config.java, heap: 218 * 1024 * 1024 };
  board = new Board({ ...config, java }, () => now);
  board.phase = 'running';
  for (const [i, faults] of [
    [1, 0],
    [2, 0],
    [3, 0],
    [4, 1],
  ] as const) {
    board.update(report(i, 1, { shard: `shard-${i}` }));
    assert.equal(board.status().faults.length, faults, `${i} shards`);
  }
  assert.match(
    board.status().faults[0]!,
    /^4 shards need a java\.heap of 236 MiB .* it is 218 MiB: .*max_leases to 3/,
  );
});

test('a shard that has not been read for an hour is forgotten, and stays in the sums', async () => {
  for (let i = 0; i < 100; i++) {
    const shard = `shard-${i}`;
    board.update(report(i, 10, { shard, phase: 'ended' }));
    board.gone(shard, i);
    now += MINUTE;
  }
  const status = board.status();
  assert.equal(Object.keys(status.shards).length, 60);
  assert.deepEqual([status.forgotten.chunks, status.totals.chunks], [400, 1000]);
  assert.match(await consumerMetrics(board), /^tailrace_consumer_chunks_total\{shard="others"\} 400$/m);
  // One that comes back counts from zero, and the sum goes on.
  board.update(report(200, 5, { shard: 'shard-0' }));
  assert.deepEqual([board.status().shards['shard-0']!.chunks, chunks()], [5, 1005]);
});

test('a process that is stuck is found by the clock that its own status goes by', () => {
  const status = new ShardStatus(process.pid);
  status.shard = 'shard-0';
  status.busy('processRecords');
  for (const [later, stuck] of [
    [4, false],
    [6, true],
  ] as const) {
    board = new Board(config, () => uptime() + later * MINUTE);
    board.update(status.report());
    assert.equal(board.status().shards['shard-0']!.stuck, stuck, `after ${later} minutes`);
  }
});

test('counters go on over the processes of a shard', () => {
  board.update(report(1, 5));
  board.gone('shard-0', 1);
  assert.equal(board.active, 0);
  board.update(report(2, 1));
  board.update(report(2, 3));
  assert.equal(chunks(), 8);
  assert.equal(board.active, 1);
});

test('a worker is flushed when no shard has anything to archive', () => {
  const of = (shard: string, phase: ShardPhase): void =>
    board.update({ ...report(shard.charCodeAt(0), 0, { phase }), shard });
  of('a', 'running');
  of('b', 'running');
  assert.equal(board.isFlushed, false);
  of('a', 'flushed');
  assert.equal(board.isFlushed, false);
  of('b', 'stopped');
  assert.equal(board.isFlushed, false, 'its call is never answered');
  of('b', 'lost');
  assert.equal(board.isFlushed, true);
  of('c', 'starting');
  assert.equal(board.isFlushed, false);
  board.gone('c', 'c'.charCodeAt(0));
  assert.equal(board.isFlushed, true);
});

test('a process that ends slowly is not counted once more with each of its reports', async () => {
  board.update(report(1, 5));
  // The lease is lost and comes back: the new process reports while the old one still does.
  board.update(report(2, 1));
  board.update(report(1, 6, { phase: 'lost' }));
  board.update(report(2, 2));
  board.update(report(1, 6, { phase: 'lost' }));
  board.update(report(2, 3));
  assert.equal(chunks(), 9);
  assert.equal(board.active, 1);
  assert.equal(board.status().shards['shard-0']!.pid, 2);
  board.gone('shard-0', 1);
  assert.equal(chunks(), 9);
  assert.equal(board.active, 1);
  assert.match(
    await consumerMetrics(board),
    /^tailrace_consumer_s3_errors_by_reason_total\{shard="shard-0",reason="slow_down"\} 9$/m,
  );
});

test('a call that takes too long is stuck, and so is a shard that KCL does not call any more', () => {
  board.update(report(1, 0, { busy_since: now, busy_in: 'processRecords', idle_since: null }));
  now += 4 * MINUTE;
  assert.deepEqual(board.status().faults, []);
  now += 2 * MINUTE;
  assert.deepEqual(board.status().faults, ['shard-0 is stuck: processRecords']);
  board.update(report(1, 0));
  assert.deepEqual(board.status().faults, []);
  now += 6 * MINUTE;
  assert.deepEqual(board.status().faults, ['shard-0 is stuck: no call of KCL comes']);
  // Nothing is expected of these.
  for (const phase of ['ended', 'lost'] as const) {
    board.update(report(1, 0, { phase, idle_since: now - 60 * MINUTE }));
    assert.deepEqual(board.status().faults, []);
  }
});

test('health says what needs somebody to act', () => {
  board.update(report(1, 0, { phase: 'stopped', trouble: 'a chunk of version 9' }));
  assert.deepEqual(board.status().faults, ['shard-0 is stopped: a chunk of version 9']);
  board.update(report(1, 0, { s3_trouble: 'access_denied' }));
  assert.deepEqual(board.status().faults, ['shard-0 cannot write: access_denied']);
  board.gone('shard-0', 1);
  board.phase = 'restarting';
  assert.deepEqual(board.status().faults, ['the daemon is restarting']);
});

test('what S3 refuses is reported at once, and only until it answers', () => {
  const status = new ShardStatus(process.pid);
  const trouble = (reason: string): S3Trouble => ({
    operation: 'put',
    reason,
    message: reason,
    attempt: 1,
    lasting: reason !== 'slow_down',
  });
  assert.equal(status.s3Error(trouble('slow_down')), false);
  assert.equal(status.report().s3_trouble, null);
  assert.equal(status.s3Error(trouble('access_denied')), true);
  assert.equal(status.s3Error(trouble('access_denied')), false);
  assert.equal(status.report().s3_trouble, 'access_denied');
  status.s3Answered();
  assert.equal(status.report().s3_trouble, null);
  assert.deepEqual(status.report().s3_errors_by_reason, { slow_down: 1, access_denied: 2 });
});

test('metrics of every shard, in the format of Prometheus', async () => {
  board.update(report(1, 5));
  const text = await consumerMetrics(board);
  for (const line of [
    'tailrace_consumer_chunks_total{shard="shard-0"} 5',
    'tailrace_consumer_behind_latest_seconds{shard="shard-0"} 2.5',
    'tailrace_consumer_oldest_pending_seconds{shard="shard-0"} 3',
    'tailrace_consumer_pending_bytes{shard="shard-0"} 77',
    'tailrace_consumer_stuck{shard="shard-0"} 0',
    'tailrace_consumer_stopped{shard="shard-0"} 0',
    'tailrace_consumer_s3_denied{shard="shard-0"} 0',
    'tailrace_consumer_up 1',
  ]) {
    assert.ok(text.split('\n').includes(line), line);
  }
  board.gone('shard-0', 1);
  assert.doesNotMatch(
    await consumerMetrics(board),
    /behind_latest_seconds\{/,
    'no gauge of a shard that is not here',
  );
});

test('a person is shown state, counters and rates of each shard', () => {
  board.update(report(1, 5));
  const before = board.status();
  board.update(report(1, 7, { counters: { ...zeroCounters(), chunks: 7, bytes_received: 2048 } }));
  const text = describeConsumer(board.status(), before);
  assert.match(text, /^ {2}shard-0: running, 3 s behind, 77 B pending, oldest 3 s$/m);
  assert.match(text, /^ {4}0 events in 7 chunks, 0 B \(2\.0 KiB\/s in\), 0 commits/m);
  board.update(report(1, 7, { phase: 'stopped', trouble: 'a chunk\u001b of version 9' }));
  assert.match(
    describeConsumer(board.status(), null),
    /^ {2}! shard-0 is stopped: a chunk\\u001b of version 9$/m,
  );
});

test('a state is entered only from those that it can follow', () => {
  const status = new ShardStatus(process.pid);
  assert.throws(() => {
    status.phase = 'ended';
  }, /a shard cannot go from starting to ended/);
  for (const phase of ['waiting_for_parent', 'running', 'ended', 'lost'] as const) status.phase = phase;
  assert.throws(() => {
    status.phase = 'running';
  }, /from lost to running/);
  const worker = new Board(config);
  assert.throws(() => {
    worker.phase = 'failed';
  }, /a worker cannot go from starting to failed/);
  for (const phase of ['running', 'restarting', 'running', 'stopping'] as const) worker.phase = phase;
  assert.throws(() => {
    worker.phase = 'restarting';
  }, /from stopping to restarting/);
});
