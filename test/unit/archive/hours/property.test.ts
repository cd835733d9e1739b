/** An hour that is called closed lacks nothing that it must have, on random runs of agents, shards and archivers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Facts } from '../../../../archive/hours/facts.ts';
import { judgeHours } from '../../../../archive/hours/judge.ts';
import { HOURS_PROFILES, runHours } from '../../../support/hours-model.ts';

const RUNS = 120;
/** Of each profile that has more of some things than any fleet. */
const FURTHER_RUNS = 15;

test('a closed hour has every event that came in time, and all hours close in the end', () => {
  let closed = 0;
  let reopened = 0;
  let late = 0;
  for (let seed = 0; seed < RUNS; seed++) {
    const run = runHours({ Facts, judgeHours }, seed);
    assert.deepEqual(run.faults, [], `seed ${seed}`);
    assert.deepEqual(run.openAtEnd, [], `seed ${seed}`);
    closed += run.closed;
    reopened += run.reopened;
    late += run.late;
  }
  for (const [name, profile] of Object.entries(HOURS_PROFILES)) {
    for (let seed = 0; seed < FURTHER_RUNS; seed++) {
      const { faults, openAtEnd } = runHours({ Facts, judgeHours }, seed, profile);
      assert.deepEqual({ faults, openAtEnd }, { faults: [], openAtEnd: [] }, `${name}, seed ${seed}`);
    }
  }
  assert.ok(
    closed > 1000 && reopened > 0 && late > 0,
    `the runs show something: ${closed}, ${reopened}, ${late}`,
  );
});
