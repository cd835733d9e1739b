/** How current an archive is follows from its newest commits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrivalsOf } from '../../../archive/arrivals.ts';
import { DEFAULT_KEY_TEMPLATE } from '../../../archive/commit-keys.ts';
import { archiveStatus, describeArchive } from '../../../cli/archive-status.ts';
import { openArchiver } from '../../support/archiver.ts';
import { ChunkSource } from '../../support/chunks.ts';
import { MemoryArchive } from '../../support/memory-archive.ts';

const HOUR_MS = 3_600_000;

async function archiveOf(...minutesAgo: number[]) {
  const now = Date.now();
  const archive = new MemoryArchive();
  const archiver = await openArchiver(archive);
  const source = new ChunkSource({ name: 'agent' });
  for (const [i, minutes] of minutesAgo.entries()) {
    const { bytes } = source.next('nginx.access', Math.floor(now / HOUR_MS), 3);
    await archiver.take([{ sequence: String(i + 1), arrival: now - minutes * 60_000, data: bytes }], false);
    await archiver.flush();
  }
  return { archive, now };
}

test('the newest record, and what arrived within the window', async () => {
  const { archive, now } = await archiveOf(180, 50, 20, 5);
  const [one, ...others] = await arrivalsOf(archive, '', now - HOUR_MS);
  assert.equal(others.length, 0);
  assert.equal(one!.newest, now - 5 * 60_000);
  assert.equal(one!.commits, 4);
  assert.equal(one!.events, 9, 'the first commit is older than the window');
  assert.ok(!one!.closed);
});

test('an empty archive has no shards; a silent one says how old its newest record is', async () => {
  assert.deepEqual(await arrivalsOf(new MemoryArchive(), '', 0), []);
  const { archive } = await archiveOf(180);
  const store = archive as unknown as Parameters<typeof archiveStatus>[0]['store'];
  const status = await archiveStatus({ store, prefix: '', keyTemplate: DEFAULT_KEY_TEMPLATE });
  assert.equal(status.missing, 0);
  const text = describeArchive(status);
  assert.match(
    text,
    /shardId-000000000000 {2}newest record 3\.0 h old, .* 0 events and 0 B in the last 60 min/,
  );
  assert.match(text, /no holes in the last hour/);
});

test('where an hour has more commits than are read, the time that they cover is reported', async () => {
  const { archive, now } = await archiveOf(...Array.from({ length: 100 }, (_, i) => 50 - i / 2));
  const [one] = await arrivalsOf(archive, '', now - HOUR_MS);
  assert.equal(one!.events, 64 * 3);
  assert.equal(one!.from, now - 60_000 * (50 - 36 / 2));
});
