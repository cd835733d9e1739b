/**
 * The forward client of the peers' table: one connection or several that send messages as fast as they are taken, or, where it
 * asks for acks, keeps a number of messages unacknowledged. A message says how many to send; it answers with how long
 * that took and, with acks, how long each waited.
 */
import { once } from 'node:events';
import { encode } from '@msgpack/msgpack';
import { connected } from './forward-connect.ts';
import { forwardMessages, PER_MESSAGE } from './peers-rows.ts';

/** What came of sending. */
export interface Sent {
  readonly seconds: number;
  /** Milliseconds from a message's last byte to its ack, one for each; empty without acks. */
  readonly acks: readonly number[];
}

const [port, fields, unacknowledged, connections] = process.argv.slice(2);
const window = Number(unacknowledged);
const bodies = forwardMessages(fields === 'one' ? 'one' : 'nine');
const socket = await connected(Number(port));
const sockets = [socket];
while (sockets.length < Number(connections)) sockets.push(await connected(Number(port)));
let next = 0;
process.send!('ready');
process.on('message', (messages: number) => {
  const sending = window > 0 ? sendForAcks(messages) : sendFreely(messages);
  void sending.then((sent) => process.send!(sent));
});
process.on('disconnect', () => process.exit(0));

async function sendFreely(messages: number): Promise<Sent> {
  const options = encode({ size: PER_MESSAGE });
  const began = performance.now();
  for (let i = 0; i < messages; i++) {
    const one = sockets[next % sockets.length]!;
    one.write(bodies[next++ % bodies.length]!);
    if (!one.write(options)) await once(one, 'drain');
  }
  return { seconds: (performance.now() - began) / 1000, acks: [] };
}

/** `{"ack": …}` with an id of sixteen bytes. */
const ACK_BYTES = 1 + 4 + 1 + 16;

function sendForAcks(messages: number): Promise<Sent> {
  const began = performance.now();
  const acks: number[] = [];
  const sent: number[] = [];
  let left = messages;
  const fill = (): void => {
    for (; sent.length < window && left > 0; left--) {
      socket.write(bodies[next % bodies.length]!);
      socket.write(encode({ chunk: `${next++}`.padStart(16, '0'), size: PER_MESSAGE }));
      sent.push(performance.now());
    }
  };
  return new Promise((resolve) => {
    let partial = 0;
    const onData = (bytes: Buffer): void => {
      partial += bytes.length;
      for (; partial >= ACK_BYTES; partial -= ACK_BYTES) acks.push(performance.now() - sent.shift()!);
      fill();
      if (acks.length < messages) return;
      socket.off('data', onData);
      resolve({ seconds: (performance.now() - began) / 1000, acks });
    };
    socket.on('data', onData);
    fill();
  });
}
