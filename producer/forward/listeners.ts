/** The sockets that clients connect to: TCP, TLS, unix and, for heartbeats, UDP. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { statSync, unlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { type Address, addressText } from '../../base/address.ts';
import { TailraceError } from '../../base/errors.ts';
import type { TlsOptions } from './options.ts';
import { createTlsServer, type TlsSide } from './tls.ts';

/** Milliseconds after which the kernel starts to probe a silent peer. */
const KEEPALIVE_MS = 60_000;

export interface Listener {
  /** With the port that was given where 0 was asked for. */
  readonly address: Address;
  close(): Promise<void>;
}

/** What a listening socket needs. No client speaks TLS on a unix socket: there `secure` must be null. */
export interface ListenOptions {
  readonly address: Address;
  readonly secure: TlsOptions | null;
  /** Receives a client's socket; that of a TLS client when its handshake is done. */
  readonly accept: (socket: Socket) => void;
  readonly refuse: (reason: 'tls' | 'too_many', remote: string | undefined, error: Error | null) => void;
  readonly maxConnections: number;
  /** Milliseconds that a TLS handshake may take. */
  readonly handshakeMs: number;
  readonly log: Logger;
}

/** @throws TailraceError FORWARD_LISTEN, naming the address, if it is in use or cannot be opened */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { address, secure, accept, refuse, log } = options;
  const socketOptions = {
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_MS,
  };
  const failed = (remote: string | undefined, error: Error): void => refuse('tls', remote, error);
  const side: TlsSide | null = secure
    ? createTlsServer(secure, socketOptions, options.handshakeMs, accept, failed, log)
    : null;
  const server: Server = side?.server ?? createServer(socketOptions, accept);
  // Also those that never get through their TLS handshake.
  server.maxConnections = options.maxConnections;
  server.on('drop', (dropped) => refuse('too_many', dropped?.remoteAddress, null));
  if ('path' in address) await removeDeadSocket(address.path);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(
        'path' in address ? { path: address.path } : { host: address.host, port: address.port },
        () => {
          server.off('error', reject);
          resolve();
        },
      );
    });
  } catch (cause) {
    side?.stop();
    throw listenError(address, cause);
  }
  server.on('error', (error) =>
    log.error({ err: error, address: addressText(address) }, 'a listening socket failed'),
  );
  const bound = server.address() as AddressInfo | string;
  return {
    address:
      typeof bound === 'string'
        ? { path: bound }
        : { host: (address as { host: string }).host, port: bound.port },
    close: () => {
      side?.stop();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** Answers heartbeats: echoes each datagram that is a single byte of 0. */
export async function listenHeartbeats(
  address: { host: string; port: number },
  log: Logger,
): Promise<Listener> {
  const socket: UdpSocket = createSocket(address.host.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (message, from) => {
    if (message.length === 1 && message[0] === 0) socket.send(message, from.port, from.address, () => {});
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(address.port, address.host, () => {
        socket.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    throw listenError(address, cause, 'UDP ');
  }
  socket.on('error', (error) =>
    log.error({ err: error, address: addressText(address) }, 'the heartbeat socket failed'),
  );
  return { address, close: () => new Promise((resolve) => socket.close(() => resolve())) };
}

function listenError(address: Address, cause: unknown, kind = ''): TailraceError {
  const { code } = cause as NodeJS.ErrnoException;
  const why =
    code === 'EADDRINUSE'
      ? 'is in use: stop the process that listens there, or give this input another address'
      : code === 'EACCES'
        ? 'cannot be opened by this user'
        : `cannot be opened (${code})`;
  return new TailraceError('LISTEN', `${kind}${addressText(address)} ${why}`, { cause });
}

/** Removes a socket file whose process is gone. */
async function removeDeadSocket(path: string): Promise<void> {
  try {
    if (!statSync(path).isSocket()) return;
  } catch {
    return;
  }
  const live = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => resolve(true));
    probe.on('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
    probe.on('connect', () => probe.destroy());
  });
  if (!live) unlinkSync(path);
}
