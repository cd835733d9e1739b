/** Records of other agents as lines: compressed, aggregated, of CloudWatch Logs; bounded, and kept as bytes otherwise. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { openedSize, openRecord, openRecords } from '../../../../archive/writer/opened.ts';
import { exactlyStrictText } from '../../../../archive/writer/strict-text.ts';
import { ChunkSource } from '../../../support/chunks.ts';

const base64 = (data: Buffer): string => JSON.stringify({ base64: data.toString('base64') });
const message = (text: string): string => JSON.stringify({ message: text });
const lines = (data: Buffer | string): readonly string[] =>
  openRecord(Buffer.from(data), exactlyStrictText).lines;

const DELIVERY = {
  messageType: 'DATA_MESSAGE',
  owner: '111122223333',
  logGroup: '/aws/lambda/shop',
  logStream: '2026/11/28/[$LATEST]0a',
  subscriptionFilters: ['to-archive'],
  logEvents: [
    { id: '37041', timestamp: 1_796_000_000_000, message: 'START\n' },
    {
      id: '37042',
      timestamp: 1_796_000_000_001,
      message: '{"level":"warn"}',
      extractedFields: { level: 'warn' },
    },
  ],
};
const where = { owner: DELIVERY.owner, logGroup: DELIVERY.logGroup, logStream: DELIVERY.logStream };
const torn = gzipSync('{"a":1}').subarray(0, 20);
const binary = gzipSync(Buffer.from([0, 0xff, 0xfe]));
const control = JSON.stringify({ ...DELIVERY, messageType: 'CONTROL_MESSAGE' });

const cases: [what: string, data: Buffer | string, expected: readonly string[]][] = [
  ['one JSON object', '{"a":1.10}', ['{"a":1.10}']],
  ['one JSON object over several lines', '{"a":\r\n 1}\n', ['{"a":   1}']],
  ['several JSON objects, a line each', '{"a":1}\n{"b":2}\r\n\n{"c":3}\n', ['{"a":1}', '{"b":2}', '{"c":3}']],
  ['JSON objects and other text', '{"a":1}\nplain\n', [message('{"a":1}\nplain\n')]],
  ['text of several lines, as a stack trace has', 'Error\n  at x\n', [message('Error\n  at x\n')]],
  ['an array', '[{"a":1}]', [message('[{"a":1}]')]],
  ['bytes', Buffer.from([0xff, 0]), [base64(Buffer.from([0xff, 0]))]],
  ['nothing', '', [message('')]],
  ['gzip of JSON lines', gzipSync('{"a":1}\n{"b":2}\n'), ['{"a":1}', '{"b":2}']],
  ['zstd of JSON lines', zstdCompressSync('{"a":1}\n{"b":2}\n'), ['{"a":1}', '{"b":2}']],
  [
    'gzip of two members',
    Buffer.concat([gzipSync('{"a":1}\n'), gzipSync('{"b":2}')]),
    ['{"a":1}', '{"b":2}'],
  ],
  [
    'gzip of lines of text and JSON',
    gzipSync('one\r\n\n{"b":2}\ntwo'),
    [message('one'), message(''), '{"b":2}', message('two')],
  ],
  ['gzip of nothing', gzipSync(''), [message('')]],
  ['gzip of bytes', binary, [base64(binary)]],
  ['gzip that is torn', torn, [base64(torn)]],
  ['gzip of gzip, opened once', gzipSync(gzipSync('x')), [base64(gzipSync(gzipSync('x')))]],
  [
    'a delivery of CloudWatch Logs',
    gzipSync(JSON.stringify(DELIVERY)),
    DELIVERY.logEvents.map((event) => JSON.stringify({ ...where, ...event })),
  ],
  ["CloudWatch Logs' test of the target", gzipSync(control), [control]],
];

for (const [what, data, expected] of cases) {
  test(`${what}: ${expected.length} line${expected.length === 1 ? '' : 's'}`, () => {
    assert.deepEqual(lines(data), expected);
    for (const line of lines(data)) {
      assert.ok(!/[\r\n]/.test(line));
      assert.equal(typeof JSON.parse(line), 'object');
    }
  });
}

test('the lines are frozen: two releases must make the same', () => {
  // gzip's own bytes, which are quoted as base64, differ between builds of zlib: those lines are left out.
  const all = cases.flatMap(([, data]) => lines(data)).filter((line) => !line.startsWith('{"base64":"H4'));
  const hash = createHash('sha256').update(all.join('\n')).digest('hex');
  assert.equal(hash, '77e706baa6a78a0a63d0f6036f671c104b50d4b11e49a2756625aada2ec69959');
});

test('a damaged chunk is kept as it came, although it is gzip', () => {
  const { bytes } = new ChunkSource({ name: 'agent' }).next('nginx.access', 400_000, 3);
  assert.equal(gunzipSync(bytes).toString().split('\n').length, 4);
  assert.deepEqual(lines(bytes), [base64(bytes)]);
});

test('what comes to more than the bound is kept as it came', () => {
  const bomb = gzipSync(Buffer.alloc(1_000_000, 'a'));
  assert.deepEqual(openRecord(bomb, exactlyStrictText, 999_999).lines, [base64(bomb)]);
  assert.deepEqual(openRecord(bomb, exactlyStrictText, 1_000_000).lines, [message('a'.repeat(1_000_000))]);
  const zstd = zstdCompressSync(Buffer.alloc(1_000_000, 'a'));
  assert.deepEqual(openRecord(zstd, exactlyStrictText, 999_999).lines, [base64(zstd)]);
});

test('all records of an object have one bound together', () => {
  const record = { data: gzipSync(`${JSON.stringify({ a: 'x'.repeat(985) })}\n`) };
  const opened = openRecords(
    [record, record, { data: Buffer.from('{"b":1}') }, record],
    exactlyStrictText,
    2000,
  );
  assert.deepEqual(
    opened.map(({ wasCompressed }) => wasCompressed),
    [true, true, false, false],
  );
});

test('the size that a batch counts is near what is opened', () => {
  const data = gzipSync(Buffer.alloc(100_000, 'ab\n'));
  assert.equal(openedSize(data), 100_000);
  assert.equal(openedSize(Buffer.from('plain text of some length')), 25);
  assert.equal(openedSize(Buffer.alloc(3)), 3);
});

test('lines of opened records are those that every strict reader takes', () => {
  const text = `${String.raw`{"a":"\ud800"}`}\n{"a":1,"a":2}\n{"b":1}\n`;
  assert.deepEqual(lines(gzipSync(text)), [
    String.raw`{"a":"\ufffd"}`,
    JSON.stringify({ message: '{"a":1,"a":2}' }),
    '{"b":1}',
  ]);
});
