import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openArchiver } from '../../../support/archiver.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';

test('a batch is archived when it is old, whatever the wall clock is set to meanwhile', async () => {
  const HOUR = 3_600_000;
  const store = new MemoryArchive();
  let now = Date.UTC(2026, 10, 24, 14);
  let uptime = 0;
  const archiver = await openArchiver(store, { maxAge: 1000, now: () => now, uptime: () => uptime });
  const data = Buffer.from('{"foreign":"line"}\n');
  const take = (sequence: string) => archiver.take([{ sequence, arrival: now, data }], false);

  await take('1000');
  now += 2 * HOUR;
  await take('1001');
  assert.equal(archiver.safe, null);
  now -= 4 * HOUR;
  uptime += 1000;
  await take('1002');
  assert.equal(archiver.safe, '1002');
});
