/** The keeper's handler against answers of the services: what it asks, what it changes, and what it leaves alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { KinesisClient, LimitExceededException } from '@aws-sdk/client-kinesis';
import { log } from '../../../../functions/runtime/log.ts';
import { SHARD_BYTES } from '../../../../functions/scale/rules.ts';

log.level = 'silent';
Object.assign(process.env, {
  AWS_REGION: 'us-east-1',
  STREAM_NAME: 'weblogs',
  MIN_SHARDS: '2',
  MAX_SHARDS: '64',
  COST_CEILING: '0',
  TARGET_USE: '0.9',
});

interface Call {
  readonly name: string;
  readonly input: Record<string, unknown>;
}
interface World {
  open: number;
  mode: string;
  status: string;
  /** Shards that each minute fills; null for no metrics. */
  load: number | null;
  refuse: boolean;
}

const calls: Call[] = [];
const world: World = { open: 4, mode: 'PROVISIONED', status: 'ACTIVE', load: 9, refuse: false };
let tag = '';

async function kinesis(command: { constructor: { name: string }; input: Call['input'] }): Promise<object> {
  const { name } = command.constructor;
  calls.push({ name, input: command.input });
  if (name === 'DescribeStreamSummaryCommand') {
    const { open, mode, status } = world;
    const StreamModeDetails = { StreamMode: mode };
    return {
      StreamDescriptionSummary: {
        OpenShardCount: open,
        StreamStatus: status,
        StreamModeDetails,
        RetentionPeriodHours: 168,
      },
    };
  }
  if (name === 'ListTagsForStreamCommand') return { Tags: [{ Key: 'tailrace:shard-changes', Value: tag }] };
  if (name === 'AddTagsToStreamCommand') {
    tag = (command.input['Tags'] as Record<string, string>)['tailrace:shard-changes']!;
  }
  if (name === 'UpdateShardCountCommand' && world.refuse) {
    throw new LimitExceededException({ message: 'simulated', $metadata: {} });
  }
  return {};
}

async function cloudWatch({ input }: { input: Record<string, unknown> }): Promise<object> {
  const from = Number(input['StartTime']);
  const to = Number(input['EndTime']);
  const queries = input['MetricDataQueries'] as { Id: string; MetricStat: { Period: number } }[];
  const results = queries.map(({ Id, MetricStat: { Period } }) => {
    const times: Date[] = [];
    for (let at = from; world.load !== null && at < to; at += Period * 1000) times.push(new Date(at));
    const value = { bytes: (world.load ?? 0) * Period * SHARD_BYTES, records: 100, refused: 0 }[Id] ?? 0;
    return { Id, Timestamps: times, Values: times.map(() => value) };
  });
  return { MetricDataResults: results };
}

Object.assign(KinesisClient.prototype, { send: kinesis });
Object.assign(CloudWatchClient.prototype, { send: cloudWatch });
const { handler } = await import('../../../../functions/scale.ts');

async function run(change: Partial<World>): Promise<{ plan: string; changed: Call[] }> {
  Object.assign(world, { open: 4, mode: 'PROVISIONED', status: 'ACTIVE', load: 9, refuse: false }, change);
  calls.length = 0;
  const context = { getRemainingTimeInMillis: () => 60_000 } as never;
  const { plan } = (await handler({}, context)) as { plan: string };
  const changes = ['UpdateShardCountCommand', 'SplitShardCommand'];
  return { plan, changed: calls.filter(({ name }) => changes.includes(name)) };
}

test('a busy stream is doubled, and the change is noted before it is asked for', async () => {
  tag = '';
  const { changed } = await run({});
  assert.equal(changed[0]!.input['TargetShardCount'], 8);
  assert.match(tag, /^\d{10}$/);
  const names = calls.map(({ name }) => name);
  assert.ok(names.indexOf('AddTagsToStreamCommand') < names.indexOf('UpdateShardCountCommand'));
});

test('no metrics, a change under way, on demand: nothing is changed', async () => {
  for (const change of [{ load: null }, { status: 'UPDATING' }, { mode: 'ON_DEMAND' }]) {
    const { plan, changed } = await run(change);
    assert.equal(plan, 'hold', JSON.stringify(change));
    assert.deepEqual(changed, []);
  }
});

test('ten changes of the day are read from the tag, and are the end', async () => {
  const now = Math.floor(Date.now() / 1000);
  tag = Array.from({ length: 10 }, (_, i) => now - 3600 * (i + 1)).join(' ');
  assert.deepEqual((await run({})).changed, []);
  tag = '';
});

test('a change that the service refuses is left to the next pass', async () => {
  const { plan } = await run({ refuse: true });
  assert.equal(plan, 'hold');
});
