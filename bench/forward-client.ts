/** The other side of the forward bench: a client that sends packed messages and waits for each one's ack. */
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { record } from './forward-records.ts';

/** What the client measured. */
export interface ClientReport {
  readonly events: number;
  /** CPU seconds of gzip level 1 over the same events as NDJSON. */
  readonly bareSeconds: number;
  readonly seconds: number;
}

const [port = 0, warmUp = 0, events = 0, perMessage = 0, connections = 0] = process.argv.slice(2).map(Number);
const started = Math.floor(Date.now() / 1000);
const warming: Buffer[] = [];
const messages: Buffer[] = [];
let bareSeconds = 0;
for (let first = 0; first < warmUp + events; first += perMessage) {
  const entries: Uint8Array[] = [];
  const lines: string[] = [];
  for (let n = first; n < first + perMessage; n++) {
    const fields = record(n);
    const time = started + Math.floor(n / 5000);
    entries.push(encode([time, fields]));
    lines.push(JSON.stringify({ time: new Date(time * 1000).toISOString().replace('.000', ''), ...fields }));
  }
  const chunk = `${first}`.padStart(24, '0');
  (first < warmUp ? warming : messages).push(
    Buffer.from(encode(['bench.access', Buffer.concat(entries), { chunk, size: entries.length }])),
  );
  if (first < warmUp) continue;
  const json = Buffer.from(`${lines.join('\n')}\n`);
  const before = process.cpuUsage();
  gzipSync(json, { level: 1 });
  const used = process.cpuUsage(before);
  bareSeconds += (used.user + used.system) / 1e6;
}

process.send!('ready');
process.on('message', async (message) => {
  const begun = performance.now();
  await sendAll(message === 'warm-up' ? warming : messages);
  if (message === 'warm-up') {
    process.send!('warm');
    return;
  }
  const report: ClientReport = { events, bareSeconds, seconds: (performance.now() - begun) / 1000 };
  process.send!(report, () => process.disconnect());
});

/** Sends messages over all connections; each sends the next message once it has the previous ack. */
async function sendAll(batch: readonly Buffer[]): Promise<void> {
  let next = 0;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      const send = (): void => {
        const message = batch[next++];
        if (message === undefined) {
          socket.end();
          resolve();
        } else socket.write(message);
      };
      socket.once('connect', send);
      socket.on('data', send);
      socket.on('error', reject);
    });
  await Promise.all(Array.from({ length: connections }, one));
}
