/** A commit that its writer left without data, and a reader that was at the stream's tip before or after it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareSequence } from '../../../../archive/commit-keys.ts';
import { verifyArchive } from '../../../../archive/verify/verify.ts';
import { isVoid } from '../../../../archive/voiding.ts';
import type { StreamRecord } from '../../../../archive/writer/record.ts';
import type { StreamView } from '../../../../archive/writer/start.ts';
import { openArchiver } from '../../../support/archiver.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';

const record = (sequence: string): StreamRecord => ({
  sequence,
  arrival: Date.UTC(2026, 10, 24, 14),
  data: Buffer.from(`{"foreign":"${sequence}"}\n`),
});

/** The stream has these records, or what is added to them later. */
function holdsOf(records: readonly StreamRecord[]): StreamView['holds'] {
  return async (_shard, from, to) =>
    records.some(({ sequence }) => {
      const start = from === null ? '0' : 'at' in from ? from.at : from.after;
      const behind = compareSequence(sequence, start);
      return (from && 'at' in from ? behind >= 0 : behind > 0) && compareSequence(sequence, to) <= 0;
    });
}

/** Commits these records, and dies before their data is written. */
async function leaveUnfinished(archive: MemoryArchive, records: readonly StreamRecord[]): Promise<void> {
  const dies = {
    putIfAbsent: (key: string, body: readonly Uint8Array[]) =>
      key.includes('_commits/') || isVoid('gzip', Buffer.concat(body).length)
        ? archive.putIfAbsent(key, body)
        : Promise.reject(new Error('killed')),
    get: (key: string) => archive.get(key),
    head: (key: string) => archive.head(key),
    first: (prefix: string) => archive.first(prefix),
    folders: (prefix: string) => archive.folders(prefix),
  };
  const archiver = await openArchiver(dies);
  await assert.rejects(
    archiver.take(records, false).then(() => archiver.flush()),
    /killed/,
  );
}

async function foreignOf(archive: MemoryArchive): Promise<number> {
  const report = await verifyArchive(archive, '', { now: Date.now(), pendingFor: 0, deep: true });
  assert.deepEqual(report.unfinished, []);
  return report.foreign;
}

test('a batch that was read at the tip before a commit came gives up nothing of it', async () => {
  const archive = new MemoryArchive();
  const stream = [record('7')];
  await leaveUnfinished(archive, stream);
  const archiver = await openArchiver(archive, { holds: holdsOf(stream) });
  await archiver.take([], true);
  assert.equal(archiver.unfinished?.to, '7');
  await archiver.take(stream, true);
  assert.equal(archiver.unfinished, null);
  assert.equal(await foreignOf(archive), 1);
});

test('nor does one that comes upon the next commit while it gives up another', async () => {
  const archive = new MemoryArchive();
  await leaveUnfinished(archive, [record('5')]);
  const stream: StreamRecord[] = [];
  const holds = holdsOf(stream);
  const archiver = await openArchiver(archive, { holds });
  // Another archiver gives 5 up, too, in a commit with a record that came after the first one's read.
  stream.push(record('7'));
  await leaveUnfinished(archive, stream);
  await archiver.take([], true);
  assert.equal(archiver.unfinished?.to, '7');
  await archiver.take(stream, true);
  assert.equal(await foreignOf(archive), 1);
});

test('what the stream no longer has is given up at the tip', async () => {
  const archive = new MemoryArchive();
  await leaveUnfinished(archive, [record('7')]);
  const archiver = await openArchiver(archive);
  await archiver.take([], true);
  assert.equal(archiver.unfinished, null);
  assert.equal(await foreignOf(archive), 0);
});

test('at the end of a shard, a range that the stream still has is reread', async () => {
  const archive = new MemoryArchive();
  const stream = [record('7')];
  await leaveUnfinished(archive, stream);
  const archiver = await openArchiver(archive, { holds: holdsOf(stream) });
  await assert.rejects(archiver.end(), { code: 'REREAD_NEEDED' });
});
