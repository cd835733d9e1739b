/** The worker's instance by the most shards of the stream: their heap must be half of its memory. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { heapOf, shardsThatFit } from '../../../consumer/kcl/memory.ts';

const GIB = 1024 ** 3;
/** Of T instances. https://aws.amazon.com/ec2/instance-types/t4/ */
const MEMORY: Readonly<Record<string, number>> = { medium: 4, large: 8, xlarge: 16, '2xlarge': 32 };
const typeOf = createRequire(import.meta.url)('../../../infra/worker-type.cjs') as (tools: {
  resolveVariable(name: string): Promise<unknown>;
}) => Promise<string>;

const type = (maxShards: number | string, imageParameter = 'al2023-ami-kernel-default-arm64') =>
  typeOf({
    resolveVariable: async (name) =>
      ({ 'param:maxShards': maxShards, 'param:imageParameter': imageParameter })[name],
  });

test('whatever maxShards is up to 512, the shards fit in the heap that the worker gives the daemon', async () => {
  for (const shards of [1, 2, 64, 65, 128, 129, 256, 257, 512]) {
    const [family, size] = (await type(shards)).split('.') as [string, string];
    assert.equal(family, 't4g');
    const heap = heapOf({ java: {} }, MEMORY[size]! * GIB);
    assert.ok(shardsThatFit(heap) >= shards, `${shards}: ${size}`);
  }
  assert.equal(await type(64), 't4g.medium');
  assert.equal(await type(65), 't4g.large');
  // Of the command line, as text.
  assert.equal(await type('200'), 't4g.xlarge');
  assert.equal(await type(5000), 't4g.2xlarge');
});

test('it is of the architecture of the image', async () => {
  assert.equal(await type(64, 'al2023-ami-kernel-default-x86_64'), 't3.medium');
});
