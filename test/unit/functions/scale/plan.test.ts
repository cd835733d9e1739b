/** The number of shards: enough for the busiest minute, within what one UpdateShardCount may do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planShards, type ScalePolicy } from '../../../../functions/scale/plan.ts';

const MIB = 1024 * 1024;
const POLICY: ScalePolicy = { minimum: 2, maximum: 64, target: 0.6, shrinkBelow: 0.5 };
/** One minute at so many MiB a second. */
const load = (rate: number, throttled = 0) => ({
  bytes: [rate * 60 * MIB],
  records: [0],
  throttled: [throttled],
});

test('the busiest minute decides, by bytes or by records', () => {
  assert.equal(planShards(4, load(3), POLICY), 5);
  const records = { bytes: [0], records: [60 * 4100], throttled: [] };
  assert.equal(planShards(4, records, POLICY), 7);
});

test('a step is at most double and at least half', () => {
  assert.equal(planShards(4, load(30), POLICY), 8);
  assert.equal(planShards(17, load(0), POLICY), 9);
});

test('nothing is done for a load that goes up and down around the mark', () => {
  assert.equal(planShards(5, load(2.3), POLICY), 5);
  assert.equal(planShards(5, load(1.4), POLICY), 3);
});

test('refused records add shards whatever the average says', () => {
  assert.equal(planShards(8, load(0.1, 3), POLICY), 10);
});

test('no load at all leaves the minimum', () => {
  assert.equal(planShards(2, { bytes: [], records: [], throttled: [] }, POLICY), 2);
});

test('any plan keeps the rules of the service, and repeated it comes to rest within the bounds', () => {
  const number = fc.double({ min: 0, max: 1e12, noNaN: true });
  const minutes = fc.array(number, { maxLength: 5 });
  const anyLoad = fc.record({ bytes: minutes, records: minutes, throttled: fc.constant([]) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), anyLoad, (start, some) => {
      let open = start;
      for (let runs = 0; runs < 12; runs++) {
        const next = planShards(open, some, POLICY);
        assert.ok(next <= open * 2 && next >= Math.ceil(open / 2), `${open} → ${next}`);
        if (next === open) break;
        open = next;
      }
      assert.equal(planShards(open, some, POLICY), open);
      assert.ok(open >= POLICY.minimum && open <= POLICY.maximum, `${open}`);
    }),
  );
});
