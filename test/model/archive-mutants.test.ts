/** The archive model notices when a rule of the protocol is left out: each fault planted in a copy is found. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type CheckedCode, checkSchedule } from '../support/archive-check.ts';
import { planted, rulesIn } from '../support/planted.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const MOST_SCHEDULES = 1500;

/** A rule whose place in the source is marked with a comment, `// rule: …`, and what stands there without it. */
interface Mutant {
  readonly rule: string;
  readonly file: string;
  /** Instead of the line after the marker. */
  readonly instead: string;
  readonly profile: string;
}

const TAKEOVERS = 'takeovers and zombies';
const TRIMMED = 'trimmed by retention';
const FUNCTION_ALONE = 'function alone';
const FUNCTION_AND_WORKER = 'function and worker';
const MUTANTS: readonly Mutant[] = [
  {
    rule: 'a chunk in the runs is skipped',
    file: 'archive/writer/decision.ts',
    instead: 'if (runs.has(header.sequence)) {',
    profile: TAKEOVERS,
  },
  {
    rule: 'a chunk twice in a batch is skipped',
    file: 'archive/writer/decision.ts',
    instead: 'if (state.has(header.lane, header.sequence)) {',
    profile: TAKEOVERS,
  },
  {
    rule: 'a chunk that is not what it says is kept as bytes',
    file: 'archive/writer/encoders.ts',
    instead: '',
    profile: TAKEOVERS,
  },
  {
    rule: 'only chunks that can be spliced are',
    file: 'archive/writer/encoders.ts',
    instead: "return 'member';",
    profile: TAKEOVERS,
  },
  {
    rule: 'what an older release began is completed in its form',
    file: 'archive/writer/rebuild.ts',
    instead: 'const known = encoders.get(encoder) && encoders.get(context.encoder);',
    profile: TAKEOVERS,
  },
  {
    rule: 'the first writer decides what a commit is',
    file: 'archive/writer/shard-archiver.ts',
    instead: '',
    profile: TAKEOVERS,
  },
  {
    rule: 'the checkpoint comes after the data',
    file: 'archive/writer/shard-archiver.ts',
    instead: 'this.#state.apply(winner); this.#safe = winner.to;',
    profile: TRIMMED,
  },
  {
    rule: "the newest commit's data is made sure of at a takeover",
    file: 'archive/writer/shard-archiver.ts',
    instead: 'if (newest.to === null || newest.number > 0) {',
    profile: TAKEOVERS,
  },
  {
    rule: 'data that another worker lacks is written before the next commit',
    file: 'archive/writer/shard-archiver.ts',
    instead: 'const settled = true; if (this.#incomplete) this.#complete(this.#incomplete);',
    profile: TAKEOVERS,
  },
  {
    rule: 'a name whose data is lost is fenced off',
    file: 'archive/voiding.ts',
    instead: "return 'void';",
    profile: TRIMMED,
  },
  {
    rule: 'the runs of lost objects are taken back',
    file: 'archive/state.ts',
    instead: '',
    profile: TRIMMED,
  },
  {
    rule: 'the runs that a commit voids are taken back by whoever follows it',
    file: 'archive/state.ts',
    instead: '',
    profile: TRIMMED,
  },
  {
    rule: 'a commit says what it voids',
    file: 'archive/writer/plan.ts',
    instead: 'voided: [],',
    profile: TRIMMED,
  },
  {
    rule: 'foreign records of objects that stand are not archived twice',
    file: 'archive/writer/decision.ts',
    instead: '',
    profile: TRIMMED,
  },
  {
    rule: 'all user records of a sequence number go together',
    file: 'archive/writer/shard-archiver.ts',
    instead: 'i += 1;',
    profile: TAKEOVERS,
  },
  {
    rule: "a child starts from its parents' runs",
    file: 'archive/writer/start.ts',
    instead: '',
    profile: 'split and merge',
  },
  {
    rule: 'a child starts from all of its parents',
    file: 'archive/writer/start.ts',
    instead: 'for (const parent of context.parents.slice(0, 1)) {',
    profile: 'split and merge',
  },
  {
    rule: 'the log of a parent that is gone is made final',
    file: 'archive/writer/start.ts',
    instead: 'return state;',
    profile: 'recreated streams',
  },
  {
    rule: "a first shard starts from the stream's earlier incarnations",
    file: 'archive/writer/start.ts',
    instead: '',
    profile: 'recreated streams',
  },
  {
    rule: 'a commit is completed only with all records of its range at hand',
    file: 'archive/writer/shard-archiver.ts',
    instead: '',
    profile: TAKEOVERS,
  },
  {
    rule: 'nothing is written after a closing commit',
    file: 'archive/writer/shard-archiver.ts',
    instead: 'if (this.#state.closed && close) {',
    profile: 'recreated streams',
  },
  {
    rule: "a lane is forgotten only when its producer's floor has passed its epoch",
    file: 'archive/state.ts',
    instead: 'const passed = floor !== undefined;',
    profile: 'epochs and floors',
  },
  {
    rule: 'the floor of a producer is the highest that it named',
    file: 'archive/state.ts',
    instead: "epoch: 'f'.repeat(16),",
    profile: 'epochs and floors',
  },
  {
    rule: 'only what makes the same bytes completes a commit',
    file: 'archive/writer/rebuild.ts',
    instead: 'bodies.set(object.key, body);',
    profile: TRIMMED,
  },
  {
    rule: 'a child takes over what is inside its own range of hash keys',
    file: 'archive/state.ts',
    instead: 'if (range && inRange(name, range)) continue;',
    profile: 'split and merge',
  },
  {
    rule: 'a part of the archive counts what was there before it',
    file: 'archive/verify/range.ts',
    instead: 'const before = first > 1e9 ? await loadState(store, log, await at(first - 1)) : null;',
    profile: TAKEOVERS,
  },
  {
    rule: 'a part of the archive counts what has come after it',
    file: 'archive/verify/range.ts',
    instead: 'return { first, last: beyond - 1, before, next, now: null };',
    profile: TAKEOVERS,
  },
  {
    rule: 'a part of the archive knows what of its last commit was lost',
    file: 'archive/verify/book.ts',
    instead: 'const next = commits[i + 1];',
    profile: TRIMMED,
  },
  {
    rule: 'verify counts what was voided as missing',
    file: 'archive/verify/book.ts',
    instead: 'const isLost = false;',
    profile: TRIMMED,
  },
  {
    rule: 'a function first reads what the log still needs of the stream',
    file: 'archive/writer/delivered.ts',
    instead: '',
    profile: FUNCTION_AND_WORKER,
  },
  {
    rule: "a function reads the rest of another archiver's commit",
    file: 'archive/writer/delivered.ts',
    instead: '',
    profile: FUNCTION_ALONE,
  },
  {
    rule: 'a function reads a parent to its end before it closes its log',
    file: 'archive/writer/delivered.ts',
    instead: 'ended = true;',
    profile: FUNCTION_AND_WORKER,
  },
  {
    rule: 'a function completes the newest commit, which may lack data',
    file: 'archive/writer/shard-archiver.ts',
    instead: 'this.#complete(newest);',
    profile: FUNCTION_AND_WORKER,
  },
];

