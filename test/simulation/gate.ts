/** A gate before a service: each call of one role is judged by IAM, and what is allowed is passed on as it came. */
import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createFront, type Front } from '../../local/kinesis/front.ts';
import type { Call, Iam } from './iam.ts';

export interface GatedRequest {
  readonly method: string;
  readonly url: URL;
  /** Operation of the JSON protocols; empty for S3. */
  readonly operation: string;
  readonly body: Buffer;
}

export interface Gate {
  readonly endpoint: string;
  stop(): Promise<void>;
}

/** What a service says of a request, by its rules. */
export interface Rules {
  /** What the request needs before anything is done. */
  readonly needs: (request: GatedRequest) => readonly Call[];
  /** What the caller needs as well to learn that there is no such thing. */
  readonly absent?: (request: GatedRequest) => readonly Call[];
}

/** HTTP/1.1 and HTTP/2 before an HTTP/1.1 server at `target`. */
export async function startGate(target: string, iam: Iam, role: string, rules: Rules): Promise<Gate> {
  const allowed = (calls: readonly Call[]): boolean => calls.every((call) => iam.allows(role, call));
  const agent = new http.Agent({ keepAlive: true });
  const inner = http.createServer((request, response) => void handle(request, response));
  async function handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const url = new URL(request.url!, target);
    const [, operation = ''] = String(request.headers['x-amz-target'] ?? '').split('.');
    const gated = { method: request.method!, url, operation, body };
    const refuse = (): void => {
      const text = operation === '' ? '<Error><Code>AccessDenied</Code></Error>' : DENIED;
      response.writeHead(operation === '' ? 403 : 400).end(request.method === 'HEAD' ? '' : text);
    };
    if (!allowed(rules.needs(gated))) return refuse();
    const headers: http.OutgoingHttpHeaders = { ...request.headers, 'content-length': body.length };
    delete headers['transfer-encoding'];
    const passed = http.request({
      agent,
      host: url.hostname,
      port: url.port,
      method: gated.method,
      path: request.url!,
      headers,
    });
    passed.once('error', () => response.destroy());
    passed.once('response', (answer) => {
      if (answer.statusCode === 404 && !allowed(rules.absent?.(gated) ?? [])) {
        answer.resume();
        return refuse();
      }
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    passed.end(body);
  }
  inner.listen(0, '127.0.0.1');
  await once(inner, 'listening');
  const front: Front = createFront(Promise.resolve((inner.address() as AddressInfo).port));
  front.server.listen(0, '127.0.0.1');
  await once(front.server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(front.server.address() as AddressInfo).port}`,
    stop: async () => {
      front.closeAll();
      inner.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => inner.close(resolve));
    },
  };
}

const DENIED = JSON.stringify({ __type: 'AccessDeniedException', message: 'simulated' });
