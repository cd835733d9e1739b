import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SpillFloor } from '../../../../producer/flush/floor.ts';
import { Flusher, nothingRemains } from '../../../../producer/flush/flush.ts';
import type { Input } from '../../../../producer/input.ts';
import type { Sender } from '../../../../producer/sender/sender.ts';
import type { SpooledChunk } from '../../../../producer/spool/spool.ts';
import { StateMap } from '../../../../producer/state.ts';
import { addLine, type Core, silent, startCore } from '../../../support/agent-core.ts';
import { MemoryFiles } from '../../../support/memory-files.ts';

/** A flusher on a core in memory, with one input that gives a line when it is drained and a stream that takes all. */
function flusherOf(
  core: Core,
  bent: Partial<Input> = {},
  unacknowledged: () => SpooledChunk[] = () => {
    for (const chunk of core.sent.splice(0)) void core.spool.acknowledge(chunk);
    return [];
  },
): Flusher {
  let n = 0;
  const input: Input = {
    name: 'input',
    start: async () => {},
    beforeCut: () => {},
    pause: () => {},
    resume: () => {},
    drain: async () => addLine(core.builders.tag('a'), { n: ++n }),
    stop: async () => {},
    ...bent,
  };
  const sender = { unacknowledged };
  return new Flusher({
    inputs: [input],
    sealer: core.sealer,
    sender: sender as unknown as Sender,
    spool: core.spool,
    spill: null,
    floor: new SpillFloor(new StateMap(), 1e12),
    log: silent,
  });
}

test('a flush leaves nothing once all is durable and acknowledged', async () => {
  const core = await startCore();
  const { remaining } = await flusherOf(core).flush(performance.now() + 10_000);
  assert.ok(nothingRemains(remaining), JSON.stringify(remaining));
  assert.equal(core.counters.total('tailrace_agent_sealed_events_total'), 1);
});

test('a flush whose last cut found no room on the disk does not say that nothing is left', async () => {
  const core = await startCore();
  core.files.fail = (call) => (call === 'create' ? MemoryFiles.noRoom() : null);
  const { remaining } = await flusherOf(core).flush(performance.now() + 10);
  assert.deepEqual(remaining.unread, ['input']);
  assert.equal(nothingRemains(remaining), false);
  core.files.fail = () => null;
  await core.sealer.stop();
});

test('an input that only its stop lets go of was not read to its end', async () => {
  const core = await startCore();
  const drain = Promise.withResolvers<void>();
  const flusher = flusherOf(core, { drain: () => drain.promise, stop: async () => drain.resolve() });
  const { remaining } = await flusher.flush(performance.now() + 10, undefined, true);
  assert.deepEqual(remaining.unread, ['input']);
  await core.sealer.stop();
});

test('a flush ends in time though the clock is set back meanwhile', async (t) => {
  const core = await startCore();
  const drain = async (): Promise<void> => {
    const behind = Date.now() - 7_200_000;
    t.mock.method(Date, 'now', () => behind);
    await new Promise(() => {});
  };
  const { remaining } = await flusherOf(core, { drain }).flush(performance.now() + 10);
  assert.deepEqual(remaining.unread, ['input']);
  await core.sealer.stop();
});

test('a flush waits for what was there at its call, not for what comes later', async () => {
  const core = await startCore();
  const flusher = flusherOf(core, {}, () => [...core.sent]);
  const told: number[] = [];
  const flushed = flusher.flush(performance.now() + 60_000, ({ chunks }) => told.push(chunks));
  const second = flusher.flush(performance.now() + 60_000);
  while (told.length === 0) await setImmediate();
  const first = [...core.sent];
  // Sealed while the flush waits, and never acknowledged.
  addLine(core.builders.tag('a'), { n: 'later' });
  await core.sealer.cut();
  assert.ok(core.sent.length > first.length);
  flusher.acknowledged(first);
  const { remaining } = await flushed;
  assert.ok(nothingRemains(remaining), JSON.stringify(remaining));
  flusher.acknowledged(core.sent);
  assert.ok(nothingRemains((await second).remaining));
  await core.sealer.stop();
});
