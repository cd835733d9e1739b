import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { Pipeline } from '../../local/pipeline.ts';
import { temporaryDirectory } from '../support/agent-process.ts';
import { until } from '../support/consumer-process.ts';
import { KilledPipeline } from '../support/pipeline-kills.ts';
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
  const pipeline = await Pipeline.start({ dataDir, shards: 4, rate: 250, events: null, batchAge: '1s' });
  context.after(() => pipeline.killAll());
  const killed = new KilledPipeline(pipeline);
  await killed.killEach();
  const comparison = await killed.finish();
  assert.deepEqual(
    { missing: comparison.missing, repeated: comparison.repeated, invented: comparison.invented },
    { missing: 0, repeated: 0, invented: 0 },
    comparison.examples.join('\n'),
  );

  const verified = await killed.verify();
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  await pipeline.stop();
});
