/** An agent killed repeatedly while clients send with acks: each event they had acknowledged is there once. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { freePorts } from '../../local/ports.ts';
import { type AgentProcess, startAgent, tailrace, temporaryDirectory } from '../support/agent-process.ts';
import { RawClient } from '../support/forward.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import { array, bin, eventTime, map, str } from '../support/msgpack-values.ts';
import { chance } from '../support/random.ts';

const CLIENTS = 4;
const KILLS = Number(process.env['KILLS'] ?? 8);

/** Messages of 20 events in one of the modes; ids as clients make them, unique by chance. */
function message(client: number, first: number): { bytes: Buffer; events: number } {
  const entry = (n: number): Buffer =>
    array([eventTime(Math.floor(Date.now() / 1000), n), map([[str('id'), str(`${client}/${n}`)]])]);
  const entries = Array.from({ length: 20 }, (_, i) => entry(first + i));
  const chunk = [str('chunk'), str(`${client}-${first}\n`)] as const;
  const options = map([chunk]);
  const tag = str(`app.${client}`);
  const mode = (first / 20) % 3;
  if (mode === 0) return { bytes: array([tag, array(entries), options]), events: 20 };
  if (mode === 1) return { bytes: array([tag, bin(Buffer.concat(entries)), options]), events: 20 };
  const gzip = map([chunk, [str('compressed'), str('gzip')]]);
  return { bytes: array([tag, bin(gzipSync(Buffer.concat(entries))), gzip]), events: 20 };
}

/** Sends message after message until it is stopped, and resends each until its ack comes. */
async function send(
  client: number,
  port: number,
  running: () => boolean,
  random: () => number,
): Promise<{ acknowledged: number; again: number }> {
  let connection: RawClient | null = null;
  let first = 0;
  let again = 0;
  while (running()) {
    const { bytes, events } = message(client, first);
    for (let done = false; !done; ) {
      connection ??= await RawClient.open(port).catch(() => null);
      if (connection === null) {
        await wait(20);
        continue;
      }
      connection.send(bytes);
      // Now and then the ack gets lost on its way: the client reconnects, and resends the message.
      const lost = random() < 0.1;
      const answer = await (lost
        ? Promise.race([connection.read(), wait(random() * 150)])
        : connection.read());
      if (answer && !lost) done = true;
      else {
        again++;
        connection.end();
        connection = null;
      }
    }
    first += events;
  }
  connection?.end();
  return { acknowledged: first, again };
}

test('kill -9 under acks: nothing acknowledged is lost, nothing resent is there twice', {
  timeout: 120_000,
}, async (context) => {
  const random = chance(context);
  const directory = temporaryDirectory(context);
  const kinesis = await KinesisDouble.start();
  context.after(() => kinesis.stop());
  const port = (await freePorts(1))[0]!;
  const config = {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    inputs: [{ type: 'forward', listen: `127.0.0.1:${port}` }],
  };
  let agent: AgentProcess = await startAgent(directory, config);
  context.after(() => agent.child.kill('SIGKILL'));
  let running = true;
  const senders = Promise.all(
    Array.from({ length: CLIENTS }, (_, client) => send(client, port, () => running, random)),
  );
  for (let kill = 0; kill < KILLS; kill++) {
    await wait(300 + random() * 700);
    agent.child.kill('SIGKILL');
    assert.equal(await agent.ended, 'SIGKILL', agent.log());
    agent = await startAgent(directory, config);
  }
  await wait(500);
  running = false;
  const reports = await senders;
  const flushed = await tailrace(['flush', '--state', join(directory, 'state'), '--timeout', '30s']);
  assert.equal(flushed.code, 0, flushed.stderr);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0, agent.log());

  const counts = new Map<string, number>();
  for (const { id } of kinesis.events() as { id: string }[]) counts.set(id, (counts.get(id) ?? 0) + 1);
  const expected = reports.flatMap(({ acknowledged }, client) =>
    Array.from({ length: acknowledged }, (_, n) => `${client}/${n}`),
  );
  const lost = expected.filter((id) => !counts.has(id));
  const repeated = [...counts].filter(([, count]) => count > 1).map(([id]) => id);
  assert.deepEqual({ lost: lost.slice(0, 5), repeated: repeated.slice(0, 5) }, { lost: [], repeated: [] });
  assert.equal(counts.size, expected.length);
  context.diagnostic(
    `${expected.length} events, ${reports.reduce((sum, { again }) => sum + again, 0)} messages resent`,
  );
  assert.ok(expected.length > 500);
});
