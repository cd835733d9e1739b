/** The archive is exactly the set of chunks, whatever the schedule; where retention took some, verify names them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkSchedule, PROFILES } from '../../support/archive-check.ts';

const RUNS = Number(process.env.MODEL_RUNS ?? 100);

const code = {
  ...(await import('../../../archive/writer/shard-archiver.ts')),
  ...(await import('../../../archive/writer/delivered.ts')),
  ...(await import('../../../archive/writer/encoders.ts')),
  ...(await import('../../../archive/verify/verify.ts')),
};

/** What the schedules of a profile must have brought about to be worth anything. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'takeovers and zombies': ['followed', 'passed over', 'liars', 'ENCODER_UNKNOWN'],
  'epochs and floors': ['followed', 'held', 'readmitted in a later epoch'],
  'trimmed by retention': ['followed', 'voided', 'missing'],
  'recreated streams': ['followed', 'DEAD', 'missing'],
  'function alone': ['invoked', 'followed'],
  'function and worker': ['invoked', 'followed', 'passed over'],
  'function, trimmed by retention': ['invoked', 'voided', 'missing'],
};

for (const profile of Object.keys(PROFILES)) {
  test(`archived once: ${profile}`, async () => {
    const happened = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0 }), async (seed) => {
        for (const [what, count] of await checkSchedule(code, profile, seed)) {
          happened.set(what, (happened.get(what) ?? 0) + count);
        }
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    for (const what of ['archived', 'committed', ...(EXPECTED[profile] ?? [])]) {
      assert.ok((happened.get(what) ?? 0) > 0, `no schedule came to "${what}": they try too little`);
    }
    if (process.env.MODEL_VERBOSE) console.log(profile, Object.fromEntries(happened));
  });
}
