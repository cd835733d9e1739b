/** Settings of the drain that cannot work together are refused, each with its reason. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DrainTimes, settingsProblem } from '../../../functions/limits.ts';

const DEFAULTS: DrainTimes = {
  heartbeatSeconds: 300,
  flushSeconds: 900,
  deliverySeconds: 120,
  budgetSeconds: 3600,
  maxSends: 2,
};

const REFUSED: [Partial<DrainTimes>, RegExp][] = [
  [{ heartbeatSeconds: 30 }, /^heartbeatSeconds=30: set 180 to 7200/],
  [{ heartbeatSeconds: 60 }, /^heartbeatSeconds=60/],
  [{ heartbeatSeconds: 7201 }, /^heartbeatSeconds=7201/],
  [{ budgetSeconds: 30_000 }, /ends the wait after 30000 s/],
  [{ budgetSeconds: 172_800, heartbeatSeconds: 7200 }, /after 172800 s \(48 h/],
  [{ deliverySeconds: 172_801 }, /^deliverySeconds=172801: set 30 to 172800/],
  [{ deliverySeconds: 29 }, /^deliverySeconds=29/],
  [{ flushSeconds: 1680 }, /× .* is 3600 s; set more/],
];

test('the defaults work', () => assert.equal(settingsProblem(DEFAULTS), null));

for (const [change, reason] of REFUSED) {
  test(`refused: ${JSON.stringify(change)}`, () => {
    assert.match(settingsProblem({ ...DEFAULTS, ...change }) ?? 'nothing', reason);
  });
}
