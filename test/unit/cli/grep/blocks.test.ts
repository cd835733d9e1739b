/** Blocks of lines around matches, and their order over objects. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BlockBuilder, lastMatches, NewestFirst } from '../../../../cli/grep/blocks.ts';

test('every line within reach of a match is in a block, once and in order, however lines come', () => {
  const parts = fc.array(fc.array(fc.boolean(), { maxLength: 12 }), { maxLength: 6 });
  fc.assert(
    fc.property(parts, fc.integer({ min: 0, max: 3 }), (flags, context) => {
      const builder = new BlockBuilder(context);
      let number = 0;
      for (const part of flags) {
        const first = number;
        number += part.length;
        if (part.includes(true))
          for (const [i, isMatch] of part.entries()) builder.add(`${first + i}`, isMatch ? first + i : null);
        else builder.addOthers(part.map((_, i) => `${first + i}`));
      }
      const all = flags.flat();
      const blocks = builder.end();
      const shown = blocks.flatMap(({ lines }) => lines.map(({ text }) => Number(text)));
      const expected = all.flatMap((_, i) =>
        all.slice(Math.max(0, i - context), i + context + 1).includes(true) ? [i] : [],
      );
      assert.deepEqual(shown, expected);
      const matches = blocks.flatMap(({ lines }) =>
        lines.filter(({ isMatch }) => isMatch).map(({ text }) => Number(text)),
      );
      assert.deepEqual(
        matches,
        all.flatMap((isMatch, i) => (isMatch ? [i] : [])),
      );
      for (const { lines, time, matches: count } of blocks) {
        const own = lines.filter(({ isMatch }) => isMatch);
        assert.deepEqual([count, time], [own.length, Number(own.at(-1)!.text)]);
      }
    }),
  );
});

test('what objects hold comes newest first, though their times overlap', () => {
  const object = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(object, { maxLength: 8 }), (times) => {
      const objects = times
        .map((list) => ({ last: Math.max(...list), list: list.map((time) => ({ time })) }))
        .sort((a, b) => b.last - a.last);
      const order = new NewestFirst<{ readonly time: number }>();
      const given = objects.flatMap(({ list }, i) => {
        order.add(list);
        return order.take(objects[i + 1]?.last ?? Number.NEGATIVE_INFINITY);
      });
      assert.deepEqual(
        given.map(({ time }) => time),
        times.flat().sort((a, b) => b - a),
      );
    }),
  );
});

test('of events of the same second, the last archived is the newest; an object can have any number', () => {
  const order = new NewestFirst<{ readonly time: number; readonly id: number }>();
  const ids = Array.from({ length: 300_000 }, (_, i) => i);
  order.add(ids.map((id) => ({ time: Math.floor(id / 3), id })));
  assert.deepEqual(
    order.take(Number.NEGATIVE_INFINITY).map(({ id }) => id),
    ids.toReversed(),
  );
});

test('a block gives no more matches than are wanted: its last, with the lines around them', () => {
  const builder = new BlockBuilder(2);
  for (const text of ['a', 'B', 'C', 'd', 'E', 'f']) builder.add(text, text < 'a' ? 1 : null);
  const [block] = builder.end();
  const shown = (most: number): [number, string] => {
    const { matches, lines } = lastMatches(block!, most, 2);
    return [matches, lines.map(({ text, isMatch }) => (isMatch ? `${text}!` : text)).join('')];
  };
  assert.deepEqual([1, 2, 3, Number.POSITIVE_INFINITY].map(shown), [
    [1, 'CdE!f'],
    [2, 'aBC!dE!f'],
    [3, 'aB!C!dE!f'],
    [3, 'aB!C!dE!f'],
  ]);
});
