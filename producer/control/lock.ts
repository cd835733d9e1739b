/**
 * The lock of a state directory: whoever listens on its control socket holds it, in whatever container; a socket that
 * nobody answers is what a dead agent left.
 */
import { randomBytes } from 'node:crypto';
import { chmod, link, rename, unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { TailraceError } from '../../base/errors.ts';
import { connectAgent, linesOf, reachSocket, SOCKET_NAME } from './protocol.ts';

/** Thrown when another agent holds the state directory. */
class StateLockedError extends TailraceError {
  constructor(directory: string, holder: string) {
    super(
      'STATE_LOCKED',
      `${directory} is held by ${holder}: stop it first, or give this agent another state_dir`,
    );
  }
}

/** Milliseconds that a live holder has to say who it is. */
const HOLDER_ANSWER_MS = 2000;

/**
 * Takes the lock and listens; `serve` gets each connection from then on.
 *
 * The socket is bound under a name of its own and linked to its place, which fails when something stands there.
 * A dead socket is taken away by a rename, so that of several agents that find it one does, and it is asked
 * once more under its new name whether it is really dead.
 *
 * @throws StateLockedError naming the holder
 */
export async function holdDirectory(directory: string, serve: (socket: Socket) => void): Promise<Server> {
  const place = join(directory, SOCKET_NAME);
  // Random, because containers that share a directory may each have a process 1.
  const own = `${SOCKET_NAME}.${randomBytes(6).toString('hex')}`;
  const server = createServer(serve);
  const { path, done } = reachSocket(directory, own);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    // Before it has its name, and whatever the umask: who may write to it may flush and reload.
    await chmod(join(directory, own), 0o600);
    for (;;) {
      if (await linked(join(directory, own), place)) return server;
      await removeDead(directory, place, own);
    }
  } catch (error) {
    server.close();
    throw error;
  } finally {
    done();
    await unlink(join(directory, own)).catch(ignoreMissing);
  }
}

/** Gives the directory free again. */
export async function releaseDirectory(directory: string, server: Server): Promise<void> {
  await unlink(join(directory, SOCKET_NAME)).catch(ignoreMissing);
  server.close();
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function removeDead(directory: string, place: string, own: string): Promise<void> {
  await refuseIfAlive(directory, SOCKET_NAME);
  const aside = `${own}.dead`;
  await rename(place, join(directory, aside)).catch(ignoreMissing);
  try {
    await refuseIfAlive(directory, aside);
  } catch (error) {
    // Somebody took the place between the question and the rename: it gets its place back.
    await link(join(directory, aside), place).catch(() => {});
    throw error;
  } finally {
    await unlink(join(directory, aside)).catch(ignoreMissing);
  }
}

async function refuseIfAlive(directory: string, name: string): Promise<void> {
  const socket = await connectAgent(directory, name);
  if (!socket) return;
  try {
    throw new StateLockedError(directory, await holder(socket));
  } finally {
    socket.destroy();
  }
}

async function holder(socket: Socket): Promise<string> {
  const silent = 'an agent that does not answer';
  socket.write('{"command":"status"}\n');
  try {
    for await (const line of linesOf(socket, HOLDER_ANSWER_MS)) {
      const { pid, host } = JSON.parse(line) as { pid: number; host: string };
      return `the agent with pid ${pid} on ${host}`;
    }
    return silent;
  } catch {
    return silent;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
