/** `tailrace shards` on a stream of the embedded stack: plans, changes, splits, merges, even borders, limits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shardsCommand } from '../support/shards-command.ts';
import { startTestStack } from '../support/test-stack.ts';

test('shards are shown, scaled, split, merged and made even; a limit is refused by its name', async (t) => {
  const { stack } = await startTestStack(t, 2);
  const dry = await shardsCommand(stack, 'scale', '8', '--dry-run');
  assert.match(dry.text, /plan: 2 → 4 → 8 shards, uses 2 of the 10 changes left, \+\$\d+ a month/);
  assert.match((await shardsCommand(stack, 'scale', 'x2')).text, /change 1 of 1: to 4 shards .*\ndone/);
  assert.match((await shardsCommand(stack, 'scale', '4')).text, /has 4 shards already/);
  const split = await shardsCommand(stack, 'split');
  assert.equal(split.code, 0, split.text);
  const uneven = await shardsCommand(stack, 'show', '--sample', '1');
  assert.match(uneven.text, /5 open shards/);
  assert.match(uneven.text, /layout: uneven, the largest shard is 1\.3 times/);
  assert.match(uneven.text, /changes left in 24 hours: 9 of 10/);
  const even = await shardsCommand(stack, 'even', '4');
  assert.equal(even.code, 0, even.text);
  const merged = await shardsCommand(stack, 'merge');
  assert.match(merged.text, /plan: merge shardId-\d+ with shardId-\d+\ndone/);
  // Seven steps from here are more than what is not kept for growth.
  const refused = await shardsCommand(stack, 'scale', 'x600');
  assert.equal(refused.code, 2);
  assert.match(refused.text, /ShardLimit|changes are needed/);
  const unknown = await shardsCommand(stack, 'split', 'shardId-7');
  assert.equal(unknown.code, 2);
  assert.match(unknown.text, /shardId-7 is not an open shard/);
});
