/** Runs one schedule of the archive model and checks what it left. */
import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { parseCommit } from '../../archive/commit.ts';
import { Runs } from '../../archive/runs.ts';
import type { VerifyReport } from '../../archive/verify/report.ts';
import { readHeader } from '../../chunk/header.ts';
import { readChunks } from '../../chunk/reader.ts';
import { ArchiveModel, START_TIME, type Weights } from './archive-model.ts';
import type { Code } from './model-services.ts';
import { generator } from './random.ts';

export interface CheckedCode extends Code {
  readonly verifyArchive: typeof import('../../archive/verify/verify.ts').verifyArchive;
}

const CALM: Weights = {
  go: 70,
  put: 10,
  repeat: 5,
  hold: 0.5,
  readmit: 0.5,
  foreign: 2,
  start: 4,
  crash: 1.5,
  split: 0,
  merge: 0,
  trim: 0,
  recreate: 0,
  loseLeases: 0,
  epoch: 0,
  invoke: 0,
  survivor: 'worker',
};

/** The ingredients of schedules; in the first four nothing may be missing. */
export const PROFILES: Readonly<Record<string, Weights>> = {
  'takeovers and zombies': { ...CALM, start: 8, crash: 4 },
  'split and merge': { ...CALM, split: 1, merge: 1 },
  'lost lease tables': { ...CALM, start: 6, crash: 2, split: 0.5, merge: 0.5, loseLeases: 1 },
  'epochs and floors': { ...CALM, start: 6, epoch: 1, hold: 2, readmit: 1.5, split: 0.5, merge: 0.5 },
  'trimmed by retention': { ...CALM, start: 6, crash: 4, split: 0.8, merge: 0.6, trim: 3, loseLeases: 0.5 },
  'recreated streams': {
    ...CALM,
    start: 6,
    crash: 2,
    split: 0.6,
    merge: 0.4,
    trim: 1,
    recreate: 0.5,
    loseLeases: 0.3,
  },
  'function alone': { ...CALM, start: 0, invoke: 8, crash: 4, split: 0.8, merge: 0.6, survivor: 'function' },
  'function and worker': {
    ...CALM,
    start: 4,
    invoke: 8,
    crash: 3,
    split: 0.6,
    merge: 0.4,
    loseLeases: 0.3,
    epoch: 0.3,
  },
  'function, trimmed by retention': {
    ...CALM,
    start: 2,
    invoke: 8,
    crash: 4,
    split: 0.8,
    merge: 0.6,
    trim: 3,
    loseLeases: 0.5,
    survivor: 'function',
  },
};

/** @returns what happened, and how often */
export async function checkSchedule(
  code: CheckedCode,
  profile: string,
  seed: number,
): Promise<Map<string, number>> {
  const weights = PROFILES[profile]!;
  const random = generator(seed);
  const model = new ArchiveModel(code, random, weights);
  await model.run(100 + Math.floor(random() * 400));

  const { chunks, foreign, kept, unreadable } = await contents(model);
  /** A worker of the first release archives what lies; verify says so. */
  const problemsOf = ({ problems }: VerifyReport): string[] =>
    problems.filter((problem) => ![...unreadable].some((key) => problem.startsWith(`${key}: `)));
  for (const [chunk, count] of chunks) assert.equal(count, 1, `chunk ${chunk} is archived ${count} times`);
  for (const [id, count] of foreign)
    assert.equal(count, 1, `foreign record ${id} is archived ${count} times`);
  const retained = model.stream.retained();
  for (const chunk of retained.chunks)
    assert.ok(chunks.has(chunk) || kept.has(chunk), `chunk ${chunk} is not archived`);
  for (const id of retained.foreign) assert.ok(foreign.has(id), `foreign record ${id} is not archived`);
  for (const chunk of chunks.keys())
    assert.ok(model.producers.chunks.has(chunk), `chunk ${chunk} was never made`);
  for (const chunk of kept.keys())
    assert.ok(model.producers.liars.has(chunk), `chunk ${chunk} is kept as bytes`);
  const missing = [...model.producers.chunks.keys()].filter((chunk) => !chunks.has(chunk));
  const nothingTrimmed = weights.trim === 0 && weights.recreate === 0;
  if (nothingTrimmed)
    assert.deepEqual(
      missing.filter((chunk) => !model.producers.liars.has(chunk)),
      [],
    );
  for (const [chunk, puts] of model.producers.liars) {
    const count = kept.get(chunk) ?? 0;
    assert.ok(count <= puts, `chunk ${chunk} is kept ${count} times of ${puts}`);
    // A worker of the first release archives it as it is, and skips the repeats.
    if (nothingTrimmed && !chunks.has(chunk)) assert.equal(count, puts, `chunk ${chunk} is kept each time`);
  }

  const report = await code.verifyArchive(model.archive, 'x/', { now: model.now, pendingFor: 0, deep: true });
  assert.deepEqual(problemsOf(report), []);
  assert.deepEqual(report.repeats, []);
  assert.deepEqual(report.unfinished, []);
  assert.equal(report.chunks, chunks.size, 'verify counts the chunks');
  const keptCount = [...kept.values()].reduce((sum, count) => sum + count, 0);
  assert.equal(report.foreign, foreign.size + keptCount, 'verify counts the foreign records');
  const eventsOf = report.producers.flatMap(({ epochs }) => epochs.map(({ events }) => events));
  assert.equal(
    eventsOf.reduce((sum, events) => sum + events, 0),
    report.events - report.foreign,
    'verify counts the events of each producer',
  );
  assert.equal(report.missing, missing.length, `verify names what is missing: ${missing.slice(0, 5)}`);
  assert.equal(report.ok, missing.length === 0 && report.problems.length === 0);
  const time = START_TIME + Math.floor(random() * (model.now + 1 - START_TIME));
  await checkParts(code, model, { whole: report, time, forgets: weights.epoch > 0, problemsOf });
  model.happened.set('archived', chunks.size);
  model.happened.set('missing', missing.length);
  return model.happened;
}