let directory: string;

before(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-mutants-'));
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(directory, 'node_modules'));
  fs.copyFileSync(path.join(ROOT, 'package.json'), path.join(directory, 'package.json'));
});

after(() => fs.rmSync(directory, { recursive: true }));

MUTANTS.forEach((mutant, i) => {
  test(`without it: ${mutant.rule}`, async () => {
    const code = await plant(mutant, path.join(directory, String(i)));
    for (let seed = 0; seed < MOST_SCHEDULES; seed++) {
      try {
        await checkSchedule(code, mutant.profile, seed);
      } catch {
        return;
      }
    }
    assert.fail(`no schedule of ${MOST_SCHEDULES} shows that the rule is missing`);
  });
});

/** A copy of the production code with the fault in it. */
async function plant(mutant: Mutant, to: string): Promise<CheckedCode> {
  for (const folder of ['base', 'chunk', 'archive']) {
    fs.cpSync(path.join(ROOT, folder), path.join(to, folder), { recursive: true });
  }
  const file = path.join(to, mutant.file);
  fs.writeFileSync(file, planted(fs.readFileSync(file, 'utf8'), mutant));
  const load = (name: string): Promise<object> => import(pathToFileURL(path.join(to, name)).href);
  const modules = [
    'archive/writer/shard-archiver.ts',
    'archive/writer/delivered.ts',
    'archive/writer/encoders.ts',
    'archive/verify/verify.ts',
  ];
  return Object.assign({}, ...(await Promise.all(modules.map(load)))) as CheckedCode;
}

test('every rule that is marked in the source has its mutant', () => {
  // Those of the folders left out have tests of their own.
  const marked = rulesIn(path.join(ROOT, 'archive'), ['compact', 'hours']);
  assert.deepEqual(marked, MUTANTS.map(({ rule }) => rule).sort());
});
