import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { putRecordsBody } from '../../../../producer/sender/put-body.ts';

test('the body is the JSON that the protocol asks for, whatever the bytes are', () => {
  const record = fc.record({
    Data: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 12_000, max: 40_000 }).map((length) => new Uint8Array(length).map((_, i) => i * i)),
    ),
    PartitionKey: fc.stringMatching(/^[0-9a-f/]{1,40}$/),
    ExplicitHashKey: fc.option(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map(String), {
      nil: undefined as unknown as string,
    }),
  });
  fc.assert(
    fc.property(fc.string(), fc.array(record, { minLength: 1, maxLength: 20 }), (name, records) => {
      const read = JSON.parse(putRecordsBody(name, records).toString());
      const expected = records.map(({ Data, PartitionKey, ExplicitHashKey }) => ({
        Data: Buffer.from(Data).toString('base64'),
        PartitionKey,
        ...(ExplicitHashKey === undefined ? {} : { ExplicitHashKey }),
      }));
      assert.deepEqual(read, { StreamName: name, Records: expected });
    }),
  );
});
