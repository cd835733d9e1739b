import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAgent, statusOf, temporaryDirectory } from '../support/agent-process.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import { chance, noise } from '../support/random.ts';

/** About 40 MiB of lines that compress to half: more than the disk holds. */
const LINES = 40_000;

/** A small file system of its own, which takes root. */
function mountSmall(directory: string): string | null {
  mkdirSync(directory);
  const { status, stderr, error } = spawnSync('mount', [
    '-t',
    'tmpfs',
    '-o',
    'size=16m,mode=700',
    'tmpfs',
    directory,
  ]);
  return status === 0 ? null : `no tmpfs can be mounted here: ${error?.message ?? stderr.toString().trim()}`;
}

test('a full disk holds the inputs, is said, and passes by itself: none lost, none repeated', {
  timeout: 120_000,
}, async (context) => {
  const random = chance(context);
  const ends: (() => void)[] = [];
  // In this order: nothing can be unmounted under an agent, nor removed under a mount.
  context.after(() => {
    for (const end of ends.toReversed()) end();
  });
  const directory = temporaryDirectory({ after: (end) => ends.push(end) });
  const state = join(directory, 'state');
  const refused = mountSmall(state);
  if (refused !== null) {
    context.skip(refused);
    return;
  }
  ends.push(() => spawnSync('umount', ['-l', state]));
  const kinesis = await KinesisDouble.start();
  context.after(() => kinesis.stop());
  let open = false;
  kinesis.onRecord = () => (open ? null : { ErrorCode: 'ProvisionedThroughputExceededException' });

  const log = join(directory, 'app.log');
  writeFileSync(log, '');
  const agent = await startAgent(directory, {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    inputs: [{ type: 'tail', path: log, tag: 'app', format: 'none' }],
  });
  ends.push(() => agent.child.kill('SIGKILL'));
  const line = (n: number): string => `line ${n} ${noise(random, 500).toString('hex')}\n`;
  for (let n = 1; n <= LINES; n += 1000) {
    appendFileSync(log, Array.from({ length: 1000 }, (_, i) => line(n + i)).join(''));
  }

  for (;;) {
    const { state: health, reasons, spool } = await statusOf(directory);
    if (spool.blocked !== null) {
      assert.equal(health, 'degraded');
      assert.match(reasons.join(), /no room in .*spool \(ENOSPC\)/);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.match(agent.log(), /the disk is full/);

  open = true;
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0, agent.log());
  const numbers = kinesis
    .events()
    .map((event) => Number((event as { message: string }).message.split(' ')[1]));
  assert.equal(numbers.length, LINES);
  assert.equal(new Set(numbers).size, LINES);
  assert.match(agent.log(), /the spool can be written/);
});
