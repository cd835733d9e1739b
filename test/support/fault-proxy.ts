/**
 * A proxy in front of an AWS HTTP service that fails requests, drops responses after they took effect, and rejects
 * some records of a PutRecords request.
 */
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';

/** A response that the service itself would send. */
export interface Failure {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Shares of requests, 0 to 1, by what happens to them. */
export interface Faults {
  /** Records of PutRecords rejected as throttled. */
  readonly throttled: number;
  /** Requests that take effect but whose response is dropped. */
  readonly lost: number;
  /** Requests answered with `failure`, without effect. */
  readonly failed: number;
  readonly failure: Failure;
  /** Connections reset before the request is passed on. */
  readonly reset: number;
  /** Requests never answered, without effect. */
  readonly hung: number;
  /** Responses that are delayed, and the maximum delay in milliseconds. */
  readonly late: number;
  readonly lateMs: number;
}

interface Put {
  readonly Records: readonly unknown[];
}

interface PutAnswer {
  readonly Records: readonly Readonly<Record<string, unknown>>[];
}

interface Answer {
  readonly status: number;
  /** Whether any part of the request was passed on: without an effect there is no lost response. */
  readonly hadEffect: boolean;
  readonly headers: http.OutgoingHttpHeaders;
  readonly body: Buffer;
}

const THROTTLED = { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'Rate exceeded' };
const JSON_TYPE = 'application/x-amz-json-1.1';
/** Hop-by-hop headers (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding']);
/** Request headers that are replaced, or were handled here. */
const NOT_PASSED = new Set([...HOP_BY_HOP, 'content-length', 'host', 'expect']);

const NO_FAULTS: Faults = {
  throttled: 0,
  lost: 0,
  failed: 0,
  failure: { status: 500, type: JSON_TYPE, body: '{"__type":"InternalFailure"}' },
  reset: 0,
  hung: 0,
  late: 0,
  lateMs: 0,
};

export class FaultProxy {
  readonly endpoint: string;
  readonly #server: http.Server;
  readonly #target: URL;
  readonly #random: () => number;
  readonly #agent = new http.Agent({ keepAlive: true });
  #faults: Faults;
  #answers = 0;
  /** Evenly spread, so that a short run drops responses too. */
  #nextLost = 5;
  /** What has been done to requests so far. */
  readonly done = { throttled: 0, lost: 0, failed: 0, reset: 0, hung: 0, late: 0, passed: 0 };

  private constructor(server: http.Server, target: string, faults: Faults, random: () => number) {
    this.#server = server;
    this.#target = new URL(target);
    this.#faults = faults;
    this.#random = random;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(target: string, faults: Partial<Faults>, random: () => number): Promise<FaultProxy> {
    let proxy: FaultProxy | null = null;
    const server = http.createServer((request, response) => {
      // A client, or the service, that disconnects midway.
      response.on('error', () => {});
      proxy!.#handle(request, response).catch(() => response.destroy());
    });
    server.requestTimeout = 0;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxy = new FaultProxy(server, target, { ...NO_FAULTS, ...faults }, random);
    return proxy;
  }

  /** Applies from now until the next call. */
  set faults(faults: Partial<Faults>) {
    this.#faults = { ...NO_FAULTS, ...faults };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const faults = this.#faults;
    if (this.#random() < faults.reset) {
      this.done.reset++;
      request.socket.resetAndDestroy();
      return;
    }
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    if (this.#random() < faults.hung) {
      this.done.hung++;
      return;
    }
    if (this.#random() < faults.failed) {
      this.done.failed++;
      response.writeHead(faults.failure.status, { 'content-type': faults.failure.type });
      response.end(request.method === 'HEAD' ? '' : faults.failure.body);
      return;
    }
    const isPut = String(request.headers['x-amz-target']).endsWith('.PutRecords');
    const answer =
      isPut && faults.throttled > 0
        ? await this.#putSome(request, body, faults.throttled)
        : await this.#pass(request, body);
    if (this.#random() < faults.late) {
      this.done.late++;
      await new Promise((resolve) => setTimeout(resolve, this.#random() * faults.lateMs));
    }
    if (answer.status === 200 && answer.hadEffect && this.#loses(faults.lost)) {
      this.done.lost++;
      response.destroy();
      return;
    }
    this.done.passed++;
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  #loses(share: number): boolean {
    if (share === 0) return false;
    if (++this.#answers < this.#nextLost) return false;
    this.#nextLost = this.#answers + Math.round(1 / share);
    return true;
  }

  /** Rejects a share of the records and puts the others. */
  async #putSome(request: http.IncomingMessage, body: Buffer, share: number): Promise<Answer> {
    const put = JSON.parse(body.toString()) as Put;
    const refused = put.Records.map(() => this.#random() < share);
    const kept = put.Records.filter((_, i) => !refused[i]);
    this.done.throttled += put.Records.length - kept.length;
    let taken: PutAnswer['Records'] = [];
    if (kept.length > 0) {
      const answer = await this.#pass(request, Buffer.from(JSON.stringify({ ...put, Records: kept })));
      if (answer.status !== 200) return answer;
      taken = (JSON.parse(answer.body.toString()) as PutAnswer).Records;
    }
    let next = 0;
    const Records = refused.map((no) => (no ? THROTTLED : taken[next++]));
    const text = JSON.stringify({ Records, FailedRecordCount: put.Records.length - kept.length });
    const headers = { 'content-type': JSON_TYPE };
    return { status: 200, hadEffect: kept.length > 0, headers, body: Buffer.from(text) };
  }

  #pass(request: http.IncomingMessage, body: Buffer): Promise<Answer> {
    const headers: http.OutgoingHttpHeaders = { host: request.headers.host, 'content-length': body.length };
    for (const [name, value] of Object.entries(request.headers)) {
      if (!NOT_PASSED.has(name)) headers[name] = value;
    }
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.#target;
      const path = request.url ?? '/';
      const options = { agent: this.#agent, hostname, port, path, method: request.method!, headers };
      const inner = http.request(options, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.once('error', reject);
        answer.once('end', () => {
          const kept = Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name));
          resolve({
            status: answer.statusCode!,
            hadEffect: true,
            headers: Object.fromEntries(kept) as http.OutgoingHttpHeaders,
            body: Buffer.concat(parts),
          });
        });
      });
      inner.once('error', reject);
      inner.end(body);
    });
  }
}
