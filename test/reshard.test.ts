/** `npm run test:reshard`: 2 → 8 → 3 shards by command while traffic flows to a real consumer; nothing lost, nothing repeated. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkSource, type MadeChunk } from './support/chunks.ts';
import { assertArchivedOnce, ConsumerProcess, putChunks } from './support/consumer-process.ts';
import { shardsCommand } from './support/shards-command.ts';
import { startTestStack } from './support/test-stack.ts';

/** Milliseconds: KCL begins with a shard's children when the shard is read to its end, generation by generation. */
const WAIT_MS = 900_000;

test('2 → 8 → 3 shards by command while traffic flows: archived once', async (t) => {
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
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  };
  const consumer = new ConsumerProcess({ stack, directory, workerId: 'worker-1' });
  t.after(() => consumer.kill('SIGKILL'));
  await consumer.start();
  const flowing = traffic();
  try {
    await consumer.running(2);
    for (const count of ['8', '3']) {
      const { code, text } = await shardsCommand(stack, 'scale', count);
      assert.equal(code, 0, text);
    }
  } finally {
    flows = false;
    await flowing;
  }
  await assertArchivedOnce(stack, made, WAIT_MS);
  assert.equal(await consumer.stop(), 0);
});
