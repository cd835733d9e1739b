/** The shell script that stands for a shard towards the daemon: it ends as the host says, and with the host. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { OPENED, prepareRelays, SHARDS_FIFO } from '../../../../consumer/kcl/relay.ts';
import { temporaryDirectory } from '../../../support/agent-process.ts';

interface Relay {
  readonly process: ChildProcess;
  /** The host's end of the FIFO by which the relay is ended. */
  readonly exit: number;
  readonly ended: Promise<unknown[]>;
}

/** A relay that the host, which is this process, has opened. */
async function relay(t: TestContext): Promise<Relay> {
  const directory = temporaryDirectory(t);
  const { env } = prepareRelays(directory)!;
  const shards = fs.openSync(path.join(directory, SHARDS_FIFO), fs.constants.O_RDWR);
  t.after(() => fs.closeSync(shards));
  const child = spawn('sh', [env['TAILRACE_RELAY']!], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  const name = Buffer.alloc(32);
  const { promise, resolve } = Promise.withResolvers<number>();
  fs.read(shards, name, 0, name.length, null, (_, bytes) => resolve(bytes));
  const pid = name.toString('latin1', 0, await promise).trim();
  assert.equal(pid, String(child.pid));
  const exit = fs.openSync(path.join(directory, `exit.${pid}`), fs.constants.O_RDWR);
  fs.writeSync(exit, OPENED);
  return { process: child, exit, ended };
}

test('a relay ends with the code that the host says', async (t) => {
  const { exit, ended } = await relay(t);
  fs.writeSync(exit, '0\n');
  assert.deepEqual(await ended, [0, null]);
  fs.closeSync(exit);
});

test('a relay whose host is gone ends by itself, although nobody else is left to end it', async (t) => {
  const { process: child, exit, ended } = await relay(t);
  assert.equal(child.exitCode, null);
  fs.closeSync(exit);
  assert.deepEqual(await ended, [1, null]);
});
