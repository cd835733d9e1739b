/** A proxy in front of an S3 that acts as S3 does on a bad day: errors, resets, responses dropped after the work. */
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';

/** The response to all calls while it is set. */
export type Refusal = 'access_denied' | 'no_such_bucket';

const REFUSALS: Readonly<Record<Refusal, readonly [status: number, code: string]>> = {
  access_denied: [403, 'AccessDenied'],
  no_such_bucket: [404, 'NoSuchBucket'],
};
const PASSING = [
  [500, 'InternalError'],
  [503, 'SlowDown'],
  [409, 'ConditionalRequestConflict'],
] as const;

export class S3FaultProxy {
  readonly endpoint: string;
  refusal: Refusal | null = null;
  /** How often each fault replaced a call or its response. */
  readonly done = new Map<string, number>();
  readonly #server: http.Server;
  readonly #target: string;
  readonly #agent = new http.Agent({ keepAlive: true });
  #calls = 0;

  private constructor(server: http.Server, target: string) {
    this.#server = server;
    this.#target = target;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(target: string): Promise<S3FaultProxy> {
    let proxy: S3FaultProxy | null = null;
    const server = http.createServer((request, response) => {
      proxy!.#handle(request, response).catch(() => response.destroy());
    });
    // A body sent with Expect: 100-continue is accepted like any other.
    server.on('checkContinue', (request, response) => {
      response.writeContinue();
      server.emit('request', request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxy = new S3FaultProxy(server, target);
    return proxy;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (this.refusal !== null) return this.#refuse(response, this.refusal, ...REFUSALS[this.refusal]);
    this.#calls += 1;
    // Evenly spread: of eight calls one fails, one is reset, and one succeeds but its response is dropped.
    const turn = this.#calls % 8;
    if (turn === 3) {
      const [status, code] = PASSING[Math.floor(this.#calls / 8) % PASSING.length]!;
      return this.#refuse(response, code, status, code);
    }
    if (turn === 5) {
      this.#count('reset');
      request.socket.destroy();
      return;
    }
    const answer = await this.#pass(request, Buffer.concat(parts));
    if (turn === 7) {
      this.#count(`lost ${request.method}`);
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  #refuse(response: http.ServerResponse, what: string, status: number, code: string): void {
    this.#count(what);
    const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
    response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
  }

  #pass(
    request: http.IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const { expect: _, ...headers } = request.headers;
      const options = { method: request.method!, headers, agent: this.#agent };
      const onward = http.request(`${this.#target}${request.url}`, options, async (answer) => {
        const parts: Buffer[] = [];
        for await (const part of answer) parts.push(part as Buffer);
        const { 'transfer-encoding': __, ...rest } = answer.headers;
        resolve({ status: answer.statusCode!, headers: rest, body: Buffer.concat(parts) });
      });
      onward.on('error', reject);
      onward.end(body);
    });
  }

  #count(what: string): void {
    this.done.set(what, (this.done.get(what) ?? 0) + 1);
  }
}
