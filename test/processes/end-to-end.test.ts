import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { ArchiveReader, compare } from '../../local/archive.ts';
import { endpointEnv, s3Client } from '../../local/clients.ts';
import { readMade } from '../../local/demo/ledger.ts';
import { Pipeline } from '../../local/pipeline.ts';
import { tailrace, temporaryDirectory } from '../support/agent-process.ts';
import { until } from '../support/consumer-process.ts';
import { descendants, runs } from '../support/process-tree.ts';

const START = join(import.meta.dirname, '..', '..', 'local', 'start.ts');

async function start(
  args: readonly string[],
): Promise<{ code: number | null; output: string; below: number[] }> {
  const child = spawn(process.execPath, [START, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const below = new Set<number>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
      for (const { pid } of descendants(child.pid!)) below.add(pid);
    });
  }
  const [code] = await once(child, 'close');
  return { code, output, below: [...below] };
}

test('events made by the demo are archived once each, run after run, and nothing is left running', {
  timeout: 200_000,
}, async (context) => {
  const data = temporaryDirectory(context);
  for (const run of [1, 2]) {
    const { code, output, below } = await start(['--events', '3000', '--exit', '--data', data]);
    assert.match(output, /^made 3000 archived 3000 lost 0 repeated 0 in [\d.]+ s$/m, `run ${run}: ${output}`);
    assert.equal(code, 0, output);
    assert.ok(below.length > 3, 'agent, consumer, stack and demo are processes');
    // What was killed a moment ago may be about to end.
    await until(`none of the processes ${below} is left`, () => !below.some(runs));
  }
});

test('a demo that cannot start says what is wrong in one line', async (context) => {
  const { code, output } = await start(['--exit', '--data', temporaryDirectory(context)]);
  assert.equal(code, 2);
  assert.match(output, /--events/);
});

test('kills of the consumer, its daemon, its child and the agent neither lose nor repeat', {
  timeout: 280_000,
}, async (context) => {
  const dataDir = temporaryDirectory(context);
  const pipeline = await Pipeline.start({ dataDir, shards: 4, rate: 250, events: 9000, batchAge: '1s' });
  context.after(() => pipeline.killAll());
  const archive = new ArchiveReader(s3Client(pipeline.stack.s3Endpoint), pipeline.stack.bucket);
  const archivedMore = async (): Promise<void> => {
    const before = archive.found;
    do {
      await Promise.race([pipeline.died, wait(200)]);
      await archive.read();
    } while (archive.found === before);
  };
  /** Waits for it: what was killed takes the daemon along, which the launcher then restarts. */
  const consumerProcess = async (kind: RegExp): Promise<number> => {
    for (;;) {
      const found = descendants(pipeline.consumer.process.pid!).find(({ command }) => kind.test(command));
      if (found) return found.pid;
      await Promise.race([pipeline.died, wait(100)]);
    }
  };

  // Each kill falls into a pipeline that has proved that it runs since the last one.
  await archivedMore();
  process.kill(await consumerProcess(/consumer\/shard\/child\.ts/), 'SIGKILL');
  await archivedMore();
  process.kill(await consumerProcess(/MultiLangDaemon/), 'SIGKILL');
  await archivedMore();
  await pipeline.kill(pipeline.agent);
  pipeline.restartAgent();
  await archivedMore();
  await pipeline.kill(pipeline.consumer);
  pipeline.restartConsumer();
  await archivedMore();

  await Promise.race([pipeline.died, pipeline.finished]);
  await pipeline.stopDemo();
  assert.equal((await pipeline.stopAgent()).code, 0, 'the agent sent all it had');
  const made = readMade(pipeline.paths.demo);
  while (compare(made, archive.counts).missing > 0) await archivedMore();
  await pipeline.stopConsumer();
  await archive.read();
  const comparison = compare(made, archive.counts);
  assert.deepEqual(
    { missing: comparison.missing, repeated: comparison.repeated, invented: comparison.invented },
    { missing: 0, repeated: 0, invented: 0 },
    comparison.examples.join('\n'),
  );

  const { bucket, s3Endpoint, kinesisEndpoint, dynamodbEndpoint } = pipeline.stack;
  const env = endpointEnv({ kinesis: kinesisEndpoint, dynamodb: dynamodbEndpoint, s3: s3Endpoint });
  const verified = await tailrace(
    ['verify', '--bucket', bucket, '--endpoint', s3Endpoint, '--deep'],
    '',
    env,
  );
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  await pipeline.stop();
});
