import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, plain, plainLines } from '../../../base/human.ts';

test('a value from outside can neither drive a terminal nor begin a line', () => {
  assert.equal(plain('a\u001b[2Jb'), 'a\\u001b[2Jb');
  assert.equal(plain('tag\nOK: nothing is missing'), 'tag\\u000aOK: nothing is missing');
  assert.equal(plain('\u202etxt.exe\u0085\u007f'), '\\u202etxt.exe\\u0085\\u007f');
  assert.equal(plain('größe 東京'), 'größe 東京');
});

test('lines from outside keep their ends and tabs, and nothing else', () => {
  assert.equal(plainLines('{"a":1}\n\t{"b":"\u001b"}\r\n'), '{"a":1}\n\t{"b":"\\u001b"}\\u000d\n');
});

test('sizes are said in the unit that fits', () => {
  assert.deepEqual([0, 1023, 1536, 5 * 2 ** 30].map(bytes), ['0 B', '1023 B', '1.5 KiB', '5.0 GiB']);
});
