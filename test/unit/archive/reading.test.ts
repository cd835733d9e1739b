/** What is found by keys, and what is read of an object: all of a range of time, around what is damaged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Catalog, type CatalogEntry } from '../../../archive/catalog.ts';
import { type ListedObject, Listing } from '../../../archive/listing.ts';
import { type EventRange, readObject } from '../../../archive/reading.ts';
import { fence } from '../../../archive/voiding.ts';
import type { StreamRecord } from '../../../archive/writer/record.ts';
import { openArchiver } from '../../support/archiver.ts';
import { ChunkSource } from '../../support/chunks.ts';
import { MemoryArchive } from '../../support/memory-archive.ts';
import { generator } from '../../support/random.ts';

const HOUR = 494_000;
const HOUR_MS = 3_600_000;
const TEMPLATE = 'logs/tag={tag}/dt={dt}/hour={hour}/{name}';
const TAGS = ['nginx.access', 'app/log', '', 'x'.repeat(300)];

/** Thirty commits over three days, of every form. */
async function archiveOf(keyTemplate = TEMPLATE): Promise<MemoryArchive> {
  const archive = new MemoryArchive();
  const archiver = await openArchiver(archive, { prefix: 'p/', maxBytes: 1, keyTemplate });
  const sources = [new ChunkSource({ name: 'gz' }), new ChunkSource({ name: 'zs', codec: 'zstd' })];
  const random = generator(11);
  for (let i = 0; i < 30; i++) {
    const records = TAGS.map((tag, k): StreamRecord => {
      const hour = HOUR + Math.floor(random() * 72);
      const kind = i % 5 === 0 ? 'old' : 'spliceable';
      const { bytes } = sources[i % 2]!.next(tag, hour, 3, {}, i % 2 === 0 ? kind : 'spliceable');
      return { sequence: `${1000 + i * 10 + k}`, arrival: (HOUR + i) * HOUR_MS, data: bytes };
    });
    records.push({
      sequence: `${1009 + i * 10}`,
      arrival: (HOUR + i) * HOUR_MS,
      data: Buffer.from('{"f":1}'),
    });
    await archiver.take(records, false);
  }
  await archiver.flush();
  return archive;
}

test('what is found by keys is what the commits name', async () => {
  for (const template of [
    TEMPLATE,
    'a/{dt}/x-{hour}/t_{tag}/{shard}/{name}',
    'logs/tag={tag}/{dt}T{hour}/{name}',
    'logs/_tag={tag}/_dt={dt}/_hour={hour}/{name}',
  ]) {
    const archive = await archiveOf(template);
    const listing = new Listing(archive, 'p/', template);
    assert.equal(await listing.fits(), true);
    const ranges = [
      [0, 1e9],
      [HOUR + 3, HOUR + 3],
      [HOUR + 5, HOUR + 30],
      [HOUR + 10, HOUR + 71],
    ] as const;
    for (const hours of ranges) {
      for (const tag of [undefined, (name: string) => name === 'app/log', (name: string) => name !== '']) {
        const named = await new Catalog(archive, 'p/').next({ hours, ...(tag ? { tag } : {}) });
        const found: ListedObject[] = [];
        await listing.each({ hours, tag }, (object) => found.push(object));
        // Only its commit tells a tag that is too long for a key from others.
        const keys = found
          .filter((object) => object.tag !== null || tag === undefined || tag('x'))
          .map(({ key }) => key);
        assert.deepEqual(keys.sort(), named.map(({ object }) => object.key).sort());
        for (const object of found) {
          const same = named.find((entry) => entry.object.key === object.key)?.object;
          if (!same) continue;
          assert.deepEqual(object.counts, { events: same.events, rawBytes: same.raw_bytes });
          assert.equal(object.hour, same.hour);
          if (object.tag !== null) assert.equal(object.tag, same.tag);
        }
      }
    }
  }
});

test('an archive of other keys is noticed, and an object that was voided is not found', async () => {
  const archive = await archiveOf('other/{tag}/{dt}/{hour}/{name}');
  assert.equal(await new Listing(archive, 'p/', TEMPLATE).fits(), false);
  assert.equal(
    await new Listing(archive, 'p/', 'logs/{shard}/{name}').fits(),
    false,
    'it does not say the hour',
  );
  const own = await archiveOf();
  const listing = new Listing(own, 'p/', TEMPLATE);
  const all = async (): Promise<number> => {
    let count = 0;
    await listing.each({ hours: [0, 1e9] }, () => {
      count += 1;
    });
    return count;
  };
  const before = await all();
  const [{ object }] = (await new Catalog(own, 'p/').next({})) as [CatalogEntry];
  own.objects.delete(object.key);
  await fence(own, object);
  assert.equal(await all(), before - 1);
});

