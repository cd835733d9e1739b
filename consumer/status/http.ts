/** The worker's HTTP server: /health, /metrics and /status. */
import { createServer, type Server } from 'node:http';
import { TailraceError } from '../../base/errors.ts';
import { parseHostPort } from '../../base/host-port.ts';
import type { Board } from './board.ts';
import { consumerMetrics } from './metrics.ts';

/** @throws TailraceError LISTEN when the address is taken */
export function serveBoard(listen: string, board: Board): Promise<Server> {
  const { host, port } = parseHostPort(listen)!;
  const server = createServer((request, response) => {
    // Not parsed as a URL: `//` is none, and an exception here would end the worker.
    const pathname = request.url?.split('?', 1)[0];
    const answer = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, 'text/plain', 'only GET\n');
    } else if (pathname === '/health') {
      const { faults, phase } = board.status();
      const body = { ok: faults.length === 0, phase, faults };
      answer(faults.length === 0 ? 200 : 503, 'application/json', `${JSON.stringify(body)}\n`);
    } else if (pathname === '/status') {
      answer(200, 'application/json', `${JSON.stringify(board.status())}\n`);
    } else if (pathname === '/metrics') {
      consumerMetrics(board).then(
        (text) => answer(200, 'text/plain; version=0.0.4; charset=utf-8', text),
        (error: Error) => answer(500, 'text/plain', `${error.message}\n`),
      );
    } else {
      answer(404, 'text/plain', 'there is /health, /metrics and /status\n');
    }
  });
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'the port is in use' : cause.message;
      reject(new TailraceError('LISTEN', `http.listen: ${listen}: ${why}`, { cause }));
    });
    server.listen(port, host, () => resolve(server));
  });
}
