/** A server for HTTP/1.1 and cleartext HTTP/2 on one port that proxies requests to an HTTP/1.1 server. */
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { pipeline } from 'node:stream';
import { rejectionOf } from './limits.ts';

/** The first bytes of an HTTP/2 connection (RFC 9113, section 3.4); no HTTP/1.1 method starts like this. */
const HTTP2_PREFACE = 'PRI';
/** Hop-by-hop headers: HTTP/2 forbids them (RFC 9113, section 8.2.2). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

type Request = http.IncomingMessage | http2.Http2ServerRequest;

export interface Front {
  readonly server: net.Server;
  /** Stops accepting connections and closes the existing ones. */
  closeAll(): void;
}

/** @param port the loopback port of the upstream server, known once it listens */
export function createFront(port: Promise<number>): Front {
  // Idle connections are closed before kinesis-local closes them (60 s), or a request could hit a closing one.
  const agent = new http.Agent({ keepAlive: true, timeout: 30_000 });
  const pass = (request: Request, response: http.ServerResponse): void => {
    void port.then((innerPort) => {
      const isPut = String(request.headers['x-amz-target']).endsWith('.PutRecords');
      const isJson = String(request.headers['content-type']).includes('json');
      if (isPut && isJson) void forwardPut(agent, innerPort, request, response);
      else pipeline(request, forward(agent, innerPort, request, response), () => {});
    });
  };
  const http1Server = http.createServer({ keepAliveTimeout: 75_000, requestTimeout: 0 }, pass);
  const http2Server = http2.createServer((request, response) =>
    // Node's compatibility layer: the same methods, another class.
    pass(request, response as unknown as http.ServerResponse),
  );
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setNoDelay(true);
    socket.once('readable', () => {
      const first = socket.read() as Buffer | null;
      if (first === null) {
        socket.destroy();
        return;
      }
      const inner = first.toString('latin1', 0, 3) === HTTP2_PREFACE ? http2Server : http1Server;
      socket.unshift(first);
      inner.emit('connection', socket);
    });
  });
  return {
    server,
    closeAll: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      agent.destroy();
    },
  };
}

/** Reads a PutRecords request, and answers what Kinesis would refuse itself. */
async function forwardPut(
  agent: http.Agent,
  port: number,
  request: Request,
  response: http.ServerResponse,
): Promise<void> {
  const parts: Buffer[] = [];
  try {
    for await (const part of request) parts.push(part as Buffer);
  } catch {
    // The caller went away in the middle.
    response.destroy();
    return;
  }
  const body = Buffer.concat(parts);
  const rejection = rejectionOf(body);
  if (rejection === null) {
    forward(agent, port, request, response).end(body);
    return;
  }
  response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' });
  response.end(JSON.stringify(rejection));
}

/** @returns what the request's body is to be written to */
function forward(
  agent: http.Agent,
  port: number,
  request: Request,
  response: http.ServerResponse,
): http.ClientRequest {
  const inner = http.request({
    agent,
    host: '127.0.0.1',
    port,
    method: request.method!,
    path: request.url!,
    headers: endToEnd(request.headers),
  });
  inner.once('response', (answer) => {
    response.writeHead(answer.statusCode!, endToEnd(answer.headers));
    pipeline(answer, response, () => {});
  });
  inner.once('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  // When a caller disconnects, its request is aborted: a subscription would otherwise stay open forever.
  response.once('close', () => {
    if (!response.writableFinished) inner.destroy();
  });
  return inner;
}

function endToEnd(headers: http.IncomingHttpHeaders): http.OutgoingHttpHeaders {
  const kept: http.OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(':') && !HOP_BY_HOP.has(name)) kept[name] = value;
  }
  if (kept.host === undefined && headers[':authority'] !== undefined)
    kept.host = String(headers[':authority']);
  return kept;
}
