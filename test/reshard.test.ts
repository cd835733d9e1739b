/** `npm run test:reshard`: 2 → 8 → 3 shards, by command and by the keeper, while traffic flows to a real consumer; nothing lost, nothing repeated. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { log } from '../functions/runtime/log.ts';
import { Measures } from '../functions/runtime/metrics.ts';
import { readChanges } from '../functions/scale/change-log.ts';
import { Keeper, type PassResult } from '../functions/scale/pass.ts';
import { SHARD_BYTES } from '../functions/scale/rules.ts';
import type { Stack } from '../local/stack.ts';
import { ChunkSource, type MadeChunk } from './support/chunks.ts';
import { assertArchivedOnce, ConsumerProcess, putChunks } from './support/consumer-process.ts';
import { shardsCommand } from './support/shards-command.ts';
import { startTestStack } from './support/test-stack.ts';

log.level = 'silent';

/** Milliseconds: KCL begins with a shard's children when the shard is read to its end, generation by generation. */
const WAIT_MS = 900_000;
const MINUTE = 60_000;

/** Lets traffic flow through two shards while `reshard` changes them, and checks that all of it is archived once. */
async function whileTrafficFlows(
  t: TestContext,
  reshard: (stack: Stack, client: KinesisClient) => Promise<void>,
): Promise<void> {
  const { directory, stack, client } = await startTestStack(t, 2);
  const hour = Math.floor(Date.now() / 3_600_000);
  const sources = Array.from({ length: 12 }, (_, i) => new ChunkSource({ name: `agent-${i}` }));
  const made: MadeChunk[] = [];
  let flows = true;
  const traffic = async (): Promise<void> => {
    while (flows) {
      const fresh = sources.map((source) => source.next('nginx.access', hour, 5));
      made.push(...fresh);
      await putChunks(client, stack, fresh);
      await sleep(250);
    }
  };
  const consumer = new ConsumerProcess({ stack, directory, workerId: 'worker-1' });
  t.after(() => consumer.kill('SIGKILL'));
  await consumer.start();
  const flowing = traffic();
  try {
    await consumer.running(2);
    await reshard(stack, client);
  } finally {
    flows = false;
    await flowing;
  }
  t.diagnostic(`${made.length} chunks`);
  await assertArchivedOnce(stack, made, { waitMs: WAIT_MS });
  assert.equal(await consumer.stop(), 0);
}

test('2 → 8 → 3 shards by command while traffic flows: archived once', async (t) => {
  await whileTrafficFlows(t, async (stack) => {
    for (const count of ['8', '3']) {
      const { code, text } = await shardsCommand(stack, 'scale', count);
      assert.equal(code, 0, text);
    }
    const { code, text } = await shardsCommand(stack, 'show', '--sample', '1', '--application', 'tailrace');
    assert.equal(code, 0, text);
    assert.match(text, /consumer lag: \d/);
  });
});

/** CloudWatch as it would be with so much traffic: the last hour by `lately`, in shards at full use, and earlier weeks. */
function cloudWatch(lately: () => number, usual: number, now: () => number): CloudWatchClient {
  const send = async ({ input }: { input: Record<string, unknown> }) => {
    const queries = input['MetricDataQueries'] as { Id: string; MetricStat: { Period: number } }[];
    const MetricDataResults = queries.map(({ Id, MetricStat: { Period } }) => {
      const Timestamps: Date[] = [];
      for (let at = Number(input['StartTime']); at < Number(input['EndTime']); at += Period * 1000) {
        Timestamps.push(new Date(at));
      }
      const shards = (at: Date): number => (at.getTime() >= now() - 60 * MINUTE ? lately() : usual);
      const Values = Timestamps.map((at) => (Id === 'bytes' ? shards(at) * Period * SHARD_BYTES : 0));
      return { Id, Timestamps, Values };
    });
    return { MetricDataResults };
  };
  return { send } as unknown as CloudWatchClient;
}

test('2 → 8 → 3 shards by the keeper while traffic flows: archived once', async (t) => {
  await whileTrafficFlows(t, async (stack, kinesis) => {
    // The keeper's own clock: a minute a pass.
    let now = Math.floor(Date.now() / (15 * MINUTE)) * 15 * MINUTE;
    let load = 7;
    const keeper = new Keeper();
    const tools = {
      kinesis,
      cloudWatch: cloudWatch(
        () => load,
        2.5,
        () => now,
      ),
      stream: stack.streamName,
      policy: { minimum: 2, maximum: 8, ceiling: null, target: 0.9 },
      measures: new Measures(),
    };
    const counts: number[] = [];
    const until = async (shards: number): Promise<void> => {
      for (let passes = 0; counts.at(-1) !== shards; passes++) {
        assert.ok(passes < 200, `${counts.join(' → ')} shards after ${passes} passes`);
        const { open, plan }: PassResult = await keeper.pass(tools, now);
        if (counts.at(-1) !== open) counts.push(open);
        now += MINUTE;
        // The embedded service changes shards in its own time.
        if (plan !== 'hold') await sleep(2000);
      }
    };
    await until(8);
    load = 2.5;
    await until(3);
    t.diagnostic(counts.join(' → '));
    // On the way down it may merge some before the time for a change of the count comes.
    assert.deepEqual(counts.slice(0, 3), [2, 4, 8]);
    const changes = (await readChanges(kinesis, stack.streamName)).counts.length;
    assert.ok(changes === 3 || changes === 4, `${changes} changes of the count`);
  });
});
