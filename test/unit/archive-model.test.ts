/** The archive is exactly the set of chunks, whatever the schedule; where retention took some, verify names them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkSchedule, PROFILES } from '../support/archive-check.ts';

const RUNS = Number(process.env.MODEL_RUNS ?? 150);

const code = {
  ...(await import('../../consumer/shard.ts')),
  ...(await import('../../consumer/foreign.ts')),
  ...(await import('../../consumer/verify.ts')),
};

for (const profile of Object.keys(PROFILES)) {
  test(`archived once: ${profile}`, async () => {
    let archived = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0 }), async (seed) => {
        archived += await checkSchedule(code, profile, seed);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    assert.ok(archived > RUNS, `the schedules archived ${archived} chunks in all: they try nothing`);
  });
}
