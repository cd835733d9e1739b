/** Leases that begin behind the end of the log: the log is the truth, and what is between would be left out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamRecord } from '../../../../archive/writer/record.ts';
import { openArchiver } from '../../../support/archiver.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';

const record = (sequence: string): StreamRecord => ({
  sequence,
  arrival: Date.UTC(2026, 10, 24, 14),
  data: Buffer.from(`{"foreign":"${sequence}"}\n`),
});

/** Archives each of these records in a commit of its own. */
async function archived(...sequences: string[]): Promise<MemoryArchive> {
  const archive = new MemoryArchive();
  const archiver = await openArchiver(archive);
  for (const sequence of sequences) {
    await archiver.take([record(sequence)], false);
    await archiver.flush();
  }
  return archive;
}

for (const [what, sequences, checkpoint] of [
  ['another bucket or prefix, which has nothing', [], '7'],
  ['an archive of which the newest commits are gone', ['5', '7'], '9'],
] as const) {
  test(`a checkpoint behind the end of the log stops the shard: ${what}`, async () => {
    const archive = await archived(...sequences);
    await assert.rejects(openArchiver(archive, { checkpoint }), {
      code: 'BAD_CHECKPOINT',
      retriable: false,
      message: /TRIM_HORIZON/,
    });
  });
}

test('one at the end, before it, or none go on with the log', async () => {
  for (const checkpoint of ['7', '5', '1', undefined]) {
    const archive = await archived('5', '7');
    const archiver = await openArchiver(archive, checkpoint === undefined ? {} : { checkpoint });
    await archiver.take([record('7'), record('9')], true);
    await archiver.flush();
    assert.equal(archiver.safe, '9');
  }
});
