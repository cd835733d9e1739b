/**
 * The lock of a state directory: the process that listens on its control socket holds it, in whatever container; a socket
 * that does not respond is left over from a dead agent.
 */
import { randomBytes } from 'node:crypto';
import { chmod, link, rename, unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import * as z from 'zod/mini';
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

/** What of its status a holder is named by. */
const holderStatus = z.object({ pid: z.number(), host: z.string() });
/** Milliseconds a live holder has to identify itself. */
const HOLDER_ANSWER_MS = 2000;

/**
 * Acquires the lock and listens; `serve` gets each connection from then on.
 *
 * The socket is bound under a temporary name and linked into place, which fails if something is already there.
 * A dead socket is moved away by a rename, so that only one of several agents that find it does so, and it is probed
 * once more under its new name in case it is alive after all.
 *
 * @throws StateLockedError naming the holder
 */
export async function holdDirectory(directory: string, serve: (socket: Socket) => void): Promise<Server> {
  const place = join(directory, SOCKET_NAME);
  // Random, because containers that share a directory may each have a process with pid 1.
  const own = `${SOCKET_NAME}.${randomBytes(6).toString('hex')}`;
  const server = createServer(serve);
  const { path, done } = reachSocket(directory, own);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    // Set before it has its final name, and whatever the umask: write access means the right to flush and reload.
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

/** Releases the directory. */
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
    // Another agent took the place between the probe and the rename: give it back.
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
  const silent = 'an unresponsive agent';
  socket.write('{"command":"status"}\n');
  try {
    for await (const line of linesOf(socket, HOLDER_ANSWER_MS)) {
      const { pid, host } = holderStatus.parse(JSON.parse(line));
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
