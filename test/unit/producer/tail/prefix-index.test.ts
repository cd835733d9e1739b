/** Generations are found by their first bytes, and whatever is gone leaves nothing behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Generation } from '../../../../producer/tail/generation.ts';
import { PrefixIndex } from '../../../../producer/tail/prefix-index.ts';

const [one, two, three] = [1, 2, 3].map((id) => new Generation(id, '/logs/a.log', '/logs/a.log')) as [
  Generation,
  Generation,
  Generation,
];

test('all that begin with the same bytes are found, each once', () => {
  const index = new PrefixIndex();
  for (const generation of [one, one, two, one, three]) index.add(7, generation);
  index.add(8, three);
  assert.deepEqual([...index.of(7)], [one, two, three]);
  assert.deepEqual([...index.of(8)], [three]);
  assert.deepEqual([...index.of(9)], []);
  index.delete(7, two);
  index.delete(9, two);
  assert.deepEqual([...index.of(7)], [one, three]);
});

test('logs that rotate for years leave no first bytes behind', () => {
  const index = new PrefixIndex();
  for (let prefix = 0; prefix < 1000; prefix++) {
    index.add(prefix, one);
    if (prefix % 2 === 0) index.add(prefix, two);
  }
  for (let prefix = 0; prefix < 1000; prefix++) for (const each of [one, two]) index.delete(prefix, each);
  assert.equal(index.size, 0);
});
