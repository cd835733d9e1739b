/**
 * `npm run model -- MINUTES [SEED] [archive|hours]`: the models of the commit protocol and of closed hours, one of them or
 * both in turns, on new runs of every profile until the time is over. Each that breaks a promise is printed with its
 * profile and seed; exit code 1 when there was one.
 */
import assert from 'node:assert/strict';
import { Facts } from '../archive/hours/facts.ts';
import { judgeHours } from '../archive/hours/judge.ts';
import { checkSchedule, PROFILES } from './support/archive-check.ts';
import { HOURS_PROFILES, runHours } from './support/hours-model.ts';

const code = {
  ...(await import('../archive/writer/shard-archiver.ts')),
  ...(await import('../archive/writer/delivered.ts')),
  ...(await import('../archive/writer/encoders.ts')),
  ...(await import('../archive/verify/verify.ts')),
};

const SHOW_EVERY_MS = 60_000;

interface Model {
  readonly profiles: readonly string[];
  readonly check: (profile: string, seed: number) => Promise<unknown>;
}

const MODELS: Readonly<Record<string, Model>> = {
  archive: {
    profiles: Object.keys(PROFILES),
    check: (profile, seed) => checkSchedule(code, profile, seed),
  },
  hours: {
    profiles: Object.keys(HOURS_PROFILES),
    check: async (profile, seed) => {
      const weights = HOURS_PROFILES[profile as keyof typeof HOURS_PROFILES];
      const { faults, openAtEnd } = runHours({ Facts, judgeHours }, seed, weights);
      assert.deepEqual({ faults, openAtEnd }, { faults: [], openAtEnd: [] });
    },
  },
};

const words = process.argv.slice(2);
const names = words.filter((word) => word in MODELS);
const [minutes = 5, first = Date.now() % 2 ** 31, ...more] = words
  .filter((word) => !(word in MODELS))
  .map(Number);
if (!(minutes > 0) || !Number.isSafeInteger(first) || more.length > 0) {
  console.error('usage: npm run model -- MINUTES [SEED] [archive|hours]');
  process.exit(2);
}
const searched = names.length > 0 ? names : Object.keys(MODELS);
const end = performance.now() + minutes * 60_000;
let shown = performance.now();
let failed = 0;
let seed = first;
for (; performance.now() < end; seed++) {
  for (const name of searched) {
    const { profiles, check } = MODELS[name]!;
    for (const profile of profiles) {
      try {
        await check(profile, seed);
      } catch (error) {
        failed += 1;
        console.log(`${name}, ${profile}, seed ${seed}: ${(error as Error).stack}`);
      }
    }
  }
  if (performance.now() - shown > SHOW_EVERY_MS) {
    shown = performance.now();
    console.log(`${seed - first + 1} runs of each profile, ${failed} failed`);
  }
}
console.log(
  `${seed - first} runs of each profile of ${searched.join(' and ')} from seed ${first}, ${failed} failed`,
);
process.exit(failed > 0 ? 1 : 0);
