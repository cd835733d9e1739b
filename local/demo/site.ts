/** The demo's web server: a small shop that answers real HTTP requests and reports each one once answered. */
import * as http from 'node:http';
import type { Access } from './access-log.ts';

const PRODUCTS = 500;
const PAGE = 'Everything is in stock.\n'.repeat(40);

/** @param onAnswered called once per request, after its response was written to the socket */
export function createSite(onAnswered: (access: Access, number: number) => void): http.Server {
  return http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const target = request.url ?? '/';
    const url = new URL(target, 'http://shop');
    const { status, body, headers } = answer(request.method ?? 'GET', url);
    request.resume();
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...headers });
    response.end(request.method === 'HEAD' ? undefined : body, () => {
      onAnswered(
        {
          // As behind a load balancer with nginx's realip module.
          remoteAddress: header(request, 'x-forwarded-for') || '127.0.0.1',
          user: '',
          timeMs: Date.now(),
          method: request.method ?? 'GET',
          target,
          httpVersion: request.httpVersion,
          status,
          bytes: request.method === 'HEAD' ? 0 : Buffer.byteLength(body),
          referer: header(request, 'referer'),
          userAgent: header(request, 'user-agent'),
        },
        Number(url.searchParams.get('event')),
      );
    });
  });
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

function answer(method: string, url: URL): Answer {
  if (url.pathname === '/') return { status: 200, body: PAGE, headers: {} };
  const product = /^\/products\/(\d+)$/.exec(url.pathname)?.[1];
  if (product !== undefined) {
    if (Number(product) > PRODUCTS) return { status: 404, body: 'No such product.\n', headers: {} };
    const body = `<h1>Product ${product}</h1>\n${PAGE.slice(0, 24 * (Number(product) % 40))}`;
    return { status: 200, body, headers: {} };
  }
  if (url.pathname === '/search') {
    return { status: 200, body: `Results for ${url.searchParams.get('q')}\n`, headers: {} };
  }
  if (url.pathname === '/cart') {
    if (method !== 'POST') return { status: 405, body: '', headers: { allow: 'POST' } };
    return { status: 303, body: '', headers: { location: '/checkout' } };
  }
  if (url.pathname === '/checkout') return { status: 503, body: 'One moment, please.\n', headers: {} };
  return { status: 404, body: 'Nothing here.\n', headers: {} };
}

function header(request: http.IncomingMessage, name: string): string {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : (value ?? '');
}
