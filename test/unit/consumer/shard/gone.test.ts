/** The work on a shard that is gone: its log is closed at the end, and a listing that was wrong is not taken for a loss. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GoneShard } from '../../../../consumer/shard/gone.ts';

const RECORD = { sequence: '1', arrival: 0, data: Buffer.from('x') };

function gone(isGone: boolean): { readonly work: GoneShard; readonly closed: () => number } {
  let closed = 0;
  const work = new GoneShard({
    shard: 'shardId-7',
    isGone: async () => isGone,
    closeLog: async () => {
      closed += 1;
    },
  });
  return { work, closed: () => closed };
}

test('its log is closed when KCL says that the shard ends, and not before', async () => {
  const { work, closed } = gone(true);
  await work.initialize();
  await work.take([]);
  await work.flush();
  assert.equal(closed(), 0);
  await work.end();
  assert.equal(closed(), 1);
  assert.equal(work.safe, null, 'nothing to checkpoint before the end');
});

test('records, or a listing that has the shard after all, make the daemon restart', async () => {
  await assert.rejects(gone(true).work.take([RECORD]), { code: 'SHARD_LISTED', retriable: true });
  const { work, closed } = gone(false);
  await assert.rejects(work.end(), { code: 'SHARD_LISTED', retriable: true });
  assert.equal(closed(), 0);
});
