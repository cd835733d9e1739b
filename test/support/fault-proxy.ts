/** A proxy before Kinesis that refuses records of a request one by one, and loses answers after the put. */
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Faults {
  /** Share of records that are refused as throttled, 0 to 1. */
  readonly throttled: number;
  /** Share of PutRecords answers that are lost although the records are in the stream, 0 to 1. */
  readonly lost: number;
}

interface Put {
  readonly Records: readonly unknown[];
}

interface PutAnswer {
  readonly Records: readonly Readonly<Record<string, unknown>>[];
}

const THROTTLED = { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'Rate exceeded' };

export class FaultProxy {
  readonly endpoint: string;
  readonly #server: http.Server;
  readonly #target: string;
  readonly #faults: Faults;
  #puts = 0;
  /** Evenly spread, so that a short run loses answers too. */
  #nextLost = 5;
  /** What was done to requests so far. */
  readonly done = { throttled: 0, lost: 0, passed: 0 };

  private constructor(server: http.Server, target: string, faults: Faults) {
    this.#server = server;
    this.#target = target;
    this.#faults = faults;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(target: string, faults: Faults): Promise<FaultProxy> {
    let proxy: FaultProxy | null = null;
    const server = http.createServer((request, response) => {
      proxy!.#handle(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxy = new FaultProxy(server, target, faults);
    return proxy;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts).toString();
    if (!String(request.headers['x-amz-target']).endsWith('.PutRecords')) {
      const { status, text } = await this.#pass(request, body);
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(text);
      return;
    }
    const put = JSON.parse(body) as Put;
    const refused = put.Records.map(() => Math.random() < this.#faults.throttled);
    const kept = put.Records.filter((_, i) => !refused[i]);
    this.done.throttled += put.Records.length - kept.length;
    let taken: PutAnswer['Records'] = [];
    if (kept.length > 0) {
      const { status, text } = await this.#pass(request, JSON.stringify({ ...put, Records: kept }));
      if (status !== 200) {
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(text);
        return;
      }
      taken = (JSON.parse(text) as PutAnswer).Records;
    }
    this.#puts++;
    if (kept.length > 0 && this.#faults.lost > 0 && this.#puts >= this.#nextLost) {
      this.#nextLost = this.#puts + Math.round(1 / this.#faults.lost);
      this.done.lost++;
      response.destroy();
      return;
    }
    let next = 0;
    const Records = refused.map((no) => (no ? THROTTLED : taken[next++]));
    const answer = { Records, FailedRecordCount: put.Records.length - kept.length };
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(answer));
    this.done.passed++;
  }

  async #pass(request: http.IncomingMessage, body: string): Promise<{ status: number; text: string }> {
    const headers: Record<string, string> = {};
    for (const name of ['x-amz-target', 'content-type', 'authorization', 'x-amz-date']) {
      const value = request.headers[name];
      if (typeof value === 'string') headers[name] = value;
    }
    const answer = await fetch(this.#target, { method: 'POST', headers, body });
    return { status: answer.status, text: await answer.text() };
  }
}
