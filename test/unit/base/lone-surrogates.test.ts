import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { replaceLoneSurrogates } from '../../../base/lone-surrogates.ts';

function replaced(json: string): [text: string, count: number] {
  const bytes = Buffer.from(`{"before":"\\ud800"}${json}{"after":"\\udc00"}`);
  const from = '{"before":"\\ud800"}'.length;
  const count = replaceLoneSurrogates(bytes, from, from + Buffer.byteLength(json));
  const text = bytes.toString();
  assert.ok(text.startsWith('{"before":"\\ud800"}') && text.endsWith('{"after":"\\udc00"}'));
  return [text.slice(from, -'{"after":"\\udc00"}'.length), count];
}

test('half a surrogate pair becomes U+FFFD, and nothing else changes', () => {
  const cases: [string, string, number][] = [
    [String.raw`{"a":"\ud800"}`, String.raw`{"a":"\ufffd"}`, 1],
    [String.raw`{"a":"x\uDC00y"}`, String.raw`{"a":"x\ufffdy"}`, 1],
    [String.raw`{"a":"\uD83d\uDe00"}`, String.raw`{"a":"\uD83d\uDe00"}`, 0],
    [String.raw`{"a":"\ud800\ud83d\ude00\udc00"}`, String.raw`{"a":"\ufffd\ud83d\ude00\ufffd"}`, 2],
    [String.raw`{"a":"\\ud800"}`, String.raw`{"a":"\\ud800"}`, 0],
    [String.raw`{"a":"\\\ud800"}`, String.raw`{"a":"\\\ufffd"}`, 1],
    [String.raw`{"\ud800":"\ud800"}`, String.raw`{"\ufffd":"\ufffd"}`, 2],
  ];
  for (const [json, expected, count] of cases) assert.deepEqual(replaced(json), [expected, count], json);
});

test('what is left are strings of whole characters', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0xd700, max: 0xe0ff })), (units) => {
      const value = { a: String.fromCharCode(...units) };
      const [text] = replaced(JSON.stringify(value));
      assert.equal((JSON.parse(text) as { a: string }).a, value.a.toWellFormed());
    }),
  );
});
