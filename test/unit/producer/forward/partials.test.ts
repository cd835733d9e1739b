/** Lines that Docker split are joined, over crashes too, and none of their parts is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ForwardInput } from '../../../../producer/forward/input.ts';
import { RawClient, startForward, until } from '../../../support/forward.ts';
import { array, int, map, str } from '../../../support/msgpack-values.ts';

const AT = 1_795_467_796;

interface Part {
  readonly id?: string;
  readonly ordinal: number;
  readonly last?: boolean;
  readonly log: string | Buffer;
}

function part({ id = 'p1', ordinal, last = false, log }: Part): Buffer {
  const record = map([
    [str('container_id'), str('c1')],
    [str('source'), str('stdout')],
    [str('log'), str(log)],
    [str('partial_message'), str('true')],
    [str('partial_id'), str(id)],
    [str('partial_ordinal'), str(String(ordinal))],
    [str('partial_last'), str(String(last))],
  ]);
  return array([str('docker'), int(AT + ordinal), record, map([[str('chunk'), str(`${id}/${ordinal}`)]])]);
}

const whole = (log: string): object => ({ container_id: 'c1', source: 'stdout', log });

async function sendAll(server: { port: number }, ...messages: Buffer[]): Promise<void> {
  const client = await RawClient.open(server.port);
  for (const message of messages) {
    client.send(message);
    assert.ok(await client.read());
  }
  client.end();
}

test("parts become one event, of the first part's time, in the order of their ordinals", async () => {
  await using server = await startForward();
  // A character of two bytes that is split over two parts.
  const text = Buffer.from('start-ä-end');
  await sendAll(
    server,
    part({ ordinal: 1, log: text.subarray(0, 7) }),
    part({ id: 'p2', ordinal: 1, log: 'other ' }),
    part({ ordinal: 3, last: true, log: text.subarray(9) }),
    part({ ordinal: 2, log: text.subarray(7, 9) }),
    part({ id: 'p2', ordinal: 2, last: true, log: 'line' }),
  );
  assert.deepEqual(server.cuts.events, [
    { ...whole('start-ä-end'), time: '2026-11-23T21:03:17Z' },
    { ...whole('other line'), time: '2026-11-23T21:03:17Z' },
  ]);
});

test('records that only look like parts are events of their own', async () => {
  await using server = await startForward();
  const odd = map([
    [str('partial_message'), str('true')],
    [str('log'), str('old Docker')],
  ]);
  await sendAll(server, array([str('docker'), int(AT), odd, map([[str('chunk'), str('1')]])]));
  assert.deepEqual(server.cuts.events, [
    { partial_message: 'true', log: 'old Docker', time: '2026-11-23T21:03:16Z' },
  ]);
});

test('acknowledged parts outlive a crash', async () => {
  const before = await startForward();
  await sendAll(before, part({ ordinal: 1, log: 'one ' }), part({ ordinal: 2, log: 'two ' }));
  const disk = [...before.cuts.disk];
  await before[Symbol.asyncDispose]();
  assert.deepEqual(before.cuts.events, []);
  await using after = await startForward({}, { disk });
  // Its ack was lost on the way: it is known.
  await sendAll(after, part({ ordinal: 2, log: 'two ' }), part({ ordinal: 3, last: true, log: 'three' }));
  assert.deepEqual(after.cuts.events, [{ ...whole('one two three'), time: '2026-11-23T21:03:17Z' }]);
  after.cuts.cut();
  const state = after.cuts.disk
    .flatMap(({ changes }) => Object.entries(changes))
    .filter(([key]) => key.startsWith('part/'));
  assert.equal(state.at(-1)![1], null);
});

test('what waits too long for a part goes without it, marked', async () => {
  let clock = Date.now();
  await using server = await startForward({ partial_timeout: '30s' }, { uptime: () => clock });
  await sendAll(server, part({ ordinal: 1, log: 'a' }), part({ ordinal: 3, last: true, log: 'c' }));
  clock += 31_000;
  await until(() => server.cuts.count('tailrace_agent_forward_incomplete_events_total') === 1);
  server.cuts.cut();
  assert.deepEqual(server.cuts.events, [{ ...whole('ac'), time: '2026-11-23T21:03:17Z', _incomplete: true }]);
});

test('a flush leaves no part behind', async () => {
  let clock = Date.now();
  await using server = await startForward({}, { uptime: () => clock });
  await sendAll(server, part({ ordinal: 1, log: 'a' }));
  clock += 300;
  const input: ForwardInput = server.input;
  await input.drain();
  server.cuts.cut();
  assert.deepEqual(server.cuts.events, [{ ...whole('a'), time: '2026-11-23T21:03:17Z', _incomplete: true }]);
});

test('a clock that is set by years, forward or back, changes nothing of how long parts wait', async () => {
  const year = 365 * 86_400_000;
  let now = Date.now();
  let uptime = 0;
  await using server = await startForward({}, { now: () => now, uptime: () => uptime });
  await sendAll(server, part({ ordinal: 1, log: 'a' }));
  now += year;
  await (server.input as ForwardInput).drain();
  server.cuts.cut();
  assert.deepEqual(server.cuts.events, []);
  now -= 2 * year;
  uptime += 300;
  await (server.input as ForwardInput).drain();
  server.cuts.cut();
  assert.deepEqual(server.cuts.events, [{ ...whole('a'), time: '2026-11-23T21:03:17Z', _incomplete: true }]);
});

test('where joining is off, parts are events', async () => {
  await using server = await startForward({ join_partial_messages: false });
  await sendAll(server, part({ ordinal: 1, log: 'a' }));
  assert.equal(server.cuts.events[0]!['partial_ordinal'], '1');
});

test('a line of more parts than an event can hold is cut and marked', async () => {
  await using server = await startForward();
  const parts = Array.from({ length: 80 }, (_, i) =>
    part({ ordinal: i + 1, last: i === 79, log: 'z'.repeat(16_384) }),
  );
  await sendAll(server, ...parts);
  const [event] = server.cuts.events;
  assert.equal(event!['_truncated'], true);
  assert.match(event!['log'] as string, /^z{100000,}$/);
});
