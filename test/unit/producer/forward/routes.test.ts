/** Match patterns mean what they mean in fluentd. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compilePattern, fillTag } from '../../../../producer/forward/routes.ts';

const CASES: [pattern: string, matches: string[], doesNot: string[]][] = [
  ['a', ['a'], ['a.b', 'b', '', 'aa']],
  ['a.*', ['a.b'], ['a', 'a.b.c', 'b.a']],
  ['a.**', ['a', 'a.b', 'a.b.c'], ['ab', 'b.a', 'ab.c']],
  ['**', ['', 'a', 'a.b.c'], []],
  ['**.c', ['c', 'a.c', 'a.b.c'], ['ac', 'c.a']],
  ['a.**.c', ['a.c', 'a.b.c', 'a.b.b.c'], ['a', 'ac', 'a.b']],
  ['a.**.**', ['a', 'a.b', 'a.b.c'], ['ab']],
  ['*', ['a', 'b'], ['a.b']],
  ['a*c', ['ac', 'abc'], ['a.c', 'abcd']],
  ['{a,b}', ['a', 'b'], ['c', 'a.b']],
  ['{a,b.*}.c', ['a.c', 'b.x.c'], ['b.c', 'a.x.c']],
  ['a.{b,{c,d}}', ['a.b', 'a.c', 'a.d'], ['a.{c', 'a']],
  ['a.{b,c}.**', ['a.b', 'a.c.d'], ['a.d']],
  ['a b.*', ['a', 'b.c'], ['a b.c', 'b']],
  ['a+(b)', ['a+(b)'], ['aab']],
];

test('patterns match what they should', () => {
  for (const [pattern, matches, doesNot] of CASES) {
    const match = compilePattern(pattern);
    for (const tag of matches) assert.ok(match(tag), `${pattern} matches ${JSON.stringify(tag)}`);
    for (const tag of doesNot) assert.ok(!match(tag), `${pattern} does not match ${JSON.stringify(tag)}`);
  }
});

test('patterns that make no sense are refused', () => {
  for (const pattern of ['', ' ', '{a', 'a}', '{a,{b}', '{a,b}'.repeat(12)]) {
    assert.throws(() => compilePattern(pattern), { code: 'BAD_PATTERN' }, pattern);
  }
});

test('a tag without letters of the syntax matches itself alone', () => {
  const tag = fc.string({
    unit: fc.constantFrom('a', 'b', '.', '-', '+', '[', '$', '\\'),
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(tag, tag, (pattern, other) => {
      const match = compilePattern(pattern);
      assert.ok(match(pattern));
      assert.equal(match(other), other === pattern);
    }),
  );
});

test('a new tag may hold the old one or parts of it', () => {
  const whole = '$' + '{tag}';
  const second = '$' + '{tag_parts[1]}';
  const last = '$' + '{tag_parts[-1]}';
  assert.equal(fillTag(`x.${whole}`, 'a.b.c'), 'x.a.b.c');
  assert.equal(fillTag(`${second}.${last}`, 'a.b.c'), 'b.c');
  assert.equal(fillTag(second, 'a'), '');
});
