import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { atOnce } from '../../../base/at-once.ts';
import { Backoff } from '../../../base/backoff.ts';
import { sha256 } from '../../../base/sha256.ts';
import { doneBefore, withTimeout } from '../../../base/with-timeout.ts';

test('at most so many at once, each value once and in order', async () => {
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  await atOnce(3, [0, 1, 2, 3, 4, 5, 6], async (value) => {
    begun.push(value);
    most = Math.max(most, ++running);
    await setImmediate();
    running--;
  });
  assert.deepEqual({ begun, most, running }, { begun: [0, 1, 2, 3, 4, 5, 6], most: 3, running: 0 });
  await atOnce(3, [], () => assert.fail('there is nothing to do'));
  await assert.rejects(
    atOnce(2, [1, 2], () => Promise.reject(new Error('first'))),
    /first/,
  );
});

test('backoff doubles to its cap, with the jitter that was asked for, until it is reset', () => {
  const delays = (jitter: 'full' | 'half' | 'none', random: number): number[] => {
    const backoff = new Backoff({ base: 100, cap: 1000, jitter }, () => random);
    return Array.from({ length: 6 }, () => backoff.next());
  };
  assert.deepEqual(delays('none', 0.5), [100, 200, 400, 800, 1000, 1000]);
  assert.deepEqual(delays('full', 0.5), [50, 100, 200, 400, 500, 500]);
  assert.deepEqual(delays('half', 0), [50, 100, 200, 400, 500, 500]);
  const backoff = new Backoff({ base: 100, cap: 1e9, jitter: 'none' });
  for (let i = 0; i < 100; i++) assert.ok(backoff.next() <= 1e9);
  backoff.reset();
  assert.equal(backoff.next(), 100);
});

test('a call that does not answer in time is abandoned and its signal aborted', async () => {
  let aborted = false;
  const never = withTimeout(1, (signal) => {
    signal.addEventListener('abort', () => {
      aborted = true;
    });
    return new Promise(() => {});
  });
  await assert.rejects(never, { name: 'TimeoutError', message: 'no answer within 1 ms' });
  assert.ok(aborted);
  assert.equal(await withTimeout(10_000, () => Promise.resolve(1)), 1);
  await assert.rejects(
    withTimeout(10_000, () => Promise.reject(new Error('own'))),
    /own/,
  );
});

test('work is waited for until its deadline and not beyond', async () => {
  assert.equal(await doneBefore(performance.now() + 10_000, Promise.resolve()), true);
  assert.equal(await doneBefore(performance.now(), new Promise(() => {})), false);
});

test('SHA-256 of a text, of bytes and of the same bytes in parts is the same', () => {
  const expected = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  for (const body of ['abc', Buffer.from('abc'), [Buffer.from('a'), Buffer.from('bc')]])
    assert.equal(sha256(body), expected);
});
