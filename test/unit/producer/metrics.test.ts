import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeAgent } from '../../../cli/agent-status.ts';
import { Counters } from '../../../producer/counters.ts';
import { emfDocument } from '../../../producer/emf.ts';
import { exposition } from '../../../producer/http.ts';
import { HELP } from '../../../producer/metrics.ts';
import type { AgentStatus } from '../../../producer/status.ts';

const PRODUCER = join(import.meta.dirname, '..', '..', '..', 'producer');

function status(changes: Partial<AgentStatus> = {}): AgentStatus {
  return {
    pid: 17,
    host: 'web-1',
    state: 'ready',
    reasons: [],
    producer: 'a'.repeat(32),
    epoch: 'b'.repeat(16),
    uptime_ms: 5000,
    troubled_inputs: [],
    inputs: { 'tail:/var/log/nginx/access.log': { events: 1234, bytes: 5_000_000, unparsed: 0 } },
    events: { in: 1234, open: 4, spooled: 30, acknowledged: 1200, quarantined: 0 },
    sealed: { chunks: 5, events: 1230, bytes: 100_000 },
    acknowledged: { chunks: 4, events: 1200, bytes: 90_000, records: 2 },
    spool: { bytes: 20_000, segments: 1, chunks: 1, quarantined: 0, blocked: null, oldest_age_ms: 1500 },
    stream: { condition: 'ok', requests: 2, failed_requests: 0, retried_records: 1 },
    lanes: [
      { lane: 'c'.repeat(32), shard: 'shardId-0', active: true, chunks: 1, bytes: 10_000, throttled_ms: 0 },
    ],
    shards: { 'shardId-0': { acknowledged_records: 2, acknowledged_bytes: 90_000 } },
    instance: { id: null, lifecycle: null, interruption: null, rebalance: null },
    ...changes,
  };
}

test('every counter that the producer raises is explained in /metrics', () => {
  const files = readdirSync(PRODUCER, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const names = new Set<string>();
  for (const file of files) {
    const text = readFileSync(join(PRODUCER, file), 'utf8');
    if (file !== 'metrics.ts')
      for (const [name] of text.matchAll(/tailrace_agent_[a-z0-9_]+_total/g)) names.add(name);
  }
  assert.ok(names.size > 30);
  assert.deepEqual(
    [...names].filter((name) => !(name in HELP)),
    [],
  );
});

test('/metrics gives counters and gauges with their labels', async () => {
  const counters = new Counters();
  counters.add('tailrace_agent_acknowledged_events_total', 12, { shard: 'shardId-1' });
  counters.add('tailrace_agent_acknowledged_events_total', 3, { shard: 'shardId-2' });
  counters.add('tailrace_agent_tail_events_total', 15, { input: 'tail:/a "quoted"\nname' });
  const text = await exposition({
    counters,
    gauges: () => ({
      tailrace_agent_stream_condition: {
        help: 'Condition.',
        values: [
          { labels: { condition: 'dns' }, value: 0 },
          { labels: { condition: 'kms' }, value: 1 },
        ],
      },
    }),
  });
  assert.match(
    text,
    /^# HELP tailrace_agent_acknowledged_events_total Events that the stream acknowledged, by shard\.$/m,
  );
  assert.match(text, /^tailrace_agent_acknowledged_events_total\{shard="shardId-1"\} 12$/m);
  assert.match(text, /^tailrace_agent_acknowledged_events_total\{shard="shardId-2"\} 3$/m);
  assert.match(text, /^tailrace_agent_tail_events_total\{input="tail:\/a \\"quoted\\"\\nname"\} 15$/m);
  assert.match(text, /^tailrace_agent_stream_condition\{condition="kms"\} 1$/m);
});

test('status is for a terminal: text from outside cannot control it', () => {
  const evil = '\u001b]0;owned\u0007\u009b2J\nfake line';
  const text = describeAgent(
    status({
      host: evil,
      state: 'degraded',
      reasons: [evil],
      inputs: { [evil]: { events: 1 } },
      shards: { [evil]: { acknowledged_records: 1 } },
      instance: { id: evil, lifecycle: evil, interruption: evil, rebalance: null },
    }),
    null,
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  assert.ok(!text.split('\n').some((line) => line.startsWith('fake')));
});

test('status says where every event is, and how fast they go', () => {
  const before = status();
  const now = status({
    uptime_ms: 7000,
    acknowledged: { chunks: 6, events: 3200, bytes: 290_000, records: 4 },
  });
  const text = describeAgent(now, before);
  assert.match(text, /in 1,234 = open 4 \+ spooled 30 \+ acknowledged 1,200/);
  assert.match(text, /1,000 events\/s, 97\.7 KiB\/s/);
  assert.match(text, /shardId-0: 2 records/);
});

test('a document for CloudWatch names its metrics, and counts since the last one', () => {
  const options = { namespace: 'tailrace', interval: 60_000, address: '127.0.0.1:25888' };
  const later = status({ events: { in: 2234, open: 0, spooled: 0, acknowledged: 2234, quarantined: 0 } });
  const document = emfDocument(options, 'weblogs', later, status(), 1_795_000_000_000) as Record<
    string,
    unknown
  >;
  assert.equal(document['EventsIn'], 1000);
  assert.equal(document['EventsAcknowledged'], 1034);
  assert.equal(document['OldestUnsentSeconds'], 1.5);
  const { CloudWatchMetrics } = document['_aws'] as {
    CloudWatchMetrics: { Dimensions: string[][]; Metrics: { Name: string }[] }[];
  };
  for (const { Dimensions, Metrics } of CloudWatchMetrics) {
    for (const name of [...Dimensions.flat(), ...Metrics.map(({ Name }) => Name)])
      assert.ok(name in document, name);
  }
});
