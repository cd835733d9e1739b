import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { readHeader } from '../../../../chunk/header.ts';
import { Counters } from '../../../../producer/counters.ts';
import {
  type EncodedChunk,
  Spool,
  type SpooledChunk,
  type SpoolOptions,
  SpoolSyncError,
} from '../../../../producer/spool/spool.ts';
import { chunkOf } from '../../../support/chunk-arbitraries.ts';
import { MemoryFiles } from '../../../support/memory-files.ts';

const DIRECTORY = '/state/spool';
const log = pino({ level: 'silent' });

async function open(files: MemoryFiles, options: Partial<SpoolOptions> = {}) {
  const counters = new Counters();
  const spool = await Spool.open(
    {
      directory: DIRECTORY,
      segmentBytes: options.segmentBytes ?? 2000,
      maxBytes: options.maxBytes ?? 1e9,
      maxChunks: options.maxChunks ?? 1e9,
      files,
      retryMs: 1,
    },
    log,
    counters,
  );
  return { spool, counters };
}

function encoded(ordinal: number): EncodedChunk {
  const bytes = chunkOf(`{"n":${ordinal}}\n`, { sequence: ordinal, ordinal });
  return { header: readHeader(bytes), bytes };
}

const ordinals = (chunks: readonly SpooledChunk[]): number[] => chunks.map((chunk) => chunk.header.ordinal);

/** What an input would do: cut number k leaves the position k, and each cut has some chunks. */
class Writer {
  readonly files: MemoryFiles;
  spool!: Spool;
  counters!: Counters;
  /** The cut that a chunk is of. */
  readonly cutOf = new Map<number, number>();
  readonly acknowledged = new Set<number>();
  open: SpooledChunk[] = [];
  position = 0;
  #ordinal = 0;

  constructor(files = new MemoryFiles()) {
    this.files = files;
  }

  async start(): Promise<void> {
    ({ spool: this.spool, counters: this.counters } = await open(this.files));
    this.open = this.spool.takeRecovered();
    this.position = Number(this.spool.section('input').get('position') ?? 0);
  }

