/** From watermark chunks over commits to closed hours: an archive that the archiver has written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Watermark } from '../../../../archive/commit.ts';
import { newestCommit } from '../../../../archive/commit-log.ts';
import { Facts } from '../../../../archive/hours/facts.ts';
import { judgeHours } from '../../../../archive/hours/judge.ts';
import { DEFAULT_HOURS_POLICY } from '../../../../archive/hours/policy.ts';
import { readFacts } from '../../../../archive/hours/read.ts';
import { Runs } from '../../../../archive/runs.ts';
import { verifyArchive } from '../../../../archive/verify/verify.ts';
import { openArchiver } from '../../../support/archiver.ts';
import { ChunkSource, type MadeChunk } from '../../../support/chunks.ts';
import { DyingArchive, type MemoryArchive } from '../../../support/memory-archive.ts';
import { archiveOf, HOUR, NOW } from '../../../support/small-archive.ts';

const MINUTE = 60_000;
const END = NOW + 60 * MINUTE;
const LOG = { prefix: '', incarnation: '0'.repeat(18), shard: 'shard-0' };

/** Epochs are times of 48 bits and 16 more. */
const epochAt = (time: number): number => time * 65_536;

function source(name: string, began = NOW - 60 * MINUTE, lane?: string): ChunkSource {
  return new ChunkSource({ name, epoch: epochAt(began), ...(lane ? { lane } : {}) });
}

const mark = (from: ChunkSource, until: number, changes = {}): MadeChunk =>
  from.next('', HOUR, 0, { firstTime: until, lastTime: until + 1000, ...changes });

async function judge(archive: MemoryArchive, now: number, gone: readonly string[] = []) {
  const facts = await readFacts(archive, '', [HOUR, HOUR]);
  const policy = { ...DEFAULT_HOURS_POLICY, now, isGone: (id: string) => gone.includes(id) };
  const [report] = judgeHours(facts, policy, [HOUR, HOUR]);
  return report!;
}

test('an hour closes by a watermark past its lateness, and not by an earlier one', async () => {
  const agent = source('p');
  const data = agent.next('t', HOUR, 2);
  const early = mark(agent, END + 9 * MINUTE);
  const times = [NOW + MINUTE, END + 10 * MINUTE, END + 16 * MINUTE];
  const archive = await archiveOf([[data], [early]], undefined, undefined, (n) => times[n]!);
  const open = await judge(archive, END + 11 * MINUTE);
  assert.deepEqual([open.state, open.waits.map(({ why }) => why), open.events], ['open', ['awaited'], 2]);
  const closed = await archiveOf(
    [[data], [early], [mark(agent, END + 14 * MINUTE)]],
    undefined,
    undefined,
    (n) => times[n]!,
  );
  assert.equal((await judge(closed, END + 16 * MINUTE)).state, 'closed');
  const report = await verifyArchive(closed, '', { now: END + 20 * MINUTE, pendingFor: 0, deep: true });
  assert.deepEqual([report.ok, report.chunks, report.events], [true, 1, 2]);
});

test('an idle agent closes its hours, and its clock does not close them before their time', async () => {
  const agent = source('idle');
  const archive = await archiveOf(
    [[mark(agent, END + 60 * MINUTE)]],
    undefined,
    undefined,
    () => END + 5 * MINUTE,
  );
  const ahead = await judge(archive, END + 15 * MINUTE);
  assert.deepEqual([ahead.state, ahead.waits[0]!.why], ['open', 'awaited']);
  const honest = await archiveOf(
    [[mark(source('idle'), END + 10 * MINUTE)]],
    undefined,
    undefined,
    () => END + 11 * MINUTE,
  );
  assert.deepEqual([(await judge(honest, END + 15 * MINUTE)).state], ['closed']);
});

test('what is missing of another lane keeps the hour open, and the hour only that it may belong to', async () => {
  const one = source('p');
  const other = source('p', undefined, 'b'.repeat(32));
  const data = [one.next('t', HOUR, 1), other.next('t', HOUR, 1, { ordinal: 2 })] as const;
  const marks = [
    mark(one, END + 11 * MINUTE, { ordinal: 3 }),
    mark(other, END + 11 * MINUTE, { ordinal: 4 }),
  ] as const;
  const at = (_: number): number => END + 12 * MINUTE;
  const lacking = await judge(
    await archiveOf([[data[0], marks[0]]], undefined, undefined, at),
    END + 13 * MINUTE,
  );
  assert.deepEqual([lacking.state, lacking.waits[0]!.why], ['open', 'missing']);
  const hole = await judge(
    await archiveOf([[data[0], ...marks]], undefined, undefined, at),
    END + 13 * MINUTE,
  );
  assert.deepEqual(hole.waits[0]!.lanes, ['b'.repeat(32)]);
  const whole = await archiveOf([[...data, ...marks]], undefined, undefined, at);
  assert.equal((await judge(whole, END + 13 * MINUTE)).state, 'closed');
});

