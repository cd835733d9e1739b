/** The model of hours notices when a rule of the judgement is left out: each fault planted in a copy is found. */
import assert from 'node:assert/strict';
import * as path from 'node:path';
import { test } from 'node:test';
import { HOURS_PROFILES, type HoursCode, runHours } from '../support/hours-model.ts';
import { CopiedSource, type Planted, rulesIn } from '../support/planted.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const MOST_RUNS = 400;
/** Runs of which one reopens an hour. */
const ENOUGH_TO_REOPEN = 50;
const JUDGE = 'archive/hours/judge.ts';
const PROGRESS = 'archive/hours/progress.ts';

interface Mutant extends Planted {
  /** Of the runs that show it; the usual one otherwise. */
  readonly profile?: keyof typeof HOURS_PROFILES;
}

const MUTANTS: readonly Mutant[] = [
  {
    rule: 'an hour is open until events of it are no longer in time',
    file: JUDGE,
    instead: 'const isOver = policy.now >= hour * HOUR_MS;',
  },
  {
    rule: 'a producer that began when events of the hour were late already has only late ones',
    file: JUDGE,
    instead:
      'if (first.isFirst && first.start !== null && first.start >= begin + CLOCK_ERROR) return NOT_CONCERNED;',
  },
  {
    rule: 'a clock that was ahead does not say that its producer began after an hour',
    file: JUDGE,
    instead: 'return arrived + firstSealOf(lanes) > 0 ? start : null;',
    profile: 'births',
  },
  {
    rule: 'a producer is waited for until it was silent for long when the hour began',
    file: JUDGE,
    instead: 'if (begin > heard) return NOT_CONCERNED;',
  },
  {
    rule: 'a producer has read an hour when its watermark is past all that is in time',
    file: JUDGE,
    instead: 'const point = points.find(({ at }) => at >= inTime) ?? points[reach.length];',
  },
  {
    rule: 'a producer that stopped a moment ago may come back with more',
    file: JUDGE,
    instead: 'return point?.end ? { epoch: epochs.length - 1, point } : null;',
  },
  {
    rule: 'chunks of earlier epochs count as well',
    file: JUDGE,
    instead: 'for (let i = closing.epoch; i < 0; i--) {',
  },
  {
    rule: 'a missing chunk may hold events of every hour that it was not too late or too early for',
    file: JUDGE,
    instead: 'const blocking: Gap[] = gaps.filter(() => false);',
  },
  {
    rule: 'an hour that got an event after it was closed is open until the next watermark',
    file: JUDGE,
    instead: 'if (runs.last < 0) return null;',
  },
  {
    rule: 'a watermark counts when all chunks before it are accounted for, on all lanes',
    file: PROGRESS,
    instead: 'points.push({ ordinal, until, at, end: false, sequences: new Map(sequences) });',
  },
  {
    rule: 'an epoch is over when all its chunks are accounted for',
    file: PROGRESS,
    instead: 'return sum >= 0 ? { ordinal, until: 0, at: 0, end: false, sequences } : null;',
  },
];

MUTANTS.forEach((mutant) => {
  test(`without it: ${mutant.rule}`, async (context) => {
    const source = new CopiedSource(context);
    source.plant(mutant);
    const facts = await source.load<Pick<HoursCode, 'Facts'>>('archive/hours/facts.ts');
    const code = { ...facts, ...(await source.load<Pick<HoursCode, 'judgeHours'>>(JUDGE)) };
    let everReopened = false;
    let isFound = false;
    for (let seed = 0; seed < MOST_RUNS && !isFound; seed++) {
      const { faults, openAtEnd, reopened } = runHours(code, seed, HOURS_PROFILES[mutant.profile ?? 'usual']);
      isFound = faults.length > 0 || openAtEnd.length > 0;
      everReopened ||= reopened > 0;
      if (seed === ENOUGH_TO_REOPEN && !everReopened) isFound = true;
    }
    assert.ok(isFound, `no run of ${MOST_RUNS} shows that the rule is missing`);
  });
});

test('every rule that is marked in the source has its mutant', () => {
  assert.deepEqual(rulesIn(path.join(ROOT, 'archive', 'hours')), MUTANTS.map(({ rule }) => rule).sort());
});
