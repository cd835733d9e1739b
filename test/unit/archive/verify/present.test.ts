/** What was done to the archive's objects behind its back: verify says so without reading one of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyArchive } from '../../../../archive/verify/verify.ts';
import { ChunkSource } from '../../../support/chunks.ts';
import type { MemoryArchive } from '../../../support/memory-archive.ts';
import { archiveOf, HOUR, NOW } from '../../../support/small-archive.ts';

const HOUR_MS = 3_600_000;

/** Four commits with an object each. */
async function archived(): Promise<{ archive: MemoryArchive; data: string[]; commits: string[] }> {
  const source = new ChunkSource({ name: 'p' });
  const archive = await archiveOf(Array.from({ length: 4 }, () => [source.next('t', HOUR, 2)]));
  const keys = [...archive.objects.keys()].sort();
  const data = keys.filter((key) => key.startsWith('logs/'));
  // The newest is listed first.
  return { archive, data, commits: keys.filter((key) => key.startsWith('_commits/')) };
}

async function problemsOf(archive: MemoryArchive, options = {}): Promise<readonly string[]> {
  const report = await verifyArchive(archive, '', {
    now: NOW + HOUR_MS,
    pendingFor: 0,
    deep: false,
    ...options,
  });
  assert.equal(report.ok, report.problems.length === 0);
  return report.problems;
}

test('a sound archive has no faults, read as a whole, deeply and in part', async () => {
  const { archive } = await archived();
  archive.objects.set('logs/_SUCCESS', Buffer.alloc(0));
  archive.objects.set('parquet/tag=t/dt=2026-05-10/hour=08/1-ab.parquet', Buffer.from('PAR1'));
  assert.deepEqual(await problemsOf(archive), []);
  assert.deepEqual(await problemsOf(archive, { deep: true }), []);
  assert.deepEqual(await problemsOf(archive, { range: { from: 0, to: NOW + HOUR_MS } }), []);
});

test('an object that was deleted is missing, unless it may have been expired', async () => {
  const { archive, data } = await archived();
  archive.objects.delete(data[1]!);
  for (const options of [{}, { deep: true }, { range: { from: 0, to: NOW + HOUR_MS } }])
    assert.match(
      (await problemsOf(archive, options)).join('\n'),
      /^logs\/.* is missing: expired by a lifecycle rule/,
    );
  assert.deepEqual(await problemsOf(archive, { commitsOnly: true }), []);
  assert.deepEqual(await problemsOf(archive, { expireAfter: HOUR_MS / 2 }), []);
});

test('one that was cut, or emptied, has another length than its commit says', async () => {
  for (const [bytes, fault] of [
    [Buffer.from('short'), /has 5 bytes, its commit says \d+/],
    [
      Buffer.from('1f8b080000000000000303000000000000000000', 'hex'),
      /holds nothing, and no commit gives it up/,
    ],
  ] as const) {
    const { archive, data } = await archived();
    archive.objects.set(data[1]!, bytes);
    assert.match((await problemsOf(archive)).join('\n'), fault);
  }
});

test('a copy of an object repeats its events to whoever reads the folder', async () => {
  const { archive, data } = await archived();
  const bytes = archive.objects.get(data[0]!)!;
  for (const copy of [
    data[0]!.replace('logs/', 'logs/old/'),
    data[0]!.replace(/[^/]+$/, 'copy.ndjson.gz'),
    'logs/all.ndjson.gz',
    data[0]!.replace(/-\d{1,12}-([0-9a-f]{16})/, '-1-0123456789abcdef'),
  ]) {
    archive.objects.set(copy, bytes);
    assert.deepEqual(
      (await problemsOf(archive)).map((problem) => problem.split(' ')[0]),
      [copy],
    );
    archive.objects.delete(copy);
  }
});

test('the data of a commit that is gone names it, whether others of its log are left or not', async () => {
  const { archive, data, commits } = await archived();
  archive.objects.delete(commits[0]!);
  assert.deepEqual(
    (await problemsOf(archive)).map((problem) => problem.split(' ')[0]),
    [data[3]],
  );
});

test('data of commits that are written meanwhile is not a fault', async () => {
  const { archive, data, commits } = await archived();
  const [newest, bytes] = [commits[0]!, archive.objects.get(commits[0]!)!];
  archive.objects.delete(newest);
  const { list } = archive;
  archive.list = async function* (prefix) {
    yield* list.call(this, prefix);
    if (!prefix.startsWith('_commits/')) this.objects.set(newest, bytes);
  };
  assert.deepEqual(await problemsOf(archive), []);
  assert.ok(archive.objects.has(data[3]!));
});

test('of thousands of missing objects a few are named and the others counted', async () => {
  const source = new ChunkSource({ name: 'p' });
  const archive = await archiveOf(Array.from({ length: 30 }, () => [source.next('t', HOUR, 1)]));
  for (const key of archive.objects.keys()) if (key.startsWith('logs/')) archive.objects.delete(key);
  const problems = await problemsOf(archive, { range: { from: 0, to: NOW + HOUR_MS } });
  assert.match(problems.at(-1)!, /^9 more objects are missing$/);
});