test('what an unfinished commit gives up keeps its hour open', async () => {
  const archive = new DyingArchive();
  const agent = source('p');
  const now = END + 12 * MINUTE;
  const records = [
    agent.next('t', HOUR, 1),
    mark(agent, END + 11 * MINUTE),
    agent.next('t', HOUR + 1, 1),
  ].map(({ bytes: data }, i) => ({ sequence: `${1 + i}`, arrival: now, data }));
  const first = await openArchiver(archive, { now: () => now });
  await first.take(records.slice(0, 2), false);
  await first.flush();
  assert.equal((await judge(archive, now)).state, 'closed');
  archive.objects.delete([...archive.objects.keys()].find((key) => key.startsWith('logs/'))!);
  archive.isDying = true;
  const second = await openArchiver(archive, { now: () => now });
  const dies = second.take(records.slice(2), true).then(() => second.flush());
  await assert.rejects(dies, /killed/);
  const report = await judge(archive, now);
  assert.deepEqual([report.state, report.waits.map(({ why }) => why)], ['open', ['missing']]);
});

test('a late chunk reopens an hour until the next watermark, and stays counted', async () => {
  const agent = source('p');
  const first = [agent.next('t', HOUR, 1), mark(agent, END + 11 * MINUTE)];
  const late = agent.next('t', HOUR, 3);
  const next = mark(agent, END + 16 * MINUTE);
  const times = [END + 12 * MINUTE, END + 14 * MINUTE, END + 17 * MINUTE];
  const write = (batches: MadeChunk[][]) => archiveOf(batches, undefined, undefined, (n) => times[n]!);
  const reopened = await judge(await write([first, [late]]), END + 20 * MINUTE);
  assert.deepEqual([reopened.state, reopened.late.chunks, reopened.events], ['reopened', 1, 4]);
  const closed = await judge(await write([first, [late], [next]]), END + 20 * MINUTE);
  assert.deepEqual([closed.state, closed.late.chunks, closed.late.producers.length], ['closed', 1, 1]);
});

test('a producer that fell silent is named with the time, one that stopped is not waited for', async () => {
  const silent = source('silent');
  const stopped = source('stopped');
  const times = [NOW + 20 * MINUTE, NOW + 25 * MINUTE];
  const chunks = [
    [silent.next('t', HOUR, 1), mark(silent, NOW + 19 * MINUTE)],
    [stopped.next('t', HOUR, 1), mark(stopped, NOW + 24 * MINUTE, { end: true })],
  ];
  const archive = await archiveOf(chunks, undefined, undefined, (n) => times[n]!);
  const report = await judge(archive, END + 15 * MINUTE);
  assert.deepEqual(report.waits, [{ producer: silent.producer, why: 'silent', since: NOW + 20 * MINUTE }]);
  const without = await judge(archive, END + 15 * MINUTE, [silent.producer]);
  assert.deepEqual([without.state, without.without], ['closed', [silent.producer]]);
});

test('an agent whose clock was ahead when it began is not taken for one that began after the hour', async () => {
  const ofName = async (began: number, arrived: number) => {
    const agent = source('ahead', began);
    const [first, data] = [agent.next('t', HOUR + 1, 1), agent.next('t', HOUR, 1)];
    const marked = mark(agent, END + 11 * MINUTE);
    const write = (batches: MadeChunk[][]) => archiveOf(batches, undefined, undefined, (n) => arrived + n);
    const early = await judge(await write([[first]]), END + 60 * MINUTE);
    const { state, waits } = await judge(await write([[first], [marked]]), END + 60 * MINUTE);
    const all = await judge(await write([[first], [data, marked]]), END + 60 * MINUTE);
    return [early.state, state, waits.map(({ why }) => why), all.state, all.late.chunks];
  };
  // Its first chunk arrived before it had begun, by its own name.
  const soon = END + 12 * MINUTE;
  assert.deepEqual(await ofName(END + 180 * MINUTE, soon), ['open', 'open', ['missing'], 'closed', 0]);
  // Its first chunk was long on its way: only its watermark, which was sealed before it had begun, shows it.
  const late = END + 30 * MINUTE;
  assert.deepEqual(await ofName(END + 25 * MINUTE, late), ['closed', 'open', ['missing'], 'closed', 0]);
  // Nothing shows it, as where a clock was a little ahead.
  assert.deepEqual((await ofName(END + 11 * MINUTE, soon)).slice(0, 3), ['open', 'open', ['missing']]);
});

test('all that an agent has of an hour that was over when it began is late', async () => {
  const began = END + 25 * MINUTE;
  const agent = source('new', began);
  const [first, data] = [agent.next('t', HOUR + 1, 1), agent.next('t', HOUR, 1)];
  const marked = mark(agent, began + 5 * MINUTE);
  const write = (batches: MadeChunk[][]) =>
    archiveOf(batches, undefined, undefined, () => began + 6 * MINUTE);
  const states: unknown[] = [];
  for (const batches of [[[first]], [[first], [marked]], [[first, data], [marked]]]) {
    const { state, late } = await judge(await write(batches), END + 60 * MINUTE);
    states.push(state, late.chunks);
  }
  assert.deepEqual(states, ['closed', 0, 'closed', 0, 'closed', 1]);
});

