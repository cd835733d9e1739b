/** The keeper's handler against answers of the services: what it asks, what it changes, and what it leaves alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { KinesisClient, LimitExceededException, ResourceInUseException } from '@aws-sdk/client-kinesis';
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
  /** Records that each minute refuses. */
  refused: number;
  refuse: (new (options: { message: string; $metadata: object }) => Error) | null;
  /** The shard that takes all of the load, of two. */
  hot: string | null;
  /** Where the shards after the first begin, in eighths of the hash space. */
  borders: readonly bigint[];
  /** Whether that shard is closed when the pass lists the shards to split it. */
  gone: boolean;
}
const WORLD: World = {
  open: 4,
  mode: 'PROVISIONED',
  status: 'ACTIVE',
  load: 9,
  refused: 0,
  refuse: null,
  hot: null,
  borders: [4n],
  gone: false,
};

interface Query {
  readonly Id: string;
  readonly MetricStat: {
    readonly Metric: { readonly MetricName: string; readonly Dimensions: { Name: string; Value: string }[] };
    readonly Period: number;
  };
}

/** Milliseconds that the function's clock is ahead: what a container remembers is too old then. */
let ahead = 0;
const clock = Date.now;
Date.now = () => clock() + ahead;

const calls: Call[] = [];
const world: World = { ...WORLD };
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
  if (name === 'ListShardsCommand') {
    const asked = calls.filter((call) => call.name === name).length;
    const starts = [0n, ...world.borders, 8n].map((eighths) => eighths * 2n ** 125n);
    const isClosed = (i: number): boolean => i === 1 && world.gone && asked > 1;
    return {
      Shards: starts.slice(1).map((end, i) => shard(`shardId-${i}`, starts[i]!, end, isClosed(i))),
    };
  }
  if (name === 'UpdateShardCountCommand' && world.refuse) {
    throw new world.refuse({ message: 'simulated', $metadata: {} });
  }
  return {};
}

function shard(ShardId: string, first: bigint, end: bigint, closed = false): object {
  return {
    ShardId,
    HashKeyRange: { StartingHashKey: `${first}`, EndingHashKey: `${end - 1n}` },
    SequenceNumberRange: { StartingSequenceNumber: '1', ...(closed ? { EndingSequenceNumber: '2' } : {}) },
  };
}

async function cloudWatch({ input }: { input: Record<string, unknown> }): Promise<object> {
  const from = Number(input['StartTime']);
  const to = Number(input['EndTime']);
  const queries = input['MetricDataQueries'] as Query[];
  const results = queries.map(({ Id, MetricStat: { Metric, Period } }) => {
    const of = Metric.Dimensions.find(({ Name }) => Name === 'ShardId')?.Value;
    const name = Metric.MetricName;
    const times: Date[] = [];
    for (let at = from; world.load !== null && at < to; at += Period * 1000) times.push(new Date(at));
    const isHot = of === undefined || of === world.hot;
    const value = !isHot
      ? 0
      : name === 'IncomingBytes'
        ? (world.load ?? 0) * Period * SHARD_BYTES
        : name === 'IncomingRecords'
          ? 100
          : world.refused;
    return { Id, Timestamps: times, Values: times.map(() => value) };
  });
  return { MetricDataResults: results };
}

Object.assign(KinesisClient.prototype, { send: kinesis });
Object.assign(CloudWatchClient.prototype, { send: cloudWatch });
const { handler } = await import('../../../../functions/scale.ts');

async function run(change: Partial<World>): Promise<{ plan: string; changed: Call[] }> {
  Object.assign(world, WORLD, change);
  calls.length = 0;
  const context = { getRemainingTimeInMillis: () => 60_000 } as never;
  const { plan } = (await handler({}, context)) as { plan: string };
  const changes = ['UpdateShardCountCommand', 'SplitShardCommand', 'MergeShardsCommand'];
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
  const counts = (await run({})).changed.filter(({ name }) => name === 'UpdateShardCountCommand');
  assert.deepEqual(counts, []);
  tag = '';
});