/** Verifying an archive in two parts gives the same result as verifying it whole. */
async function checkParts(
  code: CheckedCode,
  model: ArchiveModel,
  {
    whole,
    time,
    forgets,
    problemsOf,
  }: {
    readonly whole: VerifyReport;
    readonly time: number;
    readonly forgets: boolean;
    readonly problemsOf: (report: VerifyReport) => string[];
  },
): Promise<void> {
  const parts: VerifyReport[] = [];
  for (const range of [
    { from: 0, to: time },
    { from: time + 1, to: model.now },
  ]) {
    const options = { now: model.now, pendingFor: 0, deep: true, range };
    parts.push(await code.verifyArchive(model.archive, 'x/', options));
  }
  const sum = (value: (report: VerifyReport) => number): number =>
    parts.reduce((total, report) => total + value(report), 0);
  for (const part of parts) {
    assert.deepEqual(problemsOf(part), []);
    assert.deepEqual(part.repeats, []);
  }
  for (const key of ['commits', 'objects', 'chunks', 'events', 'foreign', 'duplicatesSkipped'] as const) {
    assert.equal(
      sum((report) => report[key]),
      whole[key],
      `${key} of both parts`,
    );
  }
  // Lanes are forgotten here without the day's grace that a range of time counts on.
  if (!forgets) assert.deepEqual(holesOf(...parts), holesOf(whole), 'holes of both parts');
}

/** What is missing from each lane; a gap that both parts report may be longer in the later one. */
function holesOf(...reports: readonly VerifyReport[]): Record<string, string> {
  const lanes = new Map<string, Runs>();
  for (const { lane, missing } of reports.flatMap(({ producers }) =>
    producers.flatMap(({ epochs }) => epochs.flatMap(({ holes }) => holes)),
  )) {
    const runs = lanes.get(lane) ?? new Runs();
    runs.union(Runs.parse(missing));
    lanes.set(lane, runs);
  }
  return Object.fromEntries([...lanes].sort().map(([lane, runs]) => [lane, runs.toString()]));
}

interface Contents {
  readonly chunks: Map<string, number>;
  readonly foreign: Map<string, number>;
  /** Chunks that were kept as bytes. */
  readonly kept: Map<string, number>;
  /** Objects of the first release with chunks that are not what they say. */
  readonly unreadable: Set<string>;
}

/** What a reader finds that reads all objects; the commits only say which of them are not spliced. */
async function contents(model: ArchiveModel): Promise<Contents> {
  const found: Contents = { chunks: new Map(), foreign: new Map(), kept: new Map(), unreadable: new Set() };
  const commits = [...model.archive.objects].filter(([key]) => key.startsWith('x/_commits/'));
  const objects = commits.flatMap(([key, bytes]) => parseCommit(bytes, key).objects);
  const named = new Map(objects.map((object) => [object.key, object]));
  for (const [key, bytes] of model.archive.objects) {
    if (key.startsWith('x/_commits/')) continue;
    const object = named.get(key);
    assert.ok(object, `no commit names ${key}`);
    // The first release did not look into chunks; whoever lied makes its objects unreadable.
    if (object.form === undefined && object.foreign === 0 && bytes.length === object.bytes) {
      for (const { header } of readChunks(bytes)) {
        const chunk = `${header.lane}/${header.sequence}`;
        add(found.chunks, chunk);
        if (model.producers.liars.has(chunk)) found.unreadable.add(key);
      }
    } else {
      addLines(found, gunzipSync(bytes).toString(), object.foreign > 0);
    }
  }
  return found;
}

function addLines({ chunks, foreign, kept }: Contents, text: string, isForeign: boolean): void {
  const inObject = new Set<string>();
  for (const line of text.split('\n').slice(0, -1)) {
    const value = JSON.parse(line) as { foreign?: string; base64?: string; chunk?: string };
    if (value.base64 !== undefined) {
      const { lane, sequence } = readHeader(Buffer.from(value.base64, 'base64'));
      add(kept, `${lane}/${sequence}`);
    } else if (isForeign) add(foreign, value.foreign!);
    else inObject.add(value.chunk!);
  }
  for (const chunk of inObject) add(chunks, chunk);
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
