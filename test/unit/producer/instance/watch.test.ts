import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import * as z from 'zod/mini';
import { instanceOptions } from '../../../../producer/instance/options.ts';
import { type EndReason, InstanceWatch } from '../../../../producer/instance/watch.ts';
import { silent } from '../../../support/agent-core.ts';
import { MetadataDouble } from '../../../support/metadata-double.ts';

type Context = { after: (done: () => Promise<void>) => void };

async function setUp(context: Context, options: Record<string, unknown> = {}, log = silent) {
  const metadata = await MetadataDouble.start();
  const ends: EndReason[] = [];
  let wake = (): void => {};
  const watch = new InstanceWatch(
    z.parse(instanceOptions, { endpoint: metadata.endpoint, interval: '5ms', ...options }),
    log,
    (reason) => {
      ends.push(reason);
      wake();
    },
  );
  context.after(async () => {
    watch.stop();
    await metadata.stop();
  });
  /** Resolves when `path` was asked for `times` times from now on. */
  const polled = async (path: string, times: number): Promise<void> => {
    const goal = metadata.asked.filter((asked) => asked === path).length + times;
    while (metadata.asked.filter((asked) => asked === path).length < goal) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const ended = (): Promise<void> =>
    new Promise((resolve) => {
      if (ends.length > 0) resolve();
      else wake = resolve;
    });
  return { metadata, watch, ends, polled, ended };
}

const LIFECYCLE = 'autoscaling/target-lifecycle-state';
const SPOT = 'spot/instance-action';
const REBALANCE = 'events/recommendations/rebalance';

test('an instance in service is left alone; its termination is reported once', async (context) => {
  const { metadata, watch, ends, polled, ended } = await setUp(context);
  await watch.start();
  assert.equal(watch.state.id, 'i-0123456789abcdef0');
  await polled(REBALANCE, 3);
  assert.deepEqual(ends, []);
  assert.equal(watch.state.lifecycle, 'InService');
  metadata.values.set(LIFECYCLE, 'Terminated');
  await ended();
  await polled(REBALANCE, 3);
  assert.deepEqual(ends, ['lifecycle']);
});

test('a spot notice is an end, and says when', async (context) => {
  const { metadata, watch, ends, ended } = await setUp(context);
  await watch.start();
  metadata.values.set(SPOT, '{"action":"terminate","time":"2026-11-23T08:22:00Z"}');
  await ended();
  assert.deepEqual(ends, ['spot']);
  assert.equal(watch.state.interruption, '2026-11-23T08:22:00Z');
});

test('an unreadable notice still counts', async (context) => {
  const { metadata, watch, ended } = await setUp(context);
  await watch.start();
  metadata.values.set(SPOT, 'soon!');
  await ended();
  assert.equal(watch.state.interruption, 'soon');
});

test('a rebalance recommendation is not a termination', async (context) => {
  const { metadata, watch, ends, polled } = await setUp(context);
  await watch.start();
  metadata.values.set(REBALANCE, '{"noticeTime":"2026-11-23T08:00:00Z"}');
  await polled(REBALANCE, 3);
  assert.equal(watch.state.rebalance, '2026-11-23T08:00:00Z');
  assert.deepEqual(ends, []);
});

test('what is switched off is not asked for', async (context) => {
  const { metadata, watch, polled } = await setUp(context, { lifecycle: false, rebalance: false });
  await watch.start();
  await polled(SPOT, 3);
  assert.ok(!metadata.asked.includes(LIFECYCLE));
  assert.ok(!metadata.asked.includes(REBALANCE));
});

test('a token that is no longer taken is renewed', async (context) => {
  const { metadata, watch, polled, ended } = await setUp(context);
  await watch.start();
  await polled(REBALANCE, 1);
  metadata.expireToken();
  metadata.values.set(LIFECYCLE, 'Terminated');
  await ended();
  assert.equal(metadata.tokens, 2);
});

test('without a metadata service nothing is watched, unless it is asked for', async (context) => {
  const { metadata, watch } = await setUp(context);
  await metadata.stop();
  await watch.start();
  assert.equal(watch.state.id, null);
});

for (const hidden of [REBALANCE, LIFECYCLE, 'instance-id']) {
  test(`a spot notice is seen although ${hidden} cannot be read`, { timeout: 20_000 }, async (context) => {
    const { metadata, watch, ended } = await setUp(context);
    metadata.failing.set(hidden, 403);
    metadata.values.set(SPOT, '{"action":"terminate","time":"2026-11-23T08:22:00Z"}');
    await watch.start();
    await ended();
    assert.equal(watch.state.interruption, '2026-11-23T08:22:00Z');
    assert.equal(metadata.tokens, 1, 'a path that is refused takes no new token');
  });
}

test('a notice that was seen stays while the service does not answer', async (context) => {
  const { metadata, watch, polled, ended } = await setUp(context);
  metadata.values.set(SPOT, '{"action":"terminate","time":"2026-11-23T08:22:00Z"}');
  await watch.start();
  await ended();
  metadata.failing.set(SPOT, 500);
  await polled(SPOT, 2);
  assert.equal(watch.state.interruption, '2026-11-23T08:22:00Z');
});

test('an instance that leaves a warm pool ends too', async (context) => {
  const { metadata, watch, ends, ended } = await setUp(context);
  metadata.values.set(LIFECYCLE, 'Warmed:Terminated');
  await watch.start();
  await ended();
  assert.deepEqual(ends, ['lifecycle']);
});

test('a service that is late at the start of the machine is watched all the same', {
  timeout: 20_000,
}, async (context) => {
  const { metadata, watch, ended } = await setUp(context);
  metadata.failing.set('*', 503);
  await watch.start();
  assert.equal(watch.state.id, null);
  metadata.failing.delete('*');
  metadata.values.set(LIFECYCLE, 'Terminated');
  await ended();
  assert.equal(watch.state.id, 'i-0123456789abcdef0');
});

test('where no service answers a few times in a row, it is asked no more, unless it is to be', {
  timeout: 20_000,
}, async (context) => {
  const { promise: givenUp, resolve } = Promise.withResolvers<void>();
  const log = pino({ level: 'debug' }, { write: (text) => /not watching/.test(text) && resolve() });
  const { metadata, watch } = await setUp(context, {}, log);
  metadata.failing.set('*', 503);
  await watch.start();
  await givenUp;
  assert.equal(metadata.refused, 40);
  const asked = await setUp(context, { watch: 'on' });
  asked.metadata.failing.set('*', 503);
  await asked.watch.start();
  while (asked.metadata.refused < 100) await new Promise((resolve) => setTimeout(resolve, 1));
});
