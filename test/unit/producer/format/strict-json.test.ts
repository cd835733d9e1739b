/** What the json format writes is JSON that strict readers take: names once in each object, numbers that a double holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { strictText } from '../../../../archive/writer/strict-text.ts';
import { format } from '../../../support/format-harness.ts';
import { strictFault } from '../../../support/strict-json.ts';

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

test('a NUL in a name becomes U+FFFD at whatever depth, and stays in a value', () => {
  const cases = [
    ['{"a\\u0000b":"\\u0000"}', '{"a\\ufffdb":"\\u0000"}', 1],
    ['{"\\u0000\\u0000":1}', '{"\\ufffd\\ufffd":1}', 2],
    ['{"a\\\\u0000":1}', '{"a\\\\u0000":1}', 0],
    ['{"o":[{"\\u0000":1,"\ufffd":2,"\\u0000":3}]}', '{"o":[{"\\ufffd":1,"\ufffd#2":2,"\\ufffd#3":3}]}', 4],
    ['{"\\u0000":1e400}', '{"\\ufffd":null,"\\ufffd#2":"1e400"}', 3],
  ] as const;
  for (const [line, json, adjusted] of cases) {
    assert.deepEqual(written(line), { json, adjusted });
    assert.equal(strictFault(Buffer.from(written(line, { remove: ['x.y'] }).json)), null);
  }
  const ltsv = format('ltsv', ['a\0:1\ta\ufffd:2\tb:x\0']);
  assert.deepEqual(
    [ltsv.lines[0]!.json, ltsv.tally.adjusted],
    ['{"a\ufffd":"1","a\ufffd#2":"2","b":"x\\u0000"}', 1],
  );
});

test('a number that not every reader holds becomes null, and its digits a further member', () => {
  const long = '9'.repeat(400);
  const line = `{"a":1e400,"b":[-1E+309,1e308,1e-400,1e999],"c":${long},"d":18446744073709551615,"e":-9223372036854775808}`;
  const json = `{"a":null,"a#2":"1e400","b":[null,1e308,1e-400,null],"b#2":"-1E+309, 1e999","c":null,"c#2":"${long}","d":18446744073709551615,"e":-9223372036854775808}`;
  assert.deepEqual(written(line), { json, adjusted: 3 });
  const inside =
    '{"o":[1e400,{"n":18446744073709551616,"m":1},[-9223372036854775809]],"n":0.12345678901234567890}';
  assert.deepEqual(written(inside), {
    json: '{"o":[null,{"n":null,"n#2":"18446744073709551616","m":1},[null]],"o#2":"1e400, -9223372036854775809","n":0.12345678901234567890}',
    adjusted: 2,
  });
  assert.deepEqual(written('{"a":1e400,"a":2}'), {
    json: '{"a":null,"a#2":"1e400","a#3":2}',
    adjusted: 2,
  });
  assert.equal(
    written('{"a":1e400,"b":2}', { redact: [{ field: 'a', mask: true }] }).json,
    '{"a":"***","a#2":"***","b":2}',
  );
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
  assert.equal(
    written(line, { rename: { 'a#3': 'b' } }).json,
    '{"a":null,"a#2":"1e999","b":2,"o":{"n":null,"n#2":"1e999"}}',
  );
  assert.equal(written(line, { remove: ['o.n'] }).json, '{"a":null,"a#2":"1e999","a#3":2,"o":{}}');
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

test('whatever numbers, depth and bytes a line has, what is written of it is strict', () => {
  const number = fc.constantFrom(
    '1e400',
    '-1E999',
    '18446744073709551616',
    '-9223372036854775809',
    '1.5',
    '0e5',
  );
  const long = fc.bigInt().map(String);
  const leaf = fc.oneof(number, long, fc.constantFrom('"\\ud800"', '"\xff"', 'null', '"x\\u0000"'));
  const { node } = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      { arbitrary: leaf, weight: 3 },
      { arbitrary: fc.array(tie('node'), { maxLength: 4 }).map((all) => `[${all.join()}]`), weight: 1 },
      {
        arbitrary: fc
          .array(fc.tuple(fc.constantFrom('a', 'b', 'a#2', '\xfe', '\\u0000', 'a\\u0000#2'), tie('node')), {
            maxLength: 4,
          })
          .map((all) => `{${all.map(([name, of]) => `"${name}":${of}`).join()}}`),
        weight: 1,
      },
    ),
  }));
  fc.assert(
    fc.property(node, fc.nat({ max: 70 }), (value, depth) => {
      const line = `{"a":${'['.repeat(depth)}${value}${']'.repeat(depth)},"a":1e400}`;
      const { json } = written(Buffer.from(line, 'latin1'));
      assert.equal(strictFault(Buffer.from(json)), null, line);
    }),
  );
});

test('a pattern that cuts a pair of surrogates in two leaves no half', () => {
  const { lines, tally } = format({ type: 'regexp', expression: '^(?<a>.)(?<b>.*)$' }, ['😀 x']);
  assert.equal(strictFault(Buffer.from(lines[0]!.json)), null, lines[0]!.json);
  assert.equal(tally.replaced, 2);
});
