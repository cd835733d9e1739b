/** What the json format writes is JSON that strict readers take: names once in each object, numbers that a double holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { strictText } from '../../../../archive/writer/strict-text.ts';
import { format } from '../../../support/format-harness.ts';

function written(line: string | Buffer, transform: unknown = {}): { json: string; adjusted: number } {
  const { lines, tally } = format('json', [line], transform);
  return { json: lines[0]!.json, adjusted: tally.adjusted };
}

test('a name that comes twice is numbered, whatever its spelling and depth', () => {
  const cases = [
    ['{"a":1,"a":2,"a":3}', '{"a":1,"a#2":2,"a#3":3}', 2],
    ['{"a":1,"a":2,"a#2":3}', '{"a":1,"a#2":2,"a#2#2":3}', 2],
    ['{"a":1,"\\u0061":2}', '{"a":1,"\\u0061#2":2}', 1],
    ['{"":1,"":2}', '{"":1,"#2":2}', 1],
    [
      '{"o":{"k":1,"k":2},"k":[{"k":1},{"k":1,"k":2}]}',
      '{"o":{"k":1,"k#2":2},"k":[{"k":1},{"k":1,"k#2":2}]}',
      2,
    ],
    ['{"o":{"k":1},"o":1,"k":1}', '{"o":{"k":1},"o#2":1,"k":1}', 1],
    ['{"a":1,"A":2}', '{"a":1,"A":2}', 0],
    ['{"\\ud800":1,"\\udc00":2}', '{"\\ufffd":1,"\\ufffd#2":2}', 1],
  ] as const;
  for (const [line, json, adjusted] of cases) assert.deepEqual(written(line), { json, adjusted });
  const invalid = Buffer.from('{"\xff":1,"\xfe":2}', 'latin1');
  assert.deepEqual(written(invalid), { json: '{"\ufffd":1,"\ufffd#2":2}', adjusted: 1 });
});

test('a number beyond any double becomes a string, and no other', () => {
  const long = '9'.repeat(400);
  const line = `{"a":1e400,"b":[-1E+309,1e308,1e-400],"c":${long},"d":12345678901234567890}`;
  const json = `{"a":"1e400","b":["-1E+309",1e308,1e-400],"c":"${long}","d":12345678901234567890}`;
  assert.deepEqual(written(line), { json, adjusted: 6 });
});

test('what is hidden or removed is so under whatever number its name came', () => {
  const line =
    '{"token":"s1","a":1,"token":"s2","token":"s3","user":{"email":"s4","email":"s5"},"user":{"email":"s6"},"user.email":"s7"}';
  const hidden = written(line, {
    redact: [
      { field: 'token', mask: true },
      { field: 'user.email', mask: true },
    ],
  });
  assert.doesNotMatch(hidden.json, /s\d/);
  assert.equal(hidden.json.match(/"\*\*\*"/g)?.length, 7);
  const removed = written(line, { remove: ['token', 'user.email'] });
  assert.equal(removed.json, '{"a":1,"user":{},"user#2":{}}');
  // Without a nested name the members are rewritten as they stand.
  assert.doesNotMatch(written(line, { redact: [{ field: 'token', mask: true }] }).json, /s[123]/);
  const twice = '{"user.email":"s1","user":{"email":"s2"}}';
  assert.doesNotMatch(written(twice, { remove: ['user.email'] }).json, /s\d/);
});

test('transforms see the adjusted members, by their bytes and by paths', () => {
  const line = '{"a":1e999,"a":2,"o":{"n":1e999}}';
  assert.equal(written(line, { rename: { 'a#2': 'b' } }).json, '{"a":"1e999","b":2,"o":{"n":"1e999"}}');
  assert.equal(written(line, { remove: ['o.n'] }).json, '{"a":"1e999","a#2":2,"o":{}}');
});

test('a line that no strict reader refuses stays byte by byte', () => {
  const name = fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('a', 'b', 'aa', 'ab', 'ba'));
  const value = fc.oneof(fc.integer(), fc.dictionary(name, fc.integer(), { maxKeys: 200 }));
  fc.assert(
    fc.property(fc.dictionary(name, value, { maxKeys: 300 }), (object) => {
      const line = JSON.stringify(object);
      assert.deepEqual(written(line), { json: line, adjusted: 0 });
    }),
  );
});

test('whatever names an object has, each is there once afterwards', () => {
  const member = fc.tuple(fc.constantFrom('a', 'b', 'c', 'a#2', '\\u0061', '\\u0062'), fc.integer());
  fc.assert(
    fc.property(fc.array(member, { maxLength: 300 }), (members) => {
      const line = `{${members.map(([name, n]) => `"${name}":${n}`).join(',')}}`;
      const { json } = written(line);
      assert.equal(Object.keys(JSON.parse(json) as object).length, members.length);
      assert.equal(strictText(json), json);
    }),
  );
});
