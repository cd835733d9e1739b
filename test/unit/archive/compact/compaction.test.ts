/** What a compaction's entry says is believed only when it is, to the letter, what was written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { named, putCompaction, readCompactions } from '../../../../archive/compact/compaction.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';

const HOUR = 495_000;
const SOURCE = {
  key: 'tag=a/dt=2026-06-21/hour=00/x.gz',
  tag: 'a',
  hour: HOUR,
  codec: 'gzip',
  bytes: 100,
  sha256: 'ab'.repeat(32),
  events: 7,
  foreign: 0,
} as const;

async function written(): Promise<{ archive: MemoryArchive; key: string; text: string }> {
  const archive = new MemoryArchive();
  const tables = [{ key: '', tag: 'a', rows: 7, columns: [], sources: [SOURCE] }];
  await putCompaction(archive, '', named('', { hour: HOUR, number: 1, written: 1, tables }));
  const [[key, bytes]] = [...archive.objects] as [[string, Buffer]];
  return { archive, key, text: bytes.toString() };
}

test('an entry is read as it was written', async () => {
  const { archive } = await written();
  const [compaction] = await readCompactions(archive, '', HOUR);
  assert.deepEqual(compaction!.tables[0]!.sources, [SOURCE]);
});

const CHANGES: [what: string, from: string | RegExp, to: string, reason: RegExp][] = [
  ['a count', '"rows":7', '"rows":8', /does not match its hash/],
  ['a source', '"events":7', '"events":8', /does not match its hash/],
  ['another version', '"version":1', '"version":2', /of version 2: upgrade tailrace/],
  ['a type', '"rows":7', '"rows":"7"', /tables\.0\.rows: /],
  ['a key that is none', /"key":"parquet[^"]*"/, '"key":5', /tables\.0\.key: /],
  ['something more', '"rows":7', '"rows":7,"extra":1', /tables\.0: /],
  ['no tables', /"tables":\[.*\]/, '"tables":null', /tables: /],
  ['a table that is none', /"tables":\[.*\]/, '"tables":[null]', /tables\.0: /],
  ['no JSON', '{', '', /is not JSON/],
];
for (const [what, from, to, reason] of CHANGES)
  test(`an entry that was changed is refused with the reason: ${what}`, async () => {
    const { archive, key, text } = await written();
    const changed = text.replace(from, to);
    assert.notEqual(changed, text);
    archive.objects.set(key, Buffer.from(changed));
    await assert.rejects(readCompactions(archive, '', HOUR), { code: 'COMPACTION_CORRUPT', message: reason });
  });
