/** The model of compaction notices when a rule of its protocol is left out: each fault planted in a copy is found. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { type CompactHour, checkCompaction } from '../support/compact-model.ts';
import { CopiedSource, type Planted, rulesIn } from '../support/planted.ts';
import { generator } from '../support/random.ts';

const FILE = 'archive/compact/compact-hour.ts';
const MOST_RUNS = 2000;

const MUTANTS: readonly Planted[] = [
  {
    rule: 'an entry that lacks objects is completed before the next one',
    file: FILE,
    instead: 'const lacking: Table[] = [];',
  },
  {
    rule: 'an object that is in an entry is not compacted twice',
    file: FILE,
    instead: 'const covered = new Set((compactions.at(-1)?.tables ?? []).flatMap(keysOf));',
  },
  {
    rule: 'the first writer decides what is compacted',
    file: FILE,
    instead: "if ((await putCompaction(store, prefix, compaction)) === ('' as string)) {",
  },
];

for (const mutant of MUTANTS) {
  test(`without it: ${mutant.rule}`, async (context) => {
    const source = new CopiedSource(context);
    source.plant(mutant);
    const { compactHour } = await source.load<{ compactHour: CompactHour }>(FILE);
    for (let seed = 0; seed < MOST_RUNS; seed++)
      if ((await checkCompaction(compactHour, generator(seed))) !== null) return;
    assert.fail(`no run of ${MOST_RUNS} shows that the rule is missing`);
  });
}

test('every rule that is marked in the source has its mutant', () => {
  const folder = path.join(import.meta.dirname, '..', '..', 'archive', 'compact');
  assert.ok(fs.existsSync(folder));
  assert.deepEqual(rulesIn(folder), MUTANTS.map(({ rule }) => rule).sort());
});
