/** The work on a shard of the stream: its log is closed when the stream says so, and not when KCL alone does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveShard } from '../../../../consumer/shard/live.ts';

function live(isOpen: () => Promise<boolean>): { readonly work: LiveShard; readonly done: string[] } {
  const done: string[] = [];
  const note = (what: string) => async (): Promise<void> => {
    done.push(what);
  };
  const archiver = {
    safe: '7',
    initialize: note('initialize'),
    take: note('take'),
    flush: note('flush'),
    end: note('end'),
  };
  return { work: new LiveShard({ shard: 'shardId-7', archiver, isOpen, pause: 1 }), done };
}

test('a shard that the stream lists as closed, or no more, ends', async () => {
  const { work, done } = live(async () => false);
  await work.initialize(null);
  await work.take([], true);
  assert.equal(work.safe, '7');
  await work.end();
  assert.deepEqual(done, ['initialize', 'take', 'end']);
});

test('a shard that is open makes the daemon restart, and its log stays open', async () => {
  const { work, done } = live(async () => true);
  await assert.rejects(work.end(), { code: 'SHARD_OPEN', retriable: true });
  assert.ok(!done.includes('end'));
});

test('a split that shows in the list a moment later is an end', async () => {
  const answers = [true, true, false];
  const { work, done } = live(async () => answers.shift()!);
  await work.end();
  assert.equal(done.at(-1), 'end');
  assert.deepEqual(answers, []);
});

test('while Kinesis does not answer, what was read is archived, and the log stays open', async () => {
  const asked = Promise.withResolvers<boolean>();
  const flushed = Promise.withResolvers<void>();
  const { work, done } = live(() => asked.promise);
  const ended = work.end();
  const poll = setInterval(() => {
    if (done.includes('flush')) flushed.resolve();
  }, 1);
  await flushed.promise;
  clearInterval(poll);
  assert.deepEqual(done, ['flush']);
  asked.resolve(false);
  await ended;
  assert.deepEqual(done, ['flush', 'end']);
});
