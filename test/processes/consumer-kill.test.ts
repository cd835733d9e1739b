/** kill -9 of a relay, of the host, of the daemon and of the launcher, also between the steps of a commit: archived once, with old agents and liars among them. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { ChunkSource, LIES, type MadeChunk } from '../support/chunks.ts';
import {
  assertArchivedOnce,
  ConsumerProcess,
  FAILING_CONSUMER,
  putChunks,
  until,
} from '../support/consumer-process.ts';
import { runs } from '../support/process-tree.ts';
import { startTestStack } from '../support/test-stack.ts';

type Testing = Awaited<ReturnType<typeof startTestStack>>;

/** What is put, at each call, and all that was. */
function chunkLoad(
  client: Testing['client'],
  stack: Testing['stack'],
): { load: () => Promise<void>; made: MadeChunk[]; lies: MadeChunk[] } {
  const hour = Math.floor(Date.now() / 3_600_000);
  const sources = Array.from({ length: 12 }, (_, i) => new ChunkSource({ name: `agent-${i}` }));
  const liar = new ChunkSource({ name: 'liar' });
  const made: MadeChunk[] = [];
  const lies: MadeChunk[] = [];
  /**
   * A few chunks of every agent, some of them twice in the request, and some earlier ones repeated; every third agent is of
   * before chunks could be spliced, and somebody puts chunks that are not what they say.
   */
  const load = async (): Promise<void> => {
    const fresh = LIES.map((lie) => liar.next('nginx.access', hour, 5, {}, lie));
    lies.push(...fresh);
    await putChunks(client, stack, fresh);
    for (const [n, source] of sources.entries()) {
      const fresh = Array.from({ length: 4 }, (_, i) =>
        source.next(i === 3 ? 'app' : 'nginx.access', hour, 5, {}, n % 3 === 0 ? 'old' : 'spliceable'),
      );
      const again = made.length > 0 ? [made[(made.length * 7) % made.length]!, made.at(-1)!] : [];
      made.push(...fresh);
      await putChunks(client, stack, [...fresh, fresh[1]!, ...again]);
    }
  };
  return { load, made, lies };
}

test('kills at any moment lose and repeat nothing', async (t) => {
  const { directory, stack, client } = await startTestStack(t, 4);

  const { load, made, lies } = chunkLoad(client, stack);

  const options = { stack, directory, workerId: 'worker-1' };
  let consumer: ConsumerProcess | null = null;
  t.after(() => consumer?.kill('SIGKILL'));

  // Between the steps of a commit: the host and the daemon, which the launcher restarts …
  const faultOf = (point: string, victim: string) => {
    const flag = path.join(directory, `${victim}-${point}`);
    return { what: `${victim} has ended at "${point}"`, flag, spec: `${point}/${victim}:${flag}` };
  };
  const survived = [faultOf('commit', 'host'), faultOf('object', 'daemon')];
  const specs = survived.map(({ spec }) => spec).join();
  consumer = new ConsumerProcess({ ...options, tailrace: FAILING_CONSUMER, env: { TAILRACE_FAULT: specs } });
  await consumer.start();
  for (const { what, flag } of survived) {
    await load();
    await until(what, () => fs.existsSync(flag));
    const at = Number(fs.readFileSync(flag, 'utf8'));
    await until('the process at the fault is gone', () => !runs(at));
  }
  // Both may have ended with one daemon.
  await until('the daemon was restarted', async () => (await consumer!.status()).daemon_restarts > 0);
  await consumer.running(4);
  assert.equal(await consumer.stop(), 0);

  // … and the launcher, with which the others go.
  const { what, flag, spec } = faultOf('checkpoint', 'launcher');
  consumer = new ConsumerProcess({ ...options, tailrace: FAILING_CONSUMER, env: { TAILRACE_FAULT: spec } });
  await consumer.start();
  await load();
  await until(what, () => fs.existsSync(flag));
  assert.equal(await consumer.ended(), 'SIGKILL');
  const held = Number(fs.readFileSync(flag, 'utf8'));
  await until('the process at the fault is gone with its launcher', () => !runs(held));

  consumer = new ConsumerProcess(options);
  await consumer.start();
  // A relay, the process that serves the shards, the daemon, the launcher.
  const before = await consumer!.running(4);
  await load();
  process.kill(Object.values(before.shards)[0]!.pid, 'SIGKILL');
  await until('the daemon was restarted', async () => (await consumer!.status()).daemon_restarts >= 1);
  const second = await consumer!.running(4);
  await load();
  process.kill(second.host_pid!, 'SIGKILL');
  await until('the daemon was restarted', async () => (await consumer!.status()).daemon_restarts >= 2);
  const afterHost = await consumer!.running(4);
  await load();
  process.kill(afterHost.daemon_pid!, 'SIGKILL');
  await until('the daemon was restarted', async () => (await consumer!.status()).daemon_restarts >= 3);
  const third = await consumer!.running(4);
  await load();
  consumer!.kill('SIGKILL');
  const left = [third.daemon_pid!, third.host_pid!, ...Object.values(third.shards).map(({ pid }) => pid)];
  await until('daemon and children of a killed launcher are gone', () => !left.some(runs));

  consumer = new ConsumerProcess(options);
  await consumer.start();
  await load();
  await assertArchivedOnce(stack, made, { liars: lies });
  assert.equal(await consumer.stop(), 0, 'a stop in order ends with 0');
});
