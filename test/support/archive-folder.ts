/** A small archive in a folder, as the commands read one. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openArchiver } from './archiver.ts';
import { ChunkSource } from './chunks.ts';
import { MemoryArchive } from './memory-archive.ts';

/** Writes an archive with three events of this hour, which arrived now; their agent has sent nothing else. */
export async function fillFolder(folder: string, prefix: string, hour: number): Promise<MemoryArchive> {
  const archive = new MemoryArchive();
  const archiver = await openArchiver(archive, { prefix });
  const { bytes } = new ChunkSource({ name: 'agent' }).next('nginx.access', hour, 3);
  await archiver.take([{ sequence: '1', arrival: Date.now(), data: bytes }], false);
  await archiver.flush();
  for (const [key, body] of archive.objects) {
    mkdirSync(join(folder, dirname(key)), { recursive: true });
    writeFileSync(join(folder, key), body);
  }
  return archive;
}
