/**
 * `npm run model -- MINUTES [SEED]`: the archive model on new schedules of every profile until the time is over. Each
 * that breaks a promise is printed with its profile and seed; exit code 1 when there was one.
 */
import { checkSchedule, PROFILES } from './support/archive-check.ts';

const code = {
  ...(await import('../archive/writer/shard-archiver.ts')),
  ...(await import('../archive/writer/delivered.ts')),
  ...(await import('../archive/writer/encoders.ts')),
  ...(await import('../archive/verify/verify.ts')),
};

const minutes = Number(process.argv[2] ?? 5);
const first = Number(process.argv[3] ?? Date.now() % 2 ** 31);
if (!(minutes > 0) || !Number.isSafeInteger(first)) {
  console.error('usage: npm run model -- MINUTES [SEED]');
  process.exit(2);
}
const end = performance.now() + minutes * 60_000;
let failed = 0;
let seed = first;
for (; performance.now() < end; seed++) {
  for (const profile of Object.keys(PROFILES)) {
    try {
      await checkSchedule(code, profile, seed);
    } catch (error) {
      failed += 1;
      console.log(`${profile}, seed ${seed}: ${(error as Error).stack}`);
    }
  }
  if ((seed - first) % 200 === 199)
    console.log(`${seed - first + 1} schedules of each profile, ${failed} failed`);
}
console.log(
  `${seed - first} schedules of each of ${Object.keys(PROFILES).length} profiles from seed ${first}, ${failed} failed`,
);
process.exit(failed > 0 ? 1 : 0);
