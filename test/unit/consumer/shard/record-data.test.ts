/** The data of KCL's records comes out of its lines as it went in, and everything else of a line stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecordData } from '../../../../consumer/shard/record-data.ts';

interface Action {
  readonly action: string;
  readonly records: { readonly data: string; readonly partitionKey: string }[];
}

const record = fc.record({
  data: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  partitionKey: fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('"data":"', 'x"data":"#1"', '\\"data":"', '#0', 'data', '"data'),
  ),
});

test('a line is what it was, but for the data', () => {
  fc.assert(
    fc.property(fc.array(fc.array(record, { maxLength: 4 }), { maxLength: 4 }), (calls) => {
      const data = new RecordData();
      const lines = calls.map((records) => JSON.stringify({ action: 'processRecords', records }));
      // The next line may be taken before the records of the one before it.
      const taken = lines.map((line) => JSON.parse(data.take(Buffer.from(`${line}\n`))) as Action);
      for (const [i, { action, records }] of taken.entries()) {
        assert.equal(action, 'processRecords');
        const found = records.map((one) => ({ ...one, data: data.of(one.data).toString('base64') }));
        assert.equal(JSON.stringify(found), JSON.stringify(calls[i]));
      }
    }),
  );
});

test('data is whole at every length around what is decoded at a time', () => {
  const data = new RecordData();
  const lengths = [0, 1, 2, 3, ...Array.from({ length: 9 }, (_, i) => 12 * 1024 - 4 + i), 100_000];
  const sent = lengths.map((length) => Buffer.from(Array.from({ length }, (_, i) => (i * 131) ^ (i >> 8))));
  const records = sent.map((bytes) => ({ data: bytes.toString('base64'), partitionKey: 'a' }));
  const text = data.take(Buffer.from(JSON.stringify({ action: 'processRecords', records })));
  assert.ok(text.length < 1000, 'data stayed in the line');
  const taken = JSON.parse(text) as Action;
  assert.deepEqual(
    taken.records.map((one) => data.of(one.data)),
    sent,
  );
});

test('data with escapes, and a line that ends in its data, stay in the line', () => {
  const data = new RecordData();
  for (const line of ['{"records":[{"data":"//\\/\\/"}]}', '{"data":"AAA', '{"x\\"data":"AAAA"}']) {
    assert.equal(data.take(Buffer.from(line)), line);
  }
  const { records } = JSON.parse(data.take(Buffer.from('{"records":[{"data":"//\\/\\/"}]}'))) as Action;
  assert.deepEqual(data.of(records[0]!.data), Buffer.from([0xff, 0xff, 0xff]));
});