  async cut(chunks: number): Promise<void> {
    const position = this.position + 1;
    const batch = Array.from({ length: chunks }, () => {
      this.cutOf.set(++this.#ordinal, position);
      return encoded(this.#ordinal);
    });
    const spooled = await this.spool.append(batch, {
      input: { position, [`key ${position % 3}`]: position },
    });
    this.position = position;
    this.open.push(...spooled);
  }

  async acknowledge(part: number): Promise<void> {
    const chosen = this.open.splice(0, Math.ceil(this.open.length * part));
    for (const chunk of chosen) {
      await this.spool.acknowledge(chunk);
      this.acknowledged.add(chunk.header.ordinal);
    }
  }
}

/** @param where 0 to 1, over all files */
function flipBit({ files }: MemoryFiles, where: number): void {
  const all = [...files.values()];
  let bit = Math.floor(all.reduce((bits, file) => bits + file.bytes.length * 8, 0) * where);
  for (const { bytes } of all) {
    if (bit < bytes.length * 8) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      return;
    }
    bit -= bytes.length * 8;
  }
}

type Step = { cut: number } | { acknowledge: number } | { crash: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ cut: fc.nat(4) }) },
    { weight: 3, arbitrary: fc.record({ acknowledge: fc.constantFrom(0.3, 0.5, 1) }) },
    { weight: 2, arbitrary: fc.record({ crash: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  ),
  { maxLength: 30 },
);

/** The keys that the state has after `position` cuts. */
function stateAfter(position: number): Record<string, number> {
  const state: Record<string, number> = {};
  for (let cut = 1; cut <= position; cut++) {
    state['position'] = cut;
    state[`key ${cut % 3}`] = cut;
  }
  return state;
}

test('whatever is cut, acknowledged and crashed in whatever order, chunks and progress agree', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const writer = new Writer();
      await writer.start();
      for (const step of list) {
        if ('cut' in step) await writer.cut(step.cut);
        else if ('acknowledge' in step) await writer.acknowledge(step.acknowledge);
        else {
          const durable = writer.position;
          // A cut is under way when the machine stops: any part of its bytes may be there.
          const half = writer.spool
            .append([encoded(999_999)], { input: { position: durable + 1 } })
            .catch(() => {});
          writer.files.fail = (call) => (call === 'append' ? null : new Error('the machine stopped'));
          await half;
          writer.files.fail = () => null;
          writer.files.crash(step.crash);
          await writer.start();
          assert.ok(writer.position === durable || writer.position === durable + 1, 'a durable cut stays');
          const held = ordinals(writer.open);
          assert.equal(
            held.includes(999_999),
            writer.position === durable + 1,
            'a cut is there whole or not at all',
          );
          assert.equal(new Set(held).size, held.length);
          for (const [ordinal, cut] of writer.cutOf) {
            if (cut <= durable && !writer.acknowledged.has(ordinal))
              assert.ok(held.includes(ordinal), `chunk ${ordinal}`);
          }
          if (writer.position === durable) {
            assert.deepEqual(Object.fromEntries(writer.spool.section('input')), stateAfter(durable));
          } else {
            return;
          }
          assert.equal(writer.spool.quarantined, 0, 'a torn end is not damage');
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('a state longer than a segment is not written with every cut', async () => {
  const files = new MemoryFiles();
  let written = 0;
  files.fail = (call) => {
    if (call === 'create') written++;
    return null;
  };
  const { spool } = await open(files, { segmentBytes: 2000 });
  const logs = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`log ${i}`, 'x'.repeat(100)]));
  await spool.append([], { input: logs });
  for (let ordinal = 1; ordinal <= 1000; ordinal++) {
    const [chunk] = await spool.append([encoded(ordinal)], { input: { position: ordinal } });
    await spool.acknowledge(chunk!);
  }
  assert.ok(written <= 12, `${written} segments, each of which begins with the state`);
  assert.ok(written >= 2, 'what is acknowledged goes with its segment');
  const { spool: next } = await open(files);
  assert.equal(next.section('input').get('position'), 1000);
  assert.equal(next.section('input').size, 201);
});

test('any flipped bit in durable data loses no progress, and no chunk without counting it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(3), { minLength: 1, maxLength: 8 }),
      fc.double({ min: 0, max: 0.9999, noNaN: true }),
      async (cuts, where) => {
        const writer = new Writer();
        await writer.start();
        for (const chunks of cuts) await writer.cut(chunks);
        const all = ordinals(writer.open);
        writer.files.crash(1);
        flipBit(writer.files, where);
        await writer.start();
        // The last `durable` mark says that the cut before it cannot be torn. When the mark itself is hit, the cut is whole.
        assert.deepEqual(Object.fromEntries(writer.spool.section('input')), stateAfter(cuts.length));
        const held = new Set(ordinals(writer.open));
        const lost = all.filter((ordinal) => !held.has(ordinal));
        assert.equal(writer.counters.total('tailrace_agent_spool_lost_chunks_total'), lost.length);
        if (lost.length > 0) assert.ok(writer.spool.quarantined > 0);
        for (const chunk of writer.open) assert.ok(await writer.spool.read(chunk));
      },
    ),
    { numRuns: 1000 },
  );
});

test('flipped bits between kills, cuts and acknowledgements: progress stays, chunks go only when counted', async () => {
  const work = fc.array(
    fc.oneof(
      fc.record({ cut: fc.nat(4) }),
      fc.record({ acknowledge: fc.constantFrom(0.3, 1) }),
      fc.record({ flip: fc.double({ min: 0, max: 0.9999, noNaN: true }) }),
    ),
    { minLength: 1, maxLength: 25 },
  );
  await fc.assert(
    fc.asyncProperty(work, async (steps) => {
      const writer = new Writer();
      await writer.start();
      let lost = new Set<number>();
      let fresh = false;
      for (const step of steps) {
        if ('cut' in step) {
          await writer.cut(step.cut);
          fresh = true;
        } else if ('acknowledge' in step) {
          // A chunk that the flip before hit is put aside when it is read, as the sender does.
          for (const chunk of writer.open) await writer.spool.read(chunk);
          await writer.acknowledge(step.acknowledge);
        } else if (fresh) {
          // State stands twice in a cut: two bits of the same one may take it away.
          fresh = false;
          const before = ordinals(writer.open);
          const durable = writer.position;
          writer.files.crash(1);
          flipBit(writer.files, step.flip);
          await writer.start();
          const held = new Set(ordinals(writer.open));
          const gone = before.filter((ordinal) => !held.has(ordinal));
          assert.equal(writer.position, durable);
          assert.deepEqual(Object.fromEntries(writer.spool.section('input')), stateAfter(durable));
          for (const ordinal of gone) if (!writer.acknowledged.has(ordinal)) lost.add(ordinal);
          if (gone.length > 0) assert.ok(writer.counters.total('tailrace_agent_spool_lost_chunks_total') > 0);
          if (lost.size > 0) assert.ok(writer.spool.quarantined > 0);
        }
      }
      lost = new Set([...lost, ...writer.acknowledged]);
      await writer.start();
      const held = new Set(ordinals(writer.open));
      for (const ordinal of writer.cutOf.keys()) assert.ok(held.has(ordinal) || lost.has(ordinal));
    }),
    { numRuns: 300 },
  );
});

