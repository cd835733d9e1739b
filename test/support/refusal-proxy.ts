/**
 * A proxy in front of a local stand-in that refuses requests in the words of AWS. It speaks HTTP/1.1 and HTTP/2, as KCL
 * needs, and passes everything else on.
 */
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';

export type Service = 'kinesis' | 'dynamodb' | 's3';

export interface Asked {
  readonly service: Service;
  readonly method: string;
  /** Of Kinesis and DynamoDB. */
  readonly operation: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
}

export interface AwsError {
  readonly status: number;
  /** Of Kinesis and DynamoDB the `__type`, of S3 the Code. */
  readonly code: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What is answered instead of passing the request on; null passes it on. */
export type Refuse = (asked: Asked) => AwsError | null;

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'expect', 'http2-settings']);

export class RefusalProxy {
  readonly endpoint: string;
  refuse: Refuse = () => null;
  /** Requests that were refused. */
  refused = 0;
  readonly #service: Service;
  readonly #target: string;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #agent = new http.Agent({ keepAlive: true });

  private constructor(server: net.Server, service: Service, target: string) {
    this.#server = server;
    this.#service = service;
    this.#target = target;
    this.endpoint = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  }

  static async start(service: Service, target: string): Promise<RefusalProxy> {
    let proxy: RefusalProxy | null = null;
    const handle = (request: http.IncomingMessage, response: http.ServerResponse): void => {
      proxy!.#handle(request, response).catch(() => response.destroy());
    };
    const http1 = http.createServer(handle);
    http1.on('checkContinue', (request, response) => {
      response.writeContinue();
      handle(request, response);
    });
    const http2Server = http2.createServer(handle as never);
    http2Server.on('sessionError', () => {});
    const server = net.createServer((socket) => {
      proxy!.#sockets.add(socket);
      socket.on('close', () => proxy!.#sockets.delete(socket)).on('error', () => {});
      socket.once('readable', () => {
        const first = socket.read() as Buffer | null;
        if (first === null) return;
        socket.unshift(first);
        // HTTP/2's preface starts with a method that HTTP/1.1 does not have (RFC 9113, section 3.4).
        (first.toString('latin1', 0, 3) === 'PRI' ? http2Server : http1).emit('connection', socket);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxy = new RefusalProxy(server, service, target);
    return proxy;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { method = 'GET', headers, url: path = '/' } = request;
    const operation = String(headers['x-amz-target'] ?? '').split('.')[1] ?? '';
    const error = this.refuse({ service: this.#service, method, operation, path, headers });
    if (error !== null) {
      this.refused += 1;
      this.#answer(response, method, error, String(headers['content-type']).includes('cbor'));
      return;
    }
    await this.#pass(request, response, Buffer.concat(parts));
  }

  #answer(response: http.ServerResponse, method: string, error: AwsError, isCbor: boolean): void {
    const { status, code, message, headers = {} } = error;
    const id = { 'x-amz-request-id': '4442587FB7D0A2F9', ...headers };
    if (this.#service === 's3') {
      const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>`;
      response.writeHead(status, { 'content-type': 'application/xml', ...id });
      response.end(method === 'HEAD' ? undefined : body);
      return;
    }
    if (isCbor) {
      response.writeHead(status, { 'content-type': 'application/x-amz-cbor-1.1', ...id });
      response.end(cborOf({ __type: code, message }));
      return;
    }
    const type = this.#service === 'kinesis' ? 'application/x-amz-json-1.1' : 'application/x-amz-json-1.0';
    response.writeHead(status, { 'content-type': type, ...id });
    response.end(JSON.stringify({ __type: code, message }));
  }

  #pass(request: http.IncomingMessage, response: http.ServerResponse, body: Buffer): Promise<void> {
    const headers: http.OutgoingHttpHeaders = { 'content-length': body.length };
    for (const [name, value] of Object.entries(request.headers)) {
      if (!HOP_BY_HOP.has(name) && !name.startsWith(':')) headers[name] = value;
    }
    // What was signed is HTTP/2's :authority.
    headers['host'] ??= request.headers[':authority'] as string | undefined;
    return new Promise((resolve, reject) => {
      const options = { method: request.method!, headers, agent: this.#agent };
      const onward = http.request(`${this.#target}${request.url}`, options, (answer) => {
        const kept = Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name));
        response.writeHead(answer.statusCode!, Object.fromEntries(kept) as http.OutgoingHttpHeaders);
        answer.pipe(response);
        answer.once('end', resolve).once('error', reject);
      });
      onward.once('error', reject);
      onward.end(body);
    });
  }
}

/** A map of short texts (RFC 8949), as Kinesis answers KCL. */
function cborOf(texts: Readonly<Record<string, string>>): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Buffer.of(0x79, bytes.length >> 8, bytes.length & 0xff), bytes]);
  };
  const entries = Object.entries(texts);
  return Buffer.concat([Buffer.of(0xa0 | entries.length), ...entries.flat().map(text)]);
}
