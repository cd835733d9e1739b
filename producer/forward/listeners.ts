/** The sockets that clients connect to: TCP, TLS, unix and, for heartbeats, UDP. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { readFileSync, statSync, unlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import * as tls from 'node:tls';
import type { Logger } from 'pino';
import { type Address, addressText } from '../../base/address.ts';
import { TailraceError } from '../../base/errors.ts';
import type { TlsOptions } from './options.ts';

/** A silent dead peer is found out by the kernel after about this long, in milliseconds. */
const KEEPALIVE_MS = 60_000;

export interface Listener {
  /** With the port that was given where 0 was asked for. */
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * @param secure no client speaks TLS on a unix socket: there it must be null
 * @param accept takes a client's socket; of a TLS client when its handshake is done
 * @throws TailraceError FORWARD_LISTEN that names the address, when it is in use or can't be had
 */
export async function listen(
  address: Address,
  secure: TlsOptions | null,
  accept: (socket: Socket) => void,
  refuse: (reason: 'tls' | 'too_many', remote: string | undefined, error: Error | null) => void,
  limits: { readonly connections: number; readonly handshakeMs: number },
  log: Logger,
): Promise<Listener> {
  let reload: NodeJS.Timeout | null = null;
  let server: Server;
  const options = {
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_MS,
  };
  if (secure === null) {
    server = createServer(options, accept);
  } else {
    const before = stamp(secure);
    const files = readTlsFiles(secure);
    const secureServer = tls.createServer(
      {
        ...options,
        // Half open before its handshake, a client that comes and goes would keep its place until that times out.
        allowHalfOpen: false,
        ...files,
        minVersion: secure.min_version,
        handshakeTimeout: limits.handshakeMs,
        requestCert: secure.client_auth,
        rejectUnauthorized: secure.client_auth,
      },
      (socket) => {
        socket.allowHalfOpen = true;
        accept(socket);
      },
    );
    secureServer.on('tlsClientError', (error, socket) => {
      // A heartbeat or a load balancer's check that comes and goes without a word is no refused client.
      const silent = socket.bytesRead === 0 && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
      if (!silent) refuse('tls', socket.remoteAddress, error);
    });
    reload = watchTlsFiles(secureServer, secure, before, log);
    server = secureServer;
  }
  // Also those that never come to the end of their TLS handshake.
  server.maxConnections = limits.connections;
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
    if (reload) clearInterval(reload);
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
      if (reload) clearInterval(reload);
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** Answers heartbeats: each datagram that is one byte of 0 goes back. */
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
      ? 'is in use: stop what listens there, or give this input another address'
      : code === 'EACCES'
        ? 'may not be opened by this user'
        : `can't be opened (${code})`;
  return new TailraceError('LISTEN', `${kind}${addressText(address)} ${why}`, { cause });
}

/** A socket file of a process that is gone is in nobody's use. */
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

interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
}

function readTlsFiles(options: TlsOptions): TlsFiles {
  const read = (file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new TailraceError('FORWARD_TLS', `${file} can't be read (${code})`, { cause });
    }
  };
  const files = {
    cert: read(options.cert),
    key: read(options.key),
    ...(options.ca ? { ca: read(options.ca) } : {}),
  };
  try {
    tls.createSecureContext(files);
  } catch (cause) {
    const message = `${options.cert} and ${options.key} are no certificate and its key: ${(cause as Error).message}`;
    throw new TailraceError('FORWARD_TLS', message, { cause });
  }
  return files;
}

/** Takes new certificates for new connections as soon as their files are whole; keeps the old ones until then. */
function watchTlsFiles(server: tls.Server, options: TlsOptions, last: string, log: Logger): NodeJS.Timeout {
  const timer = setInterval(() => {
    const now = stamp(options);
    if (now === last) return;
    last = now;
    try {
      server.setSecureContext({ ...readTlsFiles(options), minVersion: options.min_version });
      log.info({ cert: options.cert }, 'the TLS certificate was read again');
    } catch (error) {
      log.error({ err: error }, 'the new TLS certificate can not be used; the old one is kept');
    }
  }, options.reload_interval);
  return timer.unref();
}

/** What changes when one of the files does. */
function stamp(options: TlsOptions): string {
  return [options.cert, options.key, options.ca]
    .map((file) => {
      if (file === undefined) return '';
      const stat = statSync(file, { throwIfNoEntry: false });
      return `${stat?.ino}/${stat?.size}/${stat?.mtimeMs}`;
    })
    .join();
}
