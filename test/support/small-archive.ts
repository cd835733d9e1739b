/** A small archive in memory, written by the archiver from chunks. */
import type { ArchiveStore } from '../../archive/store.ts';
import type { LogContext } from '../../archive/writer/context.ts';
import { ENCODER, ENCODERS } from '../../archive/writer/encoders.ts';
import type { StreamRecord } from '../../archive/writer/record.ts';
import { ShardArchiver } from '../../archive/writer/shard-archiver.ts';
import type { MadeChunk } from './chunks.ts';
import { MemoryArchive } from './memory-archive.ts';

export const HOUR = 494_000;
export const NOW = HOUR * 3_600_000;

function logContext(shard: string, encoder: number): LogContext {
  return {
    stream: 'weblogs',
    incarnation: '0'.repeat(18),
    shard,
    range: ['0'.repeat(32), 'f'.repeat(32)],
    parents: [],
    prefix: '',
    keyTemplate: 'logs/tag={tag}/{name}',
    forget: { horizon: 1e12, grace: 1e12 },
    snapshotEvery: 64,
    encoder,
    encoders: ENCODERS,
  };
}

/** An archive of these chunks, a commit for each list. */
export async function archiveOf(
  batches: readonly (readonly MadeChunk[])[],
  archive = new MemoryArchive(),
  shard = 'shard-0',
  now = (_batch: number) => NOW,
  encoder = ENCODER,
): Promise<MemoryArchive> {
  await archiveInto(archive, batches, shard, now, encoder);
  return archive;
}

export async function archiveInto(
  archive: ArchiveStore,
  batches: readonly (readonly MadeChunk[])[],
  shard: string,
  now: (batch: number) => number,
  encoder = ENCODER,
): Promise<void> {
  let done = 0;
  const archiver = new ShardArchiver(
    logContext(shard, encoder),
    archive,
    { family: '0'.repeat(10), shards: async () => [], holds: async () => false },
    {
      limits: { maxBytes: 1e9, maxAge: 1e9 },
      now: () => now(done),
      uptime: () => now(done),
      wait: async () => {},
      events: { received() {}, passedOver() {}, committed() {}, followed() {}, completed() {}, voided() {} },
    },
  );
  await archiver.initialize(null);
  let sequence = 1000;
  for (const batch of batches) {
    const records: StreamRecord[] = batch.map(({ bytes }) => ({
      sequence: `${sequence++}`,
      arrival: now(done),
      data: bytes,
    }));
    await archiver.take(records, false);
    await archiver.flush();
    done += 1;
  }
}
