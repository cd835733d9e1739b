import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpillFloor } from '../../producer/flush/floor.ts';
import { Flusher, nothingRemains } from '../../producer/flush/flush.ts';
import type { Input } from '../../producer/input.ts';
import type { Sender } from '../../producer/sender/sender.ts';
import { StateMap } from '../../producer/state.ts';
import { addLine, type Core, silent, startCore } from '../support/agent-core.ts';
import { MemoryFiles } from '../support/memory-files.ts';

/** A flusher on a core in memory, with one input that gives a line when it is drained and a stream that takes all. */
function flusherOf(core: Core): Flusher {
  let n = 0;
  const input: Input = {
    name: 'input',
    start: async () => {},
    beforeCut: () => {},
    pause: () => {},
    resume: () => {},
    drain: async () => addLine(core.builders.tag('a'), { n: ++n }),
    stop: async () => {},
  };
  const sender = {
    unacknowledged: () => {
      for (const chunk of core.sent.splice(0)) void core.spool.acknowledge(chunk);
      return [];
    },
  };
  return new Flusher({
    inputs: [input],
    sealer: core.sealer,
    sender: sender as unknown as Sender,
    spool: core.spool,
    spill: null,
    floor: new SpillFloor(new StateMap()),
    log: silent,
  });
}

test('a flush leaves nothing once all is durable and acknowledged', async () => {
  const core = await startCore();
  const { remaining } = await flusherOf(core).flush(Date.now() + 10_000);
  assert.ok(nothingRemains(remaining), JSON.stringify(remaining));
  assert.equal(core.counters.total('tailrace_agent_sealed_events_total'), 1);
});

test('a flush whose last cut found no room on the disk does not say that nothing is left', async () => {
  const core = await startCore();
  core.files.fail = (call) => (call === 'create' ? MemoryFiles.noRoom() : null);
  const { remaining } = await flusherOf(core).flush(Date.now() + 10);
  assert.deepEqual(remaining.unread, ['input']);
  assert.equal(nothingRemains(remaining), false);
  core.files.fail = () => null;
  await core.sealer.stop();
});
