import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inflateChunk } from '../../../chunk/reader.ts';
import type { SpooledChunk } from '../../../producer/spool/spool.ts';
import { addLine, type Core, startCore } from '../../support/agent-core.ts';
import { generator, noise } from '../../support/random.ts';

const random = generator(1);

const HOUR = 3_600_000;

async function eventsOf(core: Core, chunk: SpooledChunk): Promise<Record<string, unknown>[]> {
  const raw = inflateChunk((await core.spool.read(chunk))!, chunk.header);
  return raw
    .toString()
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

test('a cut is a barrier: lines that alternate between hours and tags are in it with the progress, or not at all', async () => {
  const core = await startCore();
  const now = Date.now();
  const tags = [core.builders.tag('a'), core.builders.tag('b')];
  let position = 0;
  core.beforeCut = () => core.state.set('position', position);
  for (let n = 1; n <= 40; n++) {
    addLine(tags[n % 2]!, { n }, now - (n % 3) * HOUR);
    position = n;
    if (n % 10 === 0) {
      const cut = core.sealer.cut();
      // What comes while the cut is on its way to the disk belongs to the next one, as does its progress.
      addLine(tags[0]!, { n: 1000 + n }, now);
      position = 1000 + n;
      await cut;
      assert.equal(core.spool.section('input').get('position'), n);
    }
  }
  const numbers = (await Promise.all(core.sent.map((chunk) => eventsOf(core, chunk))))
    .flat()
    .map((event) => event['n']);
  const expected = [...Array.from({ length: 40 }, (_, i) => i + 1), 1010, 1020, 1030];
  assert.deepEqual(
    numbers.toSorted((a, b) => Number(a) - Number(b)),
    expected,
  );
  for (const { header } of core.sent) {
    assert.equal(header.hour, Math.floor(header.firstTime / HOUR));
    assert.equal(header.hour, Math.floor(header.lastTime / HOUR));
  }
  await core.sealer.stop();
});

test('chunks of an epoch are numbered without a hole, in their lane and over all', async () => {
  const core = await startCore();
  for (let n = 0; n < 5; n++) {
    addLine(core.builders.tag(`tag ${n % 2}`), { n });
    addLine(core.builders.tag('other'), { n });
    await core.sealer.cut();
  }
  const ordinals = core.sent.map(({ header }) => header.ordinal);
  assert.deepEqual(
    ordinals,
    Array.from({ length: 10 }, (_, i) => i + 1),
  );
  assert.deepEqual(
    core.sent.map(({ header }) => header.sequence),
    ordinals,
  );
  assert.equal(new Set(core.sent.map(({ header }) => header.lane)).size, 1);
});

test('lines that do not compress under the limit are split, and none is lost', async () => {
  const core = await startCore({ maxBytes: 20_000 });
  const tag = core.builders.tag('noise');
  for (let n = 0; n < 100; n++) addLine(tag, { n, noise: noise(random, 600).toString('base64') });
  await core.sealer.cut();
  assert.ok(core.sent.length > 3);
  for (const { header } of core.sent) assert.ok(header.bytes <= 20_000);
  const events = (await Promise.all(core.sent.map((chunk) => eventsOf(core, chunk)))).flat();
  assert.deepEqual(
    events.map((event) => event['n']),
    Array.from({ length: 100 }, (_, i) => i),
  );
  assert.equal(
    core.sent.reduce((sum, { header }) => sum + header.events, 0),
    100,
  );
});

test('one line alone goes whole, even when it does not compress', async () => {
  const core = await startCore({ maxBytes: 20_000 });
  addLine(core.builders.tag('noise'), { noise: noise(random, 30_000).toString('base64') });
  await core.sealer.cut();
  assert.equal(core.sent.length, 1);
});

test('a waiting input is notified after the sync and not before; an urgent wait brings the cut forward', async () => {
  const core = await startCore({ ackInterval: 1, interval: 3_600_000 });
  let synced = false;
  core.files.fail = (call) => {
    if (call === 'sync') synced = true;
    return null;
  };
  core.sealer.start();
  addLine(core.builders.of('input').tag('a'), { n: 1 });
  await new Promise<void>((resolve) => {
    core.sealer.afterDurable(
      'input',
      () => {
        assert.ok(synced);
        resolve();
      },
      true,
    );
  });
  assert.equal(core.sent.length, 1);
  await core.sealer.stop();
});

/** Resolves after the cut that brings what was asked for. */
function durable(core: Core, input: string, urgent = true): Promise<void> {
  return new Promise((resolve) => core.sealer.afterDurable(input, resolve, urgent));
}

test('acks are committed in groups: what comes while a cut is under way shares the next one', async () => {
  const core = await startCore({ interval: 3_600_000 });
  const tag = core.builders.of('input').tag('a');
  let syncs = 0;
  core.files.fail = (call) => {
    if (call === 'sync') syncs++;
    return null;
  };
  addLine(tag, { n: 0 });
  const first = durable(core, 'input');
  // One turn of the event loop later the first cut is on its way to the disk.
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const others = Array.from({ length: 50 }, (_, n) => {
    addLine(tag, { n: n + 1 });
    return durable(core, 'input');
  });
  await Promise.all([first, ...others]);
  assert.equal(
    core.sent.reduce((sum, { header }) => sum + header.events, 0),
    51,
  );
  assert.ok(core.sent.length <= 3 && syncs <= 3, `${core.sent.length} chunks, ${syncs} syncs`);
  await core.sealer.stop();
});

test('a cut for an ack takes the inputs that share tags with that client, and leaves the others whole', async () => {
  const core = await startCore({ interval: 3_600_000 });
  const positions = new Map<string, number>();
  const sections = new Map(['tail', 'forward', 'other'].map((name) => [name, core.addSection(name)]));
  const asked: (readonly string[] | null)[] = [];
  core.beforeCut = (inputs) => {
    asked.push(inputs === null ? null : [...inputs].toSorted());
    for (const [name, section] of sections)
      if (inputs?.has(name) ?? true) section.set('position', positions.get(name) ?? 0);
  };
  const add = (input: string, tag: string, n: number): void => {
    addLine(core.builders.of(input).tag(tag), { n });
    positions.set(input, n);
  };
  for (let n = 1; n <= 10; n++) {
    add('tail', 'access', n);
    add('forward', 'app', n);
  }
  let told = false;
  core.sealer.afterDurable('tail', () => (told = true), false);
  await durable(core, 'forward');
  assert.deepEqual(
    core.sent.map(({ header }) => header.tag),
    ['app'],
  );
  assert.equal(core.spool.section('forward').get('position'), 10);
  assert.equal(core.spool.section('tail').get('position'), undefined, 'its lines are not durable either');
  assert.equal(told, false);

  // From the moment that two inputs write under one tag, both are in each other's cuts.
  add('other', 'app', 11);
  await durable(core, 'forward');
  assert.equal(core.spool.section('other').get('position'), 11);
  add('tail', 'app', 12);
  await durable(core, 'other');
  assert.equal(core.spool.section('tail').get('position'), 12);
  assert.ok(told);
  assert.deepEqual(asked, [['forward'], ['forward', 'other'], ['forward', 'other', 'tail']]);
  assert.deepEqual(
    core.sent.map(({ header }) => [header.tag, header.events, header.ordinal]),
    [
      ['app', 10, 1],
      ['app', 1, 2],
      ['app', 1, 3],
      ['access', 10, 4],
    ],
    'identities are given in the order in which chunks become durable',
  );
  await core.sealer.stop();
});

test('a cut for an ack carries the identity of its chunks, but not the state of other inputs', async () => {
  const core = await startCore({ interval: 3_600_000 });
  const forward = core.addSection('forward');
  core.beforeCut = () => {
    core.state.set('position', 1);
    forward.set('position', 1);
  };
  addLine(core.builders.of('forward').tag('app'), { n: 1 });
  await durable(core, 'forward');
  assert.equal(core.spool.section('input').size, 0);
  const { producer, epoch } = core.identity;
  await core.sealer.stop();

  const next = await startCore({ files: core.files });
  addLine(next.builders.tag('app'), { n: 2 });
  await next.sealer.cut();
  assert.equal(next.identity.producer, producer);
  assert.deepEqual(next.sent[0]!.header.previous, { epoch, ordinal: 1 });
});

test('while many chunks wait for the stream, acks share a cut every tenth of a second', async (t) => {
  const core = await startCore({ interval: 3_600_000 });
  const tag = core.builders.of('input').tag('a');
  let pending = 999;
  Object.defineProperty(core.spool, 'pending', { get: () => pending });
  addLine(tag, { n: 1 });
  await durable(core, 'input');
  assert.equal(core.sent.length, 1, 'at once');

  await new Promise((resolve) => setImmediate(resolve));
  t.mock.timers.enable({ apis: ['setTimeout'] });
  pending = 1000;
  const waiting = [2, 3].map((n) => {
    addLine(tag, { n });
    return durable(core, 'input');
  });
  t.mock.timers.tick(99);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.equal(core.sent.length, 1);
  t.mock.timers.tick(1);
  await Promise.all(waiting);
  assert.equal(core.sent.length, 2);
  t.mock.timers.reset();
  await core.sealer.stop();
});

test('a full builder of one input waits for its own cut, and takes its number there', async () => {
  const core = await startCore({ interval: 3_600_000 });
  const tail = core.builders.of('input').tag('access');
  core.beforeCut = (inputs) => {
    if (inputs?.has('input') ?? true) core.state.set('position', 1);
  };
  addLine(tail, { n: 1 });
  core.sealer.encode(tail.at(Date.now()));
  addLine(core.builders.of('forward').tag('app'), { n: 2 });
  await durable(core, 'forward');
  assert.deepEqual(
    core.sent.map(({ header }) => [header.tag, header.ordinal]),
    [['app', 1]],
  );
  assert.equal(core.spool.section('input').size, 0);
  await core.sealer.cut();
  assert.deepEqual(
    core.sent.map(({ header }) => [header.tag, header.ordinal]),
    [
      ['app', 1],
      ['access', 2],
    ],
  );
  assert.equal(core.spool.section('input').get('position'), 1);
  assert.equal(core.sealer.pendingBytes, 0);
  await core.sealer.stop();
});

test('nobody is notified when the disk fails', async () => {
  const core = await startCore();
  core.files.fail = (call) => (call === 'sync' ? Object.assign(new Error('i/o'), { code: 'EIO' }) : null);
  addLine(core.builders.tag('a'), { n: 1 });
  core.sealer.afterDurable('input', () => assert.fail('notified'), false);
  await core.sealer.cut();
  assert.equal(core.failures.length, 1);
  assert.equal(core.sent.length, 0);
  await core.sealer.stop();
});

test('a clean stop is said by a last chunk, and the next epoch names it', async () => {
  const core = await startCore();
  addLine(core.builders.tag('a'), { n: 1 });
  await core.sealer.cut(true);
  assert.deepEqual(
    core.sent.map(({ header }) => [header.ordinal, header.end, header.events]),
    [
      [1, false, 1],
      [2, true, 0],
    ],
  );
  assert.equal(core.sent[0]!.header.previous, null);

  const next = await startCore({ files: core.files });
  addLine(next.builders.tag('a'), { n: 2 });
  await next.sealer.cut();
  const { producer, epoch } = core.identity;
  assert.equal(next.identity.producer, producer);
  assert.ok(next.identity.epoch > epoch);
  assert.deepEqual(next.sent[0]!.header.previous, { epoch, ordinal: 2 });
  assert.equal(next.sent[0]!.header.floor, epoch, 'chunks of the epoch before are unacknowledged');
});

test('an epoch without chunks ends without one', async () => {
  const core = await startCore();
  await core.sealer.cut(true);
  assert.equal(core.sent.length, 0);
  assert.equal(core.files.files.size, 0);
});

test('inputs are held while the spool is full, and go on when there is room', async () => {
  const core = await startCore({ maxSpoolBytes: 3000 });
  for (let n = 0; n < 3; n++) {
    addLine(core.builders.tag('noise'), { noise: noise(random, 1000).toString('base64') });
    await core.sealer.cut();
  }
  assert.deepEqual(core.held, [true]);
  for (const chunk of core.sent) await core.spool.acknowledge(chunk);
  await core.sealer.cut();
  assert.deepEqual(core.held, [true, false]);
});

test('an event of an absurd time keeps its place under the hour of its arrival', async () => {
  const core = await startCore();
  const tag = core.builders.tag('a');
  for (const time of [0, Date.now() - 40 * 24 * HOUR, Date.now() + 2 * 24 * HOUR, Number.NaN])
    addLine(tag, { time }, time);
  await core.sealer.cut();
  assert.equal(
    core.sent.reduce((sum, { header }) => sum + header.events, 0),
    4,
  );
  for (const { header } of core.sent) assert.ok(Math.abs(header.hour - Date.now() / HOUR) < 2);
  assert.equal(core.counters.total('tailrace_agent_absurd_times_total'), 4);
});

test('tags beyond the limit share one, and are counted', async () => {
  const core = await startCore();
  for (let n = 0; n < 1005; n++) addLine(core.builders.tag(`tag ${n}`), { n });
  await core.sealer.cut();
  assert.equal(core.sent.length, 1001);
  const other = core.sent.find(({ header }) => header.tag === '_other')!;
  assert.equal(other.header.events, 5);
  assert.equal(core.counters.total('tailrace_agent_tag_overflows_total'), 5);
});

test('events spread over many tags and hours become chunks early, and none is lost', async () => {
  const core = await startCore();
  const now = Date.now();
  let most = 0;
  for (let n = 0; n < 10_000; n++) {
    addLine(core.builders.tag(`tag ${n % 101}`), { n }, now - (n % 700) * HOUR);
    most = Math.max(most, core.builders.count);
  }
  assert.ok(most <= 2049, `${most} builders at a time`);
  await core.sealer.cut();
  const events = (await Promise.all(core.sent.map((chunk) => eventsOf(core, chunk)))).flat();
  assert.deepEqual(
    events.map((event) => Number(event['n'])).toSorted((a, b) => a - b),
    Array.from({ length: 10_000 }, (_, i) => i),
  );
});

test('a watermark follows all chunks of its lane, once in an interval, also when nothing happened', async () => {
  const core = await startCore({ watermarkInterval: 0, readUpTo: 1000 });
  addLine(core.builders.tag('a'), { n: 1 });
  await core.sealer.cut();
  await core.sealer.cut();
  const headers = core.sent.map(({ header }) => header);
  assert.deepEqual(
    headers.map(({ tag, events, sequence, ordinal }) => [tag, events, sequence, ordinal]),
    [
      ['a', 1, 1, 1],
      ['', 0, 2, 2],
      ['', 0, 3, 3],
    ],
  );
  for (const { firstTime, lastTime, end } of headers.slice(1)) {
    assert.equal(firstTime, 1000);
    assert.ok(!end && lastTime > firstTime);
  }
  const none = await startCore({ watermarkInterval: 60_000 });
  await none.sealer.cut();
  assert.equal(none.sent.length, 0);
});
