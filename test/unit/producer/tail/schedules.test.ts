/** Whatever is done to logs, under whatever names, with the agent up or down at any step: each line once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogSchedule } from '../../../support/log-schedule.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { generator } from '../../../support/random.ts';

/** `TAIL_SCHEDULES=5000 node --test …` tries more of them; TAIL_SEED repeats one. */
const SCHEDULES = Number(process.env.TAIL_SCHEDULES ?? 150);
const FIRST = Number(process.env.TAIL_SEED ?? 1);
const STEPS = 40;

test(`${SCHEDULES} random schedules of writes, renames, copies, links, restores and restarts`, async (t) => {
  for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++) {
    const schedule = new LogSchedule(temporaryFolder(t), generator(seed));
    const { lost, repeated, trace } = await schedule.run(STEPS);
    assert.ok(
      lost.length === 0 && repeated.length === 0,
      `seed ${seed}: lost ${lost.slice(0, 5)}, repeated ${repeated.slice(0, 5)}\n${trace.join('\n')}`,
    );
  }
});