test('after a kill only what was acknowledged since the last cut is sent once more', async () => {
  const writer = new Writer();
  await writer.start();
  await writer.cut(4);
  await writer.acknowledge(0.5);
  await writer.cut(1);
  await writer.acknowledge(0.3);
  writer.files.crash(1);
  await writer.start();
  assert.deepEqual(ordinals(writer.open), [3, 4, 5], '1 and 2 are written down, 3 is not yet');
  assert.equal(writer.spool.pending, 3);
  await writer.acknowledge(1);
  await writer.spool.append([], {}, true);
  assert.equal(writer.files.files.size, 1, 'their segment goes with the last of them');
});

test('acknowledgements that a failed cut was to write down are in the next one', async () => {
  const writer = new Writer();
  await writer.start();
  await writer.cut(3);
  await writer.acknowledge(0.3);
  let failures = 1;
  writer.files.fail = (call) =>
    call === 'sync' && failures-- > 0 ? Object.assign(new Error('full'), { code: 'ENOSPC' }) : null;
  await writer.cut(1);
  writer.files.crash(1);
  await writer.start();
  assert.deepEqual(ordinals(writer.open), [2, 3, 4]);
});

test('a segment goes when all of it is acknowledged and a later one has the state', async () => {
  const writer = new Writer();
  await writer.start();
  await writer.cut(3);
  await writer.acknowledge(1);
  assert.equal(writer.spool.pending, 0);
  assert.equal(writer.files.files.size, 1, 'the only state there is stays');
  assert.ok(writer.spool.reclaimable);
  await writer.spool.append([], {}, true);
  assert.equal(writer.files.files.size, 1, 'a cut of state alone frees the old segment');
  assert.ok(!writer.spool.reclaimable);
  await writer.start();
  assert.equal(writer.position, 1);
  assert.deepEqual(writer.open, []);
});

const SHORTAGES = [
  ...(['create', 'append', 'sync'] as const).map((call) => [call, 'ENOSPC', /no room in .*ENOSPC/] as const),
  ['create', 'EMFILE', /no more files can be opened in .*EMFILE/],
] as const;

test('a full disk at any call holds the cut up until there is room, and neither loses nor repeats', {
  timeout: 30_000,
}, async () => {
  for (const [call, code, reason] of SHORTAGES) {
    const writer = new Writer();
    await writer.start();
    if (call !== 'create') await writer.cut(2);
    const blocked: (string | null)[] = [];
    let failures = 0;
    writer.spool.onBlocked = (reason) => blocked.push(reason);
    writer.files.fail = (made) =>
      made === call && failures++ < 1 ? Object.assign(new Error(code), { code }) : null;
    await writer.cut(2);
    assert.equal(failures >= 1, true, call);
    assert.match(blocked[0] ?? '', reason);
    assert.equal(blocked.at(-1), null);
    const before = ordinals(writer.open);
    writer.files.fail = () => null;
    await writer.cut(1);
    writer.files.crash(0);
    await writer.start();
    assert.deepEqual(ordinals(writer.open), [...before, before.length + 1], call);
    assert.equal(writer.spool.quarantined, 0);
  }
});

