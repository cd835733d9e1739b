/** A search finds what a look at every line finds, in objects with and without an index. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findObjects } from '../../../../archive/find.ts';
import type { EventRange } from '../../../../archive/reading.ts';
import { eventFilter } from '../../../../cli/event-filter.ts';
import { compilePattern } from '../../../../cli/grep/pattern.ts';
import { addressHints, searchObject } from '../../../../cli/grep/search.ts';
import { openArchiver } from '../../../support/archiver.ts';
import { ChunkSource } from '../../../support/chunks.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';

const HOUR = 494_000;

test('patterns, addresses, conditions and times select lines', async () => {
  const store = new MemoryArchive();
  const archiver = await openArchiver(store);
  const source = new ChunkSource({ name: 'p' });
  const records = Array.from({ length: 20 }, (_, i) => ({
    sequence: `${i + 1}`,
    arrival: 1,
    data: source.next(
      'tag',
      HOUR,
      50,
      {},
      'spliceable',
      `${i === 9 ? '::ffff:a00:9' : `10.0.0.${i}`} ${'x'.repeat(2000 * (i % 3))}`,
    ).bytes,
  }));
  await archiver.take(records, false);
  await archiver.flush();
  const place = { store, prefix: '', keyTemplate: 'logs/tag={tag}/dt={dt}/hour={hour}/{name}' };
  const [entry] = await findObjects(place, { hours: [0, 1e9] }, null, undefined);
  const bytes = {
    get: (key: string) => store.get(key),
    range: async (key: string, first: number, last: number) =>
      store.objects.get(key)!.subarray(first, last + 1),
  };
  const find = async (
    text: string | null,
    ip: readonly string[] = [],
    range: EventRange | null = null,
    context = 0,
  ): Promise<string[]> => {
    const { blocks, faults } = await searchObject(entry!, {
      store: bytes,
      pattern: text === null ? null : compilePattern(text, { fixed: false, ignoreCase: false }),
      filter: eventFilter({ ip }),
      hints: addressHints(ip),
      range,
      timeKeys: ['time'],
      context,
    });
    assert.deepEqual(faults, []);
    return blocks.flatMap(({ lines }) => lines.map((line) => (JSON.parse(line.text) as { id: string }).id));
  };
  assert.deepEqual(await find('"p/1/7/4"'), ['p/1/7/4']);
  assert.equal((await find('"id":"p/1/\\d+/3"')).length, 20);
  assert.equal((await find(null, ['10.0.0.5'])).length, 50);
  assert.equal((await find('"id":"p/1/\\d+/[12]"', ['10.0.0.5', '10.0.0.0/31'])).length, 6);
  // An IPv4 address written as an IPv6 one is the same address.
  assert.equal((await find(null, ['10.0.0.9'])).length, 50);
  assert.deepEqual(await find('"p/1/7/0"', [], null, 1), ['p/1/6/49', 'p/1/7/0', 'p/1/7/1']);
  const start = HOUR * 3_600_000;
  assert.deepEqual(await find('"p/1/7/0"', [], { from: 0, to: start - 1 }), []);
  assert.deepEqual(await find('"p/1/7/0"', [], { from: start, to: start + 1 }), ['p/1/7/0']);
});

test('an IPv4 address is found in every form, though only texts with a hint of it are looked at', () => {
  const ip = ['10.0.0.9'];
  const takes = eventFilter({ ip })!;
  for (const form of [
    '10.0.0.9',
    '10.0.0.9:443',
    '::ffff:10.0.0.9',
    '::ffff:a00:9',
    '0:0:0:0:0:FFFF:a00:9',
    '0000:0000:0000:0000:0000:ffff:0a00:0009',
  ]) {
    const line = JSON.stringify({ remote: form });
    assert.ok(takes(line, JSON.parse(line)), form);
    assert.ok(
      addressHints(ip)!.some((hint) => line.includes(hint)),
      form,
    );
  }
});
