/** What verify says of commits: holes by lane and by ordinal, young ones, repeats, and damage to the archive. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { commitHash, encodeCommit, parseCommit } from '../../../../archive/commit.ts';
import type { VerifyReport } from '../../../../archive/verify/report.ts';
import { verifyArchive } from '../../../../archive/verify/verify.ts';
import { ChunkSource, epochName, type MadeChunk } from '../../../support/chunks.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';
import { archiveOf, HOUR, NOW } from '../../../support/small-archive.ts';

const MINUTE = 60_000;

const verify = (archive: MemoryArchive, age = 60 * MINUTE, deep = true) =>
  verifyArchive(archive, '', { now: NOW + age, pendingFor: 10 * MINUTE, deep });

const chunksOf = (source: ChunkSource, count: number, changes = {}) =>
  Array.from({ length: count }, () => source.next('t', HOUR, 2, changes));

test('a clean stop is noted once, in a commit and in no object', async () => {
  const source = new ChunkSource({ name: 'p' });
  const data = source.next('t', HOUR, 2);
  const last = source.next('', HOUR, 0, { end: true });
  const archive = await archiveOf([[data], [last], [last]]);
  const keys = [...archive.objects.keys()].filter((key) => key.startsWith('logs/'));
  assert.equal(keys.length, 1, keys.join());
  const report = await verify(archive);
  assert.equal(report.ok, true);
  assert.deepEqual([report.events, report.missing, report.duplicatesSkipped], [2, 0, 1]);
  assert.equal(report.producers[0]!.epochs[0]!.end, 'clean');
});

test('a chunk with lines is in an object, whatever number of events it says; of late only among foreign records', async () => {
  const chunk = new ChunkSource({ name: 'p' }).next('t', HOUR, 2, { events: 0 });
  const textBy = async (encoder: number): Promise<string> => {
    const archive = await archiveOf([[chunk]], new MemoryArchive(), 'shard-0', () => NOW, encoder);
    const keys = [...archive.objects.keys()].filter((key) => key.startsWith('logs/'));
    assert.equal((await verify(archive)).ok, encoder < 4);
    return gunzipSync(archive.objects.get(keys[0]!)!).toString();
  };
  assert.equal(await textBy(3), gunzipSync(chunk.bytes).toString());
  assert.deepEqual(JSON.parse(await textBy(4)), { base64: chunk.bytes.toString('base64') });
});

test('a whole archive is whole', async () => {
  const [a, b, c] = chunksOf(new ChunkSource({ name: 'p' }), 3) as [MadeChunk, MadeChunk, MadeChunk];
  const report = await verify(
    await archiveOf([
      [b, a],
      [a, c],
    ]),
  );
  assert.equal(report.ok, true);
  assert.deepEqual([report.chunks, report.events, report.missing, report.duplicatesSkipped], [3, 6, 0, 1]);
  assert.equal(report.producers[0]!.epochs[0]!.end, 'open');
});

test('a gap in a lane is a hole with its numbers, and pending while it is young', async () => {
  const chunks = chunksOf(new ChunkSource({ name: 'p' }), 9);
  const archive = await archiveOf([[0, 1, 3, 8].map((i) => chunks[i]!)]);
  const old = await verify(archive);
  assert.equal(old.ok, false);
  assert.equal(old.missing, 5);
  assert.deepEqual(
    old.producers[0]!.epochs[0]!.holes.map(({ missing }) => missing),
    ['3', '5-8'],
  );
  const young = await verify(archive, MINUTE);
  assert.deepEqual([young.ok, young.missing, young.pending], [true, 0, 5]);
});

test('the end of a lane that never came shows by the ordinals of the next epoch', async () => {
  const first = chunksOf(new ChunkSource({ name: 'p', epoch: 1 }), 2);
  const second = chunksOf(new ChunkSource({ name: 'p', epoch: 2, previous: { epoch: 1, ordinal: 5 } }), 1, {
    end: true,
  });
  const report = await verify(await archiveOf([[...first, ...second]]));
  assert.equal(report.missing, 3);
  const [one, two] = report.producers[0]!.epochs;
  assert.deepEqual(
    [one!.epoch, one!.end, one!.expected, one!.chunks, one!.events, one!.unlocated],
    [epochName(1), 'over', 5, 2, 4, 3],
  );
  assert.deepEqual([two!.end, two!.unlocated], ['clean', 0]);
});

test('a chunk in two logs is a repeat', async () => {
  const chunks = chunksOf(new ChunkSource({ name: 'p' }), 4);
  const archive = await archiveOf([chunks]);
  await archiveOf([chunks.slice(1, 3)], archive, 'shard-1');
  const report = await verify(archive);
  assert.equal(report.ok, false);
  assert.deepEqual(
    report.repeats.map(({ sequences }) => sequences),
    ['2-3'],
  );
});

test('what is missing or changed in the archive itself is named', async () => {
  const chunks = chunksOf(new ChunkSource({ name: 'p' }), 4);
  const batches = chunks.map((chunk) => [chunk]);
  const keys = async (part: string): Promise<[MemoryArchive, string[]]> => {
    const archive = await archiveOf(batches);
    return [archive, [...archive.objects.keys()].filter((key) => key.startsWith(part)).sort()];
  };

  const [gap, commits] = await keys('_commits/');
  gap.objects.delete(commits[1]!);
  assert.match((await verify(gap)).problems.join('\n'), /commits 3 to 3 are missing/);

  const [lost, objects] = await keys('logs/');
  lost.objects.delete(objects[3]!);
  const young = await verify(lost, MINUTE, false);
  assert.deepEqual([young.ok, young.unfinished], [true, [objects[3]]]);
  const old = await verify(lost, 60 * MINUTE, false);
  assert.match(old.problems.join('\n'), /has no data: no consumer has completed its commit/);
  const options = { now: NOW + 60 * MINUTE, pendingFor: 0, deep: true, expireAfter: 30 * MINUTE };
  const expired = await verifyArchive(lost, '', options);
  assert.deepEqual([expired.ok, expired.expired], [true, 4]);

  const [flipped, data] = await keys('logs/');
  flipped.objects.get(data[0]!)![40]! ^= 1;
  assert.equal((await verify(flipped, MINUTE, false)).ok, true, 'the commits alone do not show it');
  const places = /2 events of 2026-05-10T08:00:00.000Z to 2026-05-10T08:00:01.000Z, bytes 10 to \d+: /;
  assert.match((await verify(flipped)).problems.join('\n'), /does not match its checksum: /);
  assert.match((await verify(flipped)).problems.join('\n'), places);

  const [forged, names] = await keys('_commits/');
  const text = forged.objects.get(names[0]!)!.toString().replace('"records":1', '"records":2');
  forged.objects.set(names[0]!, Buffer.from(text));
  assert.match((await verify(forged)).problems.join('\n'), /does not match its hash/);
});

const HOUR_MS = 3_600_000;
const verifyHours = (archive: MemoryArchive, from: number, to: number) =>
  verifyArchive(archive, '', {
    now: NOW + 500 * HOUR_MS,
    pendingFor: 0,
    deep: false,
    range: { from: NOW + from * HOUR_MS, to: NOW + to * HOUR_MS },
  });
const missingOf = (report: VerifyReport): string[] =>
  report.producers.flatMap(({ epochs }) =>
    epochs.flatMap(({ holes }) => holes.map(({ missing }) => missing)),
  );

test('a range of time tells of its own holes, and of none that is filled by now', async () => {
  const chunks = chunksOf(new ChunkSource({ name: 'p', epoch: NOW * 2 ** 16 }), 12);
  const batches = [[0, 1], [3], [5, 6], [8], [4, 9]].map((batch) => batch.map((i) => chunks[i]!));
  const archive = await archiveOf(batches, undefined, undefined, (batch) => NOW + batch * HOUR_MS);
  assert.deepEqual(missingOf(await verifyHours(archive, 0, 9)), ['3', '8']);
  // 3 is missing since the second hour; 5 was missing in the third and came in the fifth.
  const second = await verifyHours(archive, 1, 2);
  assert.deepEqual([second.ok, second.commits, second.chunks, missingOf(second)], [false, 2, 3, ['3']]);
  const fourth = await verifyHours(archive, 3, 3);
  assert.deepEqual([fourth.commits, fourth.chunks, missingOf(fourth)], [1, 1, ['8']]);
  const fifth = await verifyHours(archive, 4, 9);
  assert.deepEqual([fifth.ok, fifth.chunks, missingOf(fifth)], [true, 2, []]);
  const none = await verifyHours(archive, 7, 9);
  assert.deepEqual([none.ok, none.commits, none.chunks], [true, 0, 0]);
});

test('a range of time shows what was archived before it already', async () => {
  const [a, b] = chunksOf(new ChunkSource({ name: 'p' }), 2) as [MadeChunk, MadeChunk];
  const archive = await archiveOf([[a], [b]], undefined, undefined, (batch) => NOW + batch * HOUR_MS);
  const key = [...archive.objects.keys()].filter((name) => name.startsWith('_commits/')).sort()[0]!;
  const commit = parseCommit(archive.objects.get(key)!, key);
  const objects = commit.objects.map((object) => ({ ...object, runs: { [a.lane]: '1-2' } }));
  const forged = { ...commit, objects };
  archive.objects.set(key, encodeCommit({ ...forged, hash: commitHash(forged) }));
  const report = await verifyHours(archive, 1, 9);
  assert.deepEqual(
    report.repeats.map(({ sequences }) => sequences),
    ['1'],
  );
});

test('a range of time is found without reading the other commits', async () => {
  const chunks = chunksOf(new ChunkSource({ name: 'p' }), 400);
  const batches = chunks.map((chunk) => [chunk]);
  const archive = await archiveOf(batches, undefined, undefined, (batch) => NOW + batch * HOUR_MS);
  let reads = 0;
  const get = archive.get.bind(archive);
  archive.get = (key) => {
    reads += 1;
    return get(key);
  };
  const report = await verifyHours(archive, 390, 500);
  assert.deepEqual([report.ok, report.commits], [true, 10]);
  assert.ok(reads < 100, `${reads} of 400 commits were read`);
});

test('ends of lanes count in a range of time only while no lane of the epoch can be forgotten', async () => {
  const late = { previous: { epoch: (NOW - 100 * 24 * HOUR_MS) * 2 ** 16, ordinal: 5 } };
  const source = new ChunkSource({ name: 'p', epoch: NOW * 2 ** 16, ...late });
  const archive = await archiveOf([chunksOf(source, 1)]);
  assert.equal((await verify(archive)).missing, 5);
  assert.equal((await verifyHours(archive, 0, 9)).missing, 0);
  const recent = { previous: { epoch: (NOW - 24 * HOUR_MS) * 2 ** 16, ordinal: 5 } };
  const other = new ChunkSource({ name: 'p', epoch: NOW * 2 ** 16, ...recent });
  assert.equal((await verifyHours(await archiveOf([chunksOf(other, 1)]), 0, 9)).missing, 5);
});
