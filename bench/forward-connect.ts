/** A connection to a forward input of this machine. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** The other side may still be starting. */
export async function connected(at: number): Promise<Socket> {
  for (;;) {
    const attempt = connect(at, '127.0.0.1');
    try {
      await once(attempt, 'connect');
      return attempt.setNoDelay();
    } catch {
      await sleep(50);
    }
  }
}
