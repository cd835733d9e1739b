/**
 * The TLS side of a listener: certificates, their reload, and no session tickets.
 *
 * With TLS 1.3 a server sends tickets once the handshake is done. A client that only writes, as most loggers without
 * acks do, never reads them; when it closes its socket with bytes unread, its kernel sends a reset instead of a FIN and
 * discards what it had not sent yet. Without tickets nothing is left unread, and such a client loses nothing.
 */
import { readFileSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import * as tls from 'node:tls';
import type { Logger } from 'pino';
import { TailraceError } from '../../base/errors.ts';
import { systemReason } from '../../base/system-error.ts';
import type { TlsOptions } from './options.ts';

export interface TlsSide {
  readonly server: tls.Server;
  /** Stops watching the certificate's files. */
  readonly stop: () => void;
}

/**
 * @param accept receives a client's socket when its handshake is done
 * @param failed receives a handshake that failed
 * @throws TailraceError FORWARD_TLS if the files cannot be read or used
 */
export function createTlsServer(
  options: TlsOptions,
  socketOptions: object,
  handshakeTimeout: number,
  accept: (socket: Socket) => void,
  failed: (remote: string | undefined, error: Error) => void,
  log: Logger,
): TlsSide {
  const before = stamp(options);
  const files = readTlsFiles(options);
  const server = tls.createServer(
    {
      ...socketOptions,
      // If half-open were allowed before the handshake, a client that comes and goes would hold its place until it times out.
      allowHalfOpen: false,
      ...files,
      minVersion: options.min_version,
      handshakeTimeout,
      requestCert: options.client_auth,
      rejectUnauthorized: options.client_auth,
    },
    (socket) => {
      socket.allowHalfOpen = true;
      accept(socket);
    },
  );
  const versions = safeVersions(server, options, log);
  if (versions.maxVersion !== undefined) server.setSecureContext({ ...files, ...versions });
  server.on('tlsClientError', (error, socket) => {
    // A heartbeat or a load balancer's check that comes and goes without a byte is not a refused client.
    const silent = socket.bytesRead === 0 && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
    if (!silent) failed(socket.remoteAddress, error);
  });
  const timer = watchTlsFiles(server, options, versions, before, log);
  return { server, stop: () => clearInterval(timer) };
}

/** What Node keeps behind a secure context: no documented option turns tickets off in TLS 1.3. */
interface NativeContext {
  enableTicketKeyCallback?(): void;
  onticketkeycallback?: (name: Buffer, iv: Buffer, encrypt: boolean) => unknown[];
}

function contextOf(server: tls.Server): NativeContext | undefined {
  return (server as unknown as { _sharedCreds?: { context: NativeContext } })._sharedCreds?.context;
}

/**
 * Answers OpenSSL's request for a ticket's key with 0, no key: in TLS 1.3 it then sends no ticket, in TLS 1.2 an empty
 * one, and every connection makes a full handshake (SSL_CTX_set_tlsext_ticket_key_cb(3)).
 *
 * @returns whether this Node has the callback
 */
function withoutTickets(context: NativeContext | undefined): boolean {
  if (typeof context?.enableTicketKeyCallback !== 'function') return false;
  context.enableTicketKeyCallback();
  context.onticketkeycallback = (name, iv) => [0, Buffer.alloc(32), Buffer.alloc(16), name, iv];
  return true;
}

/** Turns the server's tickets off. TLS 1.3 only where that can be done, unless the configuration asks for it. */
function safeVersions(
  server: tls.Server,
  { min_version }: TlsOptions,
  log: Logger,
): tls.SecureContextOptions {
  if (withoutTickets(contextOf(server))) return { minVersion: min_version };
  if (min_version === 'TLSv1.3') {
    log.warn('this Node cannot turn off session tickets: clients without acks may lose events over TLS 1.3');
    return { minVersion: min_version };
  }
  log.warn(
    'this Node cannot turn off session tickets: TLS 1.3 is off, so that clients without acks lose nothing',
  );
  return { minVersion: min_version, maxVersion: 'TLSv1.2' };
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
      throw new TailraceError('FORWARD_TLS', `cannot read ${file}: ${systemReason(cause)}`, { cause });
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
    const message = `${options.cert} and ${options.key} are not a certificate and its key: ${(cause as Error).message}`;
    throw new TailraceError('FORWARD_TLS', message, { cause });
  }
  return files;
}

/** Uses new certificates for new connections as soon as their files are complete; keeps the old ones until then. */
function watchTlsFiles(
  server: tls.Server,
  options: TlsOptions,
  versions: tls.SecureContextOptions,
  last: string,
  log: Logger,
): NodeJS.Timeout {
  const timer = setInterval(() => {
    const now = stamp(options);
    if (now === last) return;
    last = now;
    try {
      server.setSecureContext({ ...readTlsFiles(options), ...versions });
      withoutTickets(contextOf(server));
      log.info({ cert: options.cert }, 'TLS certificate reloaded');
    } catch (error) {
      log.error({ err: error }, 'cannot use the new TLS certificate; the old one is kept');
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