test('an agent is not taken for one that began after the hour before its first chunk names no earlier run', async () => {
  const began = END + 30 * MINUTE;
  const write = (batches: MadeChunk[][]) => archiveOf(batches, undefined, undefined, () => began + MINUTE);
  const states = async (previous: { epoch: number; ordinal: number } | null) => {
    const before = new ChunkSource({ name: 'p', epoch: epochAt(NOW), lane: 'a'.repeat(32) });
    const agent = new ChunkSource({ name: 'p', epoch: epochAt(began), previous });
    const [first, second] = [agent.next('t', HOUR + 1, 1), agent.next('t', HOUR + 1, 1)];
    const marked = mark(agent, began);
    const earlier = [before.next('t', HOUR, 1), mark(before, NOW + MINUTE, { end: true })];
    const reports = [[[second]], [[second, marked]], [[first, second]], [[first, second], earlier, [marked]]];
    const all: string[] = [];
    for (const batches of reports) all.push((await judge(await write(batches), began + 2 * MINUTE)).state);
    return all;
  };
  assert.deepEqual((await states(null)).slice(0, 3), ['open', 'open', 'closed']);
  assert.deepEqual(await states({ epoch: epochAt(NOW), ordinal: 2 }), ['open', 'open', 'open', 'closed']);
});

test('an hour is judged however many watermarks there are of earlier ones', () => {
  const count = 150_000;
  const archived = new Runs();
  archived.addRange(1, count);
  const until = (n: number): number => NOW - (count - n) * MINUTE;
  const watermarks = Array.from({ length: count }, (_, i): [number, Watermark] => {
    const time = until(i + 1);
    return [i + 1, [i + 1, i + 1, time, time, 0]];
  });
  const epoch = epochAt(until(0)).toString(16).padStart(16, '0');
  const facts = new Facts();
  facts.lanes.set('a'.repeat(32), { producer: 'p', epoch, archived, watermarks: new Map(watermarks) });
  facts.producers.set(
    'p',
    new Map([[epoch, { previous: null, ordinal: count, heard: NOW, arrived: until(0) }]]),
  );
  const policy = { ...DEFAULT_HOURS_POLICY, now: NOW + 10 * MINUTE, isGone: () => false };
  const [report] = judgeHours(facts, policy, [HOUR, HOUR]);
  assert.deepEqual(report!.waits, [{ producer: 'p', why: 'awaited', since: NOW }]);
});

test('an agent of an earlier release is named, and its clean stop still counts', async () => {
  const old = source('old');
  const chunk = old.next('t', HOUR, 1);
  const archive = await archiveOf([[chunk]], undefined, undefined, () => END + 10 * MINUTE);
  assert.equal((await judge(archive, END + 12 * MINUTE)).waits[0]!.why, 'unmarked');
  const end = old.next('', HOUR, 0, { end: true, firstTime: END - MINUTE, lastTime: END - MINUTE });
  const stopped = await archiveOf([[chunk, end]], undefined, undefined, () => END);
  assert.equal((await judge(stopped, END + 15 * MINUTE)).state, 'closed');
});

test('a snapshot keeps the newest watermark of each lane, so that later hours need no earlier commits', async () => {
  const agent = source('p', NOW - 600 * MINUTE);
  const first = [
    agent.next('t', HOUR - 9, 1),
    mark(agent, NOW - 420 * MINUTE),
    mark(agent, NOW - 410 * MINUTE),
  ];
  const times = [NOW - 400 * MINUTE, END + 12 * MINUTE];
  const archive = await archiveOf(
    [first, [mark(agent, END + 11 * MINUTE)]],
    undefined,
    undefined,
    (n) => times[n]!,
  );
  const { snapshot } = (await newestCommit(archive, LOG))!;
  assert.equal(snapshot, null);
  const facts = await readFacts(archive, '', [HOUR, HOUR]);
  assert.deepEqual([...facts.lanes.get(agent.lane)!.watermarks.keys()], [3, 4]);
  assert.equal((await judge(archive, END + 13 * MINUTE)).state, 'closed');
});

test('a long log is read slice by slice, and of its hours only those that are asked for are kept', async () => {
  const agent = source('p');
  const batches = Array.from({ length: 600 }, (_, i) => [agent.next('t', HOUR + (i % 3), 1)]);
  const archive = await archiveOf(batches);
  const facts = await readFacts(archive, '', [HOUR + 1, HOUR + 1]);
  assert.equal(`${facts.lanes.get(agent.lane)!.archived}`, '1-600');
  assert.deepEqual([...facts.hours.keys()], [HOUR + 1]);
  assert.equal(facts.hours.get(HOUR + 1)!.objects.length, 200);
});