test('a disk that the spool itself has filled gets room once the stream has taken what is there', async () => {
  const writer = new Writer();
  await writer.start();
  await writer.cut(4);
  const size = (): number =>
    [...writer.files.files.values()].reduce((sum, file) => sum + file.bytes.length, 0);
  // Room for the state alone next to the segment, but not for another cut with chunks.
  const capacity = size() + 1300;
  writer.files.fail = (call) => (call === 'sync' && size() > capacity ? MemoryFiles.noRoom() : null);
  const cut = writer.cut(8);
  await writer.acknowledge(1);
  await cut;
  assert.equal(writer.open.length, 8);
  assert.equal(writer.spool.status().blocked, null);
  const expected = ordinals(writer.open);
  writer.files.fail = () => null;
  writer.files.crash(0);
  await writer.start();
  assert.deepEqual(ordinals(writer.open), expected);
  assert.equal(writer.position, 2);
});

test('no call that fails for lack of room, wherever it comes, makes a cut twice', async () => {
  for (const call of ['create', 'append', 'sync'] as const) {
    for (let at = 1; at <= 12; at++) {
      const writer = new Writer();
      await writer.start();
      let calls = 0;
      let failed = false;
      writer.files.fail = (made) => {
        if (made !== call || ++calls !== at) return null;
        failed = true;
        return MemoryFiles.noRoom();
      };
      for (let cut = 0; cut < 4; cut++) {
        await writer.cut(6);
        await writer.acknowledge(0.5);
      }
      const expected = ordinals(writer.open);
      writer.files.fail = () => null;
      writer.files.crash(0);
      await writer.start();
      const held = ordinals(writer.open);
      assert.equal(new Set(held).size, held.length, `${call} ${at}`);
      for (const ordinal of expected) assert.ok(held.includes(ordinal), `${call} ${at}: chunk ${ordinal}`);
      assert.equal(writer.position, 4);
      assert.equal(writer.spool.quarantined, 0, `${call} ${at}`);
      if (!failed) break;
    }
  }
});

test('a disk that fails to sync ends the spool', async () => {
  const writer = new Writer();
  await writer.start();
  writer.files.fail = (call) =>
    call === 'sync' ? Object.assign(new Error('i/o error'), { code: 'EIO' }) : null;
  await assert.rejects(writer.cut(1), SpoolSyncError);
});

test('what a start takes up after a kill before the fdatasync is durable before anything follows from it', async () => {
  const files = new MemoryFiles();
  const first = await open(files);
  await first.spool.append([encoded(1)], { input: { position: 1 } });
  // Neither the sync nor what comes after it happens.
  files.fail = (call) => (call === 'append' ? null : new Error('killed'));
  await assert.rejects(first.spool.append([encoded(2)], { input: { position: 2 } }));
  files.fail = () => null;
  const restarted = await open(files);
  assert.deepEqual(ordinals(restarted.spool.takeRecovered()), [1, 2]);
  // The power fails.
  files.crash(0);
  const { spool } = await open(files);
  assert.deepEqual(ordinals(spool.takeRecovered()), [1, 2]);
  assert.equal(spool.section('input').get('position'), 2);
});

test('a chunk that rots in the spool is put aside when it is read', async () => {
  const writer = new Writer();
  await writer.start();
  await writer.cut(2);
  const [first, second] = writer.open;
  const file = [...writer.files.files.values()][0]!;
  file.bytes[first!.offset + 60]! ^= 1;
  assert.equal(await writer.spool.read(first!), null);
  assert.ok(await writer.spool.read(second!));
  assert.equal(writer.spool.quarantined, 1);
  assert.equal(writer.spool.pending, 1);
});

test('the spool says when it is full', async () => {
  const files = new MemoryFiles();
  const { spool } = await open(files, { maxBytes: 600 });
  assert.equal(spool.full, false);
  await spool.append([encoded(1), encoded(2), encoded(3)], { input: { position: 1 } });
  assert.equal(spool.full, true);
});

test('many small chunks fill it too: each that waits is held in memory', async () => {
  const { spool } = await open(new MemoryFiles(), { maxChunks: 3 });
  const spooled = await spool.append([encoded(1), encoded(2), encoded(3)], {});
  assert.equal(spool.full, true);
  await spool.acknowledge(spooled[0]!);
  assert.equal(spool.full, false);
});
