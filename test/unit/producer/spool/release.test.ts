import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { readHeader } from '../../../../chunk/header.ts';
import { Counters } from '../../../../producer/counters.ts';
import { type EncodedChunk, Spool } from '../../../../producer/spool/spool.ts';
import { addLine, silent, startCore } from '../../../support/agent-core.ts';
import { chunkOf } from '../../../support/chunk-arbitraries.ts';
import { MemoryFiles } from '../../../support/memory-files.ts';
import { generator, noise } from '../../../support/random.ts';

const DIRECTORY = '/state/spool';

/** Removing takes a while, and what is gone cannot be removed, as with unlink(2). */
class SlowFiles extends MemoryFiles {
  override async remove(path: string): Promise<void> {
    await setImmediate();
    if (!this.files.has(path)) throw Object.assign(new Error(path), { code: 'ENOENT' });
    await super.remove(path);
  }
}

function open(files: MemoryFiles, segmentBytes: number, maxBytes = 1e9): Promise<Spool> {
  return Spool.open({ directory: DIRECTORY, segmentBytes, maxBytes, files }, silent, new Counters());
}

function encoded(ordinal: number): EncodedChunk {
  const bytes = chunkOf(`{"n":${ordinal}}\n`, { sequence: ordinal, ordinal });
  return { header: readHeader(bytes), bytes };
}

test('a segment that is acknowledged while a cut lets go of older ones is removed once', async () => {
  const files = new SlowFiles();
  const first = await open(files, 1);
  await first.append([], { input: { position: 1 } });
  const [[path, file]] = [...files.files] as [[string, { bytes: Buffer; synced: number }]];
  await first.append([encoded(1)], {});
  // The machine stopped before the removal of the first segment.
  files.files.set(path, file);

  const spool = await open(files, 1);
  const [chunk] = spool.takeRecovered();
  const appended = spool.append([encoded(2)], {});
  while (spool.status().segments > 2 || spool.pending < 2) await setImmediate();
  await Promise.all([appended, spool.acknowledge(chunk!)]);
  assert.equal(spool.status().segments, 1);
});

test('a damaged chunk that is read twice takes none of its neighbours with it', async () => {
  const files = new MemoryFiles();
  const spool = await open(files, 1);
  const [damaged, sound] = await spool.append([encoded(1), encoded(2)], {});
  await spool.append([encoded(3)], {});
  const [file] = files.files.values();
  file!.bytes[damaged!.offset + damaged!.header.bytes - 1]! ^= 1;
  assert.deepEqual(await Promise.all([spool.read(damaged!), spool.read(damaged!)]), [null, null]);
  assert.equal(await spool.read(damaged!), null);
  assert.equal(spool.quarantined, 1);
  assert.equal(spool.pending, 2);
  assert.ok(await spool.read(sound!));
});

test('what could not be put aside is put aside by the next read', async () => {
  const files = new MemoryFiles();
  const spool = await open(files, 1);
  const [damaged] = await spool.append([encoded(1)], {});
  const [file] = files.files.values();
  file!.bytes[damaged!.offset + damaged!.header.bytes - 1]! ^= 1;
  files.fail = (call) => (call === 'write' ? MemoryFiles.noRoom() : null);
  await assert.rejects(spool.read(damaged!), { code: 'ENOSPC' });
  assert.equal(spool.pending, 1);
  files.fail = () => null;
  assert.equal(await spool.read(damaged!), null);
  assert.equal(spool.quarantined, 1);
  assert.equal(spool.pending, 0);
});

test('a spool that its last full segment fills lets inputs go on once that is acknowledged', async () => {
  const { builders, sealer, spool, sent, held } = await startCore({ maxSpoolBytes: 64 * 1024 });
  const text = noise(generator(1), 300_000).toString('base64');
  for (let i = 0; i < 10; i++) addLine(builders.tag('a'), { text: text.slice(i * 30_000, (i + 1) * 30_000) });
  await sealer.cut();
  assert.deepEqual(held, [true]);
  for (const chunk of sent) await spool.acknowledge(chunk);
  await sealer.cut();
  assert.deepEqual(held, [true, false]);
});

test('a spool that is closed while its disk is full keeps what it has, and that is not a failure', async () => {
  const { builders, sealer, spool, files, failures } = await startCore();
  files.fail = (call) => (call === 'append' ? MemoryFiles.noRoom() : null);
  addLine(builders.tag('a'), { n: 1 });
  const cut = sealer.cut();
  while (spool.status().blocked === null) await setImmediate();
  await spool.close();
  await cut;
  assert.deepEqual(failures, []);
});
