/** The archive model notices when a rule of the protocol is left out: each fault planted in a copy is found. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type CheckedCode, checkSchedule } from '../support/archive-check.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const MOST_SCHEDULES = 1500;

interface Mutant {
  readonly rule: string;
  readonly file: string;
  readonly code: string;
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
    file: 'archive/writer/plan.ts',
    code: 'state.has(header.lane, header.sequence) || runs?.has',
    instead: 'runs?.has',
    profile: TAKEOVERS,
  },
  {
    rule: 'a chunk twice in a batch is skipped',
    file: 'archive/writer/plan.ts',
    code: 'state.has(header.lane, header.sequence) || runs?.has(header.sequence)',
    instead: 'state.has(header.lane, header.sequence)',
    profile: TAKEOVERS,
  },
  {
    rule: 'the first writer decides what a commit is',
    file: 'archive/writer/shard-archiver.ts',
    code: 'winner = await readCommit(this.#store, this.#context, plan.commit.number);',
    instead: '',
    profile: TAKEOVERS,
  },
  {
    rule: 'the checkpoint comes after the data',
    file: 'archive/writer/shard-archiver.ts',
    code: 'this.#state.apply(winner);',
    instead: 'this.#state.apply(winner); this.#safe = winner.to;',
    profile: TRIMMED,
  },
  {
    rule: "the newest commit's data is made sure of at a takeover",
    file: 'archive/writer/shard-archiver.ts',
    code: 'if (newest.to === null || ',
    instead: 'if (newest.to === null || newest.number > 0 || ',
    profile: TAKEOVERS,
  },
  {
    rule: 'data that another worker lacks is written before the next commit',
    file: 'archive/writer/shard-archiver.ts',
    code: 'if (this.#incomplete && !(await this.#settle(null, nothingMore))) return;',
    instead: 'if (this.#incomplete) this.#complete(this.#incomplete);',
    profile: TAKEOVERS,
  },
  {
    rule: 'a name whose data is lost is fenced off',
    file: 'archive/voiding.ts',
    code: 'await store.putIfAbsent(object.key, [NOTHING[object.codec]], object.codec);\n  return standing(store, object);',
    instead: "return 'void';",
    profile: TRIMMED,
  },
  {
    rule: 'the runs of lost objects are taken back',
    file: 'archive/state.ts',
    code: 'for (const object of lost) this.#takeBack(object.runs);',
    instead: '',
    profile: TRIMMED,
  },
  {
    rule: 'the runs that a commit voids are taken back by whoever follows it',
    file: 'archive/state.ts',
    code: 'for (const voided of commit.voided) this.#takeBack(voided.runs);',
    instead: '',
    profile: TRIMMED,
  },
  {
    rule: 'a commit says what it voids',
    file: 'archive/writer/plan.ts',
    code: 'voided: state.voiding.map(({ key, runs }) => ({ key, runs })),',
    instead: 'voided: [],',
    profile: TAKEOVERS,
  },
  {
    rule: 'foreign records of objects that exist are not archived twice',
    file: 'archive/writer/plan.ts',
    code: 'return to === undefined || compareSequence(item.sequence, to) > 0;',
    instead: 'return true || to;',
    profile: TRIMMED,
  },
  {
    rule: 'all user records of a sequence number go together',
    file: 'archive/writer/shard-archiver.ts',
    code: 'while (i < records.length && records[i]!.sequence === sequence) i += 1;',
    instead: 'i += 1;',
    profile: TAKEOVERS,
  },
  {
    rule: "a child starts from its parents' runs",
    file: 'archive/writer/start.ts',
    code: 'state.absorb(parentState.snapshot(), context.range);',
    instead: '',
    profile: 'split and merge',
  },
  {
    rule: 'a child starts from all of its parents',
    file: 'archive/writer/start.ts',
    code: 'for (const parent of context.parents) {',
    instead: 'for (const parent of context.parents.slice(0, 1)) {',
    profile: 'split and merge',
  },
  {
    rule: 'the log of a parent that is gone is made final',
    file: 'archive/writer/start.ts',
    code: 'if (newest.close && lost.length === 0) return state;',
    instead: 'return state;',
    profile: 'recreated streams',
  },
  {
    rule: "a first shard starts from the stream's earlier incarnations",
    file: 'archive/writer/start.ts',
    code: 'await start.absorbEarlier(state, context.range);',
    instead: '',
    profile: 'recreated streams',
  },
  {
    rule: 'a commit is completed only with all records of its range at hand',
    file: 'archive/writer/shard-archiver.ts',
    code: 'if (missing.length + lost.length > 0 && !this.#hasSeen(commit.to) && !nothingMore) return false;',
    instead: '',
    profile: TAKEOVERS,
  },
  {
    rule: 'nothing is written behind a closing commit',
    file: 'archive/writer/shard-archiver.ts',
    code: 'if (this.#state.closed) {',
    instead: 'if (this.#state.closed && close) {',
    profile: 'recreated streams',
  },
  {
    rule: "a lane is forgotten only when its producer's floor has passed its epoch",
    file: 'archive/state.ts',
    code: 'const passed = floor !== undefined && lane.epoch < floor.epoch;',
    instead: 'const passed = floor !== undefined;',
    profile: 'epochs and floors',
  },
  {
    rule: 'the floor of a producer is the highest that it named',
    file: 'archive/state.ts',
    code: 'epoch: floor && floor.epoch > epoch ? floor.epoch : epoch,',
    instead: "epoch: 'f'.repeat(16),",
    profile: 'epochs and floors',
  },
  {
    rule: 'only what makes the same bytes completes a commit',
    file: 'archive/writer/plan.ts',
    code: 'if (sha256(body) === object.sha256) bodies.set(object.key, body);',
    instead: 'bodies.set(object.key, body);',
    profile: TRIMMED,
  },
  {
    rule: 'a child takes over what is inside its own range of hash keys',
    file: 'archive/state.ts',
    code: 'if (range && !inRange(name, range)) continue;',
    instead: 'if (range && inRange(name, range)) continue;',
    profile: 'split and merge',
  },
  {
    rule: 'a part of the archive counts what was there before it',
    file: 'archive/verify/range.ts',
    code: 'const before = first > 1 ?',
    instead: 'const before = first > 1e9 ?',
    profile: TAKEOVERS,
  },
  {
    rule: 'a part of the archive counts what has come after it',
    file: 'archive/verify/range.ts',
    code: 'now: next && (await loadState(store, log, newest))',
    instead: 'now: null',
    profile: TAKEOVERS,
  },
  {
    rule: 'a part of the archive knows what of its last commit was lost',
    file: 'archive/verify/book.ts',
    code: 'const next = commits[i + 1] ?? part?.next;',
    instead: 'const next = commits[i + 1];',
    profile: TRIMMED,
  },
  {
    rule: 'verify counts what was voided as missing',
    file: 'archive/verify/book.ts',
    code: 'const isLost = lost.has(object.key);',
    instead: 'const isLost = false;',
    profile: TRIMMED,
  },
  {
    rule: 'a function first reads what the log still needs of the stream',
    file: 'archive/writer/delivered.ts',
    code: 'await archiver.take(end === -1 ? page.records : page.records.slice(0, end), false);',
    instead: '',
    profile: FUNCTION_AND_WORKER,
  },
  {
    rule: "a function reads the rest of another archiver's commit",
    file: 'archive/writer/delivered.ts',
    code: 'await this.#finish(archiver, shard, { after: records.at(-1)!.sequence });',
    instead: '',
    profile: FUNCTION_ALONE,
  },
  {
    rule: 'a function reads a parent to its end before it closes its log',
    file: 'archive/writer/delivered.ts',
    code: 'ended = page.ended;',
    instead: 'ended = true;',
    profile: FUNCTION_AND_WORKER,
  },
  {
    rule: 'a function completes the newest commit, which may lack data',
    file: 'archive/writer/shard-archiver.ts',
    code: 'this.#incomplete = newest;\n    await this.#settle(null, false);\n    if',
    instead: 'this.#complete(newest);\n    if',
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
  const text = fs.readFileSync(file, 'utf8');
  assert.equal(text.split(mutant.code).length, 2, `${mutant.file} has this once: ${mutant.code}`);
  fs.writeFileSync(
    file,
    text.replace(mutant.code, () => mutant.instead),
  );
  const load = (name: string): Promise<object> => import(pathToFileURL(path.join(to, name)).href);
  const modules = [
    'archive/writer/shard-archiver.ts',
    'archive/writer/delivered.ts',
    'archive/writer/foreign.ts',
    'archive/verify/verify.ts',
  ];
  return Object.assign({}, ...(await Promise.all(modules.map(load)))) as CheckedCode;
}
