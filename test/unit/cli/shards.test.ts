/** `tailrace shards` against a stream in memory: what it refuses before it asks anybody, what continues it, what it shows. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { InvalidArgumentException, KinesisClient } from '@aws-sdk/client-kinesis';
import { command } from '../../../cli/commands/shards.ts';
import { lagsOf } from '../../../cli/shards-lag.ts';
import { agesOf } from '../../../cli/shards-measure.ts';
import { viewText } from '../../../cli/shards-view.ts';
import { HASH_KEYS } from '../../../functions/scale/layout.ts';
import { runCommand } from '../../support/run-command.ts';

type Input = Record<string, unknown>;

/** An even stream whose changes take effect at once, unless a test says otherwise. */
class Stream {
  open = 2;
  tag = '';
  limit = 500;
  /** How many more times it says that a change is under way. */
  updating = 0;
  /** What it has after that change. */
  afterwards = 0;
  readonly calls: string[] = [];
  onChange: () => void = () => {};

  async send(name: string, input: Input): Promise<object> {
    this.calls.push(name);
    switch (name) {
      case 'DescribeStreamSummary': {
        const isBusy = this.updating-- > 0;
        if (!isBusy && this.afterwards > 0) [this.open, this.afterwards] = [this.afterwards, 0];
        const StreamStatus = isBusy ? 'UPDATING' : 'ACTIVE';
        return {
          StreamDescriptionSummary: { OpenShardCount: this.open, StreamStatus, RetentionPeriodHours: 24 },
        };
      }
      case 'ListTagsForStream':
        return { Tags: [{ Key: 'tailrace:shard-changes', Value: this.tag }] };
      case 'AddTagsToStream':
        [this.tag] = Object.values(input['Tags'] as Record<string, string>) as [string];
        return {};
      case 'DescribeLimits':
        return { ShardLimit: this.limit, OpenShardCount: this.open };
      case 'UpdateShardCount':
        this.open = input['TargetShardCount'] as number;
        this.onChange();
        return {};
      case 'ListShards':
        return { Shards: Array.from({ length: this.open }, (_, i) => this.#shard(i)) };
      default:
        throw new Error(name);
    }
  }

  #shard(i: number): object {
    const border = (n: number): bigint => (HASH_KEYS * BigInt(n)) / BigInt(this.open);
    return {
      ShardId: `shardId-${i}`,
      HashKeyRange: { StartingHashKey: `${border(i)}`, EndingHashKey: `${border(i + 1) - 1n}` },
      SequenceNumberRange: { StartingSequenceNumber: '1' },
    };
  }
}

/** @returns what it prints */
async function run(t: TestContext, stream: Stream, ...args: string[]): Promise<string> {
  const send = (request: { constructor: { name: string }; input: Input }) =>
    stream.send(request.constructor.name.replace(/Command$/, ''), request.input);
  const { mock } = t.mock.method(KinesisClient.prototype, 'send', send as never);
  try {
    return (await runCommand(t, command(), ...args, '--stream', 'weblogs')).stdout;
  } finally {
    mock.restore();
  }
}

test('what cannot be meant is refused before anybody is asked', async (t) => {
  const stream = new Stream();
  for (const [args, why] of [
    [['scale', '0'], /scale 0: expected a count/],
    [['scale', 'x0'], /scale x0: expected a count/],
    [['scale'], /scale: expected a count/],
    [['scale', 'many'], /scale many/],
    [['scale', '10001'], /at most 10000/],
    [['even', '0'], /even 0/],
    [['even', '20000'], /at most 10000/],
    [['show', '5'], /show takes no value/],
    [['--sample', '0'], /--sample 0: expected 1 to 3600/],
  ] as const) {
    await assert.rejects(run(t, stream, ...args), { code: 'CONFIG', message: why });
  }
  assert.deepEqual(stream.calls, []);
});

test('a factor that is interrupted is continued by the number it meant', async (t) => {
  const stream = new Stream();
  stream.onChange = () => void process.emit('SIGTERM');
  const first = await run(t, stream, 'scale', 'x4');
  assert.match(first, /plan: 2 → 4 → 8 shards, uses 2 of the \d+ changes left/);
  assert.match(first, /if interrupted, continue with: tailrace shards scale 8 --stream weblogs\n/);
  assert.match(first, /stopped; continue with: tailrace shards scale 8 --stream weblogs\n$/);
  assert.equal(stream.open, 4);
  stream.onChange = () => {};
  assert.match(await run(t, stream, 'scale', '8'), /plan: 4 → 8 shards.*\n.*\ndone\n$/);
  assert.match(await run(t, stream, 'scale', '8'), /^the stream has 8 shards already\n$/);
});

test('shards are counted when no change is under way any more', async (t) => {
  const stream = new Stream();
  Object.assign(stream, { updating: 1, afterwards: 4 });
  const text = await run(t, stream, 'scale', 'x2', '--dry-run');
  assert.match(text, /^waiting for the change that is under way …\nplan: 4 → 8 shards/);
  assert.ok(!stream.calls.includes('UpdateShardCount'));
});

test('even: no more shards than the account may have, not even on the way, and a long plan is cut', async (t) => {
  const stream = new Stream();
  stream.open = 3;
  stream.limit = 4;
  await assert.rejects(run(t, stream, 'even', '4'), /4 even shards need 6 on the way: .*\(ShardLimit\)/);
  stream.limit = 5000;
  const text = await run(t, stream, 'even', '2000', '--dry-run');
  assert.match(text, /plan: 2001 steps one after the other, with up to 2002 shards on the way/);
  assert.equal(text.trimEnd().split('\n').length, 22);
  assert.match(text, /… and 1981 more\n$/);
});

test('a refused change uses up none of the ten', async (t) => {
  const stream = new Stream();
  stream.tag = '1000000000';
  const { LimitExceededException } = await import('@aws-sdk/client-kinesis');
  stream.onChange = () => {
    throw new LimitExceededException({ message: 'simulated', $metadata: { attempts: 1 } });
  };
  await assert.rejects(run(t, stream, 'scale', '4'), { code: 'STREAM', message: /LimitExceeded/ });
  assert.equal(stream.tag, '');
});

test('what is not measured is a question mark, and no zero', () => {
  const open = [{ id: 'shardId-0', first: 0n, last: HASH_KEYS - 1n }];
  const view = {
    stream: 'weblogs',
    mode: 'PROVISIONED',
    status: 'ACTIVE',
    retentionHours: 24,
    open,
    closed: ['shardId-8', 'shardId-9'],
    rates: new Map([['shardId-0', { bytes: 1024 * 512, records: 10, refused: null }]]),
    source: 'the stream itself, 10 s',
    lag: null,
    lags: new Map([['shardId-9', 90_000]]),
    ages: new Map([['shardId-0', 86_400_000]]),
    changesUsed: 3,
  };
  const text = viewText(view);
  assert.match(text, /shardId-0 +100\.00 % +512\.0 KiB +10 +\? +\? +≥ 24\.0 h +50 % +█{10}·{10}\n/);
  assert.match(text, /closed shards still being read: shardId-9 \(lag 90 s\)\n/);
  assert.match(text, /changes left in 24 hours: 7 of 10/);
});

test('the age of a shard is found to a tenth in few questions, and never beyond the retention', async () => {
  const now = 1_764_000_000_000;
  const begun = new Map([
    ['young', now - 30_000],
    ['hour', now - 3_600_000],
    ['day', now - 86_400_000],
    ['day-too', now - 86_400_000],
    ['old', 0],
  ]);
  let asked = 0;
  const send = async ({ input }: { input: { ShardFilter: { Type: string; Timestamp: Date } } }) => {
    asked++;
    assert.equal(input.ShardFilter.Type, 'AT_TIMESTAMP');
    const at = input.ShardFilter.Timestamp.getTime();
    return { Shards: [...begun].filter(([, from]) => from <= at).map(([ShardId]) => ({ ShardId })) };
  };
  const most = 7 * 86_400_000;
  const ages = await agesOf({ send } as unknown as KinesisClient, 'weblogs', [...begun.keys()], most, now);
  for (const [shard, from] of begun) {
    const age = Math.min(now - from, most);
    const found = ages.get(shard)!;
    assert.ok(found >= age && found <= Math.max(60_000, age * 1.12), `${shard}: ${found}, not ${age}`);
  }
  assert.ok(asked <= 30, `${asked} questions`);
});

test('a lag is the age of the first record after the checkpoint; a shard that is read to its end has none', async () => {
  const now = 1_764_000_000_000;
  const arrived: Record<string, number> = { begun: now - 5000, fresh: now - 90_000, stale: now - 7000 };
  let emptyReads = 2;
  const asked: string[] = [];
  const send = async (request: { constructor: { name: string }; input: Input }): Promise<object> => {
    const { ShardId, ShardIteratorType, ShardIterator } = request.input as Record<string, string>;
    if (request.constructor.name === 'GetShardIteratorCommand') {
      asked.push(`${ShardId} ${ShardIteratorType}`);
      if (ShardId === 'stale' && ShardIteratorType === 'AFTER_SEQUENCE_NUMBER') {
        throw new InvalidArgumentException({ message: 'simulated', $metadata: {} });
      }
      return { ShardIterator: ShardId };
    }
    if (ShardIterator === 'begun' && emptyReads-- > 0) {
      return { Records: [], NextShardIterator: 'begun', MillisBehindLatest: 5000 };
    }
    const at = arrived[ShardIterator!];
    if (at === undefined) return { Records: [], NextShardIterator: ShardIterator, MillisBehindLatest: 0 };
    return { Records: [{ ApproximateArrivalTimestamp: new Date(at) }] };
  };
  const checkpoints = new Map([
    ['begun', '4957'],
    ['stale', '12'],
    ['current', '4958'],
    ['done', 'SHARD_END'],
  ]);
  const shards = ['begun', 'stale', 'current', 'done', 'fresh'];
  const lags = await lagsOf({ send } as unknown as KinesisClient, 'weblogs', shards, checkpoints, now);
  assert.deepEqual(Object.fromEntries(lags), { begun: 5000, stale: 7000, current: 0, fresh: 90_000 });
  assert.ok(asked.includes('stale TRIM_HORIZON') && asked.includes('fresh TRIM_HORIZON'));
  assert.ok(!asked.some((one) => one.startsWith('done')));
});