test('a change that the service refuses is left to the next pass, and uses up none of the day', async () => {
  tag = '';
  for (const refuse of [LimitExceededException, ResourceInUseException]) {
    const { plan, changed } = await run({ refuse });
    assert.equal(plan, 'hold');
    assert.equal(changed.length, 1);
    assert.equal(tag, '');
  }
});

test('a hot shard is split in its middle and the split is noted; one that is gone meanwhile changes nothing', async (t) => {
  const lines: Record<string, unknown>[] = [];
  t.mock.method(log, 'info', (line: Record<string, unknown>) => void lines.push(line));
  const updates = (): unknown => lines.findLast((line) => 'OpenShards' in line)?.['ShardUpdates'];
  tag = '';
  const { plan, changed } = await run({ load: 1, refused: 100, hot: 'shardId-1' });
  assert.equal(plan, 'split');
  assert.equal(changed[0]!.input['ShardToSplit'], 'shardId-1');
  assert.equal(changed[0]!.input['NewStartingHashKey'], ((2n ** 128n / 4n) * 3n).toString());
  assert.match(tag, /^s\d{10}$/);
  assert.equal(updates(), 1);
  tag = '';
  const gone = await run({ load: 1, refused: 100, hot: 'shardId-1', gone: true });
  assert.deepEqual([gone.plan, gone.changed], ['hold', []]);
  assert.equal(updates(), undefined);
});

test('before shards are taken away the busiest is asked for, once in a quarter of an hour', async () => {
  const now = Math.floor(Date.now() / 1000);
  tag = Array.from({ length: 10 }, (_, i) => now - 3600 * (i + 1)).join(' ');
  const idle = { load: 0.8, open: 40, hot: 'shardId-2', borders: [1n, 5n, 6n] };
  const asked = (): number => calls.filter(({ name }) => name === 'ListShardsCommand').length;
  ahead += 15 * 60_000;
  const { plan, changed } = await run(idle);
  assert.deepEqual([plan, changed, asked()], ['hold', [], 1]);
  await run(idle);
  assert.equal(asked(), 0);
  ahead += 15 * 60_000;
  tag = '';
});

test('with no change left the largest shard is split', async () => {
  const now = Math.floor(Date.now() / 1000);
  tag = Array.from({ length: 10 }, (_, i) => now - 3600 * (i + 1)).join(' ');
  const { plan, changed } = await run({ borders: [1n, 5n, 6n] });
  assert.equal(plan, 'split');
  assert.equal(changed[0]!.input['ShardToSplit'], 'shardId-1');
  tag = '';
});

test('the two smallest neighbours are merged', async () => {
  const now = Math.floor(Date.now() / 1000);
  tag = Array.from({ length: 10 }, (_, i) => now - 3600 * (i + 1)).join(' ');
  const { plan, changed } = await run({ load: 1, open: 40, borders: [1n, 5n, 6n] });
  assert.equal(plan, 'merge');
  assert.deepEqual(changed[0]!.input, {
    StreamName: 'weblogs',
    ShardToMerge: 'shardId-2',
    AdjacentShardToMerge: 'shardId-3',
  });
  assert.ok(!calls.some(({ name }) => name === 'AddTagsToStreamCommand'));
  tag = '';
});

test('a stream that is being made or deleted has nothing to keep', async () => {
  const ends = [{ status: 'CREATING', open: 0 }, { status: 'CREATING' }, { status: 'DELETING' }, { open: 0 }];
  for (const change of ends) {
    const { plan, changed } = await run(change);
    assert.deepEqual([plan, changed], ['hold', []]);
    // Neither its metrics nor its tags are worth a question.
    assert.deepEqual(
      calls.map(({ name }) => name),
      ['DescribeStreamSummaryCommand'],
      JSON.stringify(change),
    );
  }
});
