import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { holdDirectory } from '../../../../producer/control/lock.ts';
import {
  ask,
  type ControlRequest,
  MAX_FLUSH_MS,
  SOCKET_NAME,
} from '../../../../producer/control/protocol.ts';
import { type Controlled, serveControl } from '../../../../producer/control/server.ts';
import { silent } from '../../../support/agent-core.ts';
import { temporaryDirectory } from '../../../support/agent-process.ts';

type Context = { after: (done: () => Promise<void> | void) => void };

async function listen(context: Context, serve: (socket: Socket) => void): Promise<string> {
  const directory = temporaryDirectory(context as never);
  const server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(join(directory, SOCKET_NAME), resolve));
  context.after(() => void server.close());
  return directory;
}

async function answers(directory: string, request: unknown, silence?: number): Promise<object[]> {
  const all: object[] = [];
  for await (const answer of ask(directory, request as ControlRequest, silence)) all.push(answer);
  return all;
}

const AGENT: Controlled = {
  status: () => ({ state: 'ready' }),
  flush: async (_, progress) => {
    progress({ chunks: 1, bytes: 2, quarantined: 0, unread: [] });
    return { remaining: { chunks: 0, bytes: 0, quarantined: 0, unread: [] }, spilled: null };
  },
  reload: () => {
    throw new Error('the file is wrong');
  },
};

test('an agent that hangs is distinguished from one that is not running', {
  timeout: 20_000,
}, async (context) => {
  const sockets: Socket[] = [];
  const directory = await listen(context, (socket) => sockets.push(socket.resume()));
  await assert.rejects(answers(directory, { command: 'status' }, 50), { code: 'SILENT' });
  await assert.rejects(
    holdDirectory(directory, () => {}),
    /is held by an unresponsive agent/,
  );
  for (const socket of sockets) socket.destroy();
  await assert.rejects(answers(join(directory, 'elsewhere'), { command: 'status' }), { code: 'NO_AGENT' });
});

test('each request gets its answers, a wrong one an error', async (context) => {
  const directory = await listen(context, (socket) => serveControl(socket, () => AGENT, silent));
  assert.deepEqual(await answers(directory, { command: 'status' }), [{ state: 'ready' }]);
  const flushed = await answers(directory, { command: 'flush', timeout_ms: 1000 });
  assert.deepEqual(
    flushed.map((answer) => Object.keys(answer)[0]),
    ['remaining', 'done'],
  );
  assert.deepEqual(await answers(directory, { command: 'reload' }), [{ error: 'the file is wrong' }]);
  const range = `timeout_ms: expected 0 to ${MAX_FLUSH_MS}`;
  for (const timeout of [-1, MAX_FLUSH_MS + 1, 'soon', null]) {
    const refused = await answers(directory, { command: 'flush', timeout_ms: timeout });
    assert.deepEqual(refused, [{ error: range }]);
  }
  assert.deepEqual(await answers(directory, { command: 'dance' }), [
    { error: 'command: expected status, flush or reload' },
  ]);
  for (const nothing of [null, 3, []]) {
    const [answer] = (await answers(directory, nothing)) as [{ error: string }];
    assert.equal(typeof answer.error, 'string');
  }
});

test('a request that is not JSON, or too long, ends its connection and nothing else', async (context) => {
  const directory = await listen(context, (socket) => serveControl(socket, () => AGENT, silent));
  const say = async (text: string): Promise<string> => {
    const socket = connect(join(directory, SOCKET_NAME));
    let heard = '';
    socket.on('data', (bytes) => {
      heard += bytes;
    });
    socket.on('error', () => {});
    socket.write(text);
    await once(socket, 'close');
    return heard;
  };
  assert.match(await say('status\n'), /expected one line of JSON/);
  assert.equal(await say('x'.repeat(100_000)), '');
  assert.deepEqual(await answers(directory, { command: 'status' }), [{ state: 'ready' }]);
});