interface Read {
  readonly ids: string[];
  readonly faults: string[];
  readonly fetched: number;
}

async function read(archive: MemoryArchive, entry: CatalogEntry, range: EventRange | null): Promise<Read> {
  const result = { ids: [] as string[], faults: [] as string[], fetched: 0 };
  const store = {
    get: async (key: string) => archive.objects.get(key) ?? null,
    range: async (key: string, first: number, last: number) => {
      result.fetched += last + 1 - first;
      return archive.objects.get(key)?.subarray(first, last + 1) ?? null;
    },
  };
  for await (const block of readObject(store, entry.object, range)) {
    if ('fault' in block) {
      result.faults.push(block.fault);
      continue;
    }
    const pieces: Buffer[] = [];
    for await (const piece of block.lines) pieces.push(piece);
    for (const line of Buffer.concat(pieces).toString().split('\n').slice(0, -1))
      result.ids.push((JSON.parse(line) as { id: string }).id);
  }
  return result;
}

/** One large object of one form, a chunk for each second. */
async function largeObject(kind: 'spliceable' | 'old' | 'zstd'): Promise<[MemoryArchive, CatalogEntry]> {
  const archive = new MemoryArchive();
  const archiver = await openArchiver(archive);
  const source = new ChunkSource({ name: 'l', codec: kind === 'zstd' ? 'zstd' : 'gzip' });
  const random = generator(5);
  const noise = (): string => Array.from({ length: 2000 }, () => random().toString(36).slice(2)).join('');
  const records = Array.from({ length: 60 }, (_, i): StreamRecord => {
    const firstTime = HOUR * HOUR_MS + i * 1000;
    const changes = { firstTime, lastTime: firstTime + 999 };
    const { bytes } = source.next('t', HOUR, 2, changes, kind === 'old' ? 'old' : 'spliceable', noise());
    return { sequence: `${1000 + i}`, arrival: firstTime, data: bytes };
  });
  await archiver.take(records, false);
  await archiver.flush();
  const [entry] = await new Catalog(archive, '').next({});
  return [archive, entry!];
}

const second = (i: number): number => HOUR * HOUR_MS + i * 1000;
const idsOf = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => [0, 1].map((n) => `l/1/${first + i + 1}/${n}`)).flat();

test('of a large object only the parts are fetched that a range needs', async () => {
  const [archive, entry] = await largeObject('spliceable');
  assert.ok(entry.object.bytes > 600_000);
  const all = await read(archive, entry, null);
  assert.deepEqual([all.ids, all.faults], [idsOf(0, 59), []]);
  const some = await read(archive, entry, { from: second(30), to: second(31) });
  assert.ok(some.fetched < 200_000, String(some.fetched));
  assert.ok(some.ids.length < 40);
  for (const id of idsOf(30, 30)) assert.ok(some.ids.includes(id));
  const none = await read(archive, entry, { from: 0, to: second(0) - 1 });
  assert.deepEqual([none.ids, none.fetched], [[], 0]);
});

test('what is damaged is named, and everything else is read', async () => {
  for (const kind of ['spliceable', 'old', 'zstd'] as const) {
    const [archive, entry] = await largeObject(kind);
    const whole = await read(archive, entry, null);
    assert.deepEqual([whole.ids, whole.faults], [idsOf(0, 59), []], kind);
    if (kind === 'zstd') continue;
    archive.objects.get(entry.object.key)![Math.floor(entry.object.bytes / 2)]! ^= 0x55;
    const rest = await read(archive, entry, null);
    assert.equal(rest.faults.length, 1, kind);
    assert.match(
      rest.faults[0]!,
      kind === 'old' ? /^chunk 31 of lane / : /^\d+ events at bytes \d+ to \d+: /,
    );
    assert.ok(rest.ids.length > 90 && rest.ids.length < 120, `${kind}: ${rest.ids.length}`);
    assert.ok(rest.ids.every((id) => idsOf(0, 59).includes(id)));
  }
});
