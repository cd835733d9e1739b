/**
 * The Kinesis process: kinesis-local behind a proxy made of Node's own HTTP servers.
 *
 * kinesis-local handles HTTP/1.1 well, but its own HTTP/2 server sometimes fails with a protocol error, and always does
 * for requests beyond about 130 kB; the AWS SDK and KCL both use HTTP/2. It also binds every interface and has no
 * way to report its port. So its servers run on free loopback ports, and clients see only the proxy.
 */
import { createRequire } from 'node:module';
import * as net from 'node:net';
import * as path from 'node:path';
import { listenOnLoopback, tellReady, wantedPort } from '../service.ts';
import { createFront } from './front.ts';

/** The ports kinesis-local believes it has; only labels, nothing listens there. */
const PLAIN_PORT = 4568;
const TLS_PORT = 4567;

const folder = process.argv[2] ?? 'data/kinesis';
const require = createRequire(import.meta.url);
const main = require.resolve('kinesis-local/main.js');

process.env.SHARD_LIMIT = '500';
process.env.LOG_LEVEL ??= 'ERROR';
process.env.SHOULD_PERSIST_DATA = 'true';
process.env.PERSIST_PATH = path.resolve(folder);
// It rewrites everything each time, and not atomically, so only at a clean stop.
process.env.PERSIST_INTERVAL = '365d';
for (const change of [
  'CREATE_STREAM',
  'DELETE_STREAM',
  'SPLIT_SHARD',
  'MERGE_SHARDS',
  'UPDATE_SHARD_COUNT',
]) {
  process.env[`${change}_DURATION`] = '50ms';
}
process.env.KINESIS_MOCK_CERT_PATH = path.join(path.dirname(main), 'server.json');
process.env.KINESIS_MOCK_PLAIN_PORT = String(PLAIN_PORT);
process.env.KINESIS_MOCK_TLS_PORT = String(TLS_PORT);

const innerPort = Promise.withResolvers<number>();
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (this: net.Server, ...args: unknown[]): net.Server {
  const options = args[0];
  const port =
    typeof options === 'object' && options !== null ? (options as net.ListenOptions).port : options;
  if (port !== PLAIN_PORT && port !== TLS_PORT) return Reflect.apply(listen, this, args);
  if (port === PLAIN_PORT) {
    this.once('listening', () => innerPort.resolve((this.address() as net.AddressInfo).port));
  }
  const callback = args.find((argument) => typeof argument === 'function');
  return Reflect.apply(listen, this, [{ port: 0, host: '127.0.0.1' }, ...(callback ? [callback] : [])]);
};

const front = createFront(innerPort.promise);
// On SIGTERM kinesis-local saves its data and exits, but waits a long time for connections that clients hold open.
process.on('SIGTERM', () => front.closeAll());
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
const port = await listenOnLoopback(front.server, wantedPort());
require(main);
await innerPort.promise;
tellReady(port);
