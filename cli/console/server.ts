/** The console's HTTP server: its page, what the page shows as JSON and as server-sent events, and answers to searches and queries. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { TailraceError } from '../../base/errors.ts';
import type { Door } from './door.ts';
import type { Hub } from './hub.ts';
import type { PageFile } from './page-files.ts';

/** Answers a request that takes its time, a line of JSON after another. */
export type Answerer = (
  parameters: URLSearchParams,
  say: (line: object) => Promise<void>,
  signal: AbortSignal,
) => Promise<void>;

export interface ConsoleParts {
  readonly hub: Hub;
  readonly door: Door;
  readonly page: ReadonlyMap<string, PageFile>;
  /** By path; each with how many of them may be under way. */
  readonly answerers: Readonly<Record<string, { readonly most: number; readonly answer: Answerer }>>;
}

const MOST_WATCHERS = 32;
const MOST_CONNECTIONS = 256;
/** A proxy may end a connection on which nothing comes for a minute. */
const ALIVE_MS = 25_000;

const SECURITY = {
  // uPlot and the page set styles through the DOM, which this allows; nothing comes from elsewhere.
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

export class ConsoleServer {
  readonly #parts: ConsoleParts;
  readonly #server: Server;
  readonly #ending = new AbortController();
  readonly #underWay = new Map<string, number>();

  constructor(parts: ConsoleParts) {
    this.#parts = parts;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: Error) => fail(response, error));
    });
    this.#server.maxConnections = MOST_CONNECTIONS;
  }

  /**
   * @returns the port
   * @throws TailraceError LISTEN when the address cannot be used
   */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => reject(listenError(host, port, cause)));
      this.#server.listen(port, host, () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#parts.hub.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(SECURITY)) response.setHeader(name, value);
    response.on('error', () => {});
    const url = new URL(`http://console${request.url?.startsWith('/') ? request.url : '/'}`);
    const { door } = this.#parts;
    if (url.pathname === '/' && request.method === 'GET') {
      const cookie = door.cookieFor(url.searchParams.get('token'));
      if (cookie !== null) {
        // The token does not stay in the address.
        response.writeHead(303, { 'set-cookie': cookie, location: '/', 'cache-control': 'no-store' }).end();
        return;
      }
    }
    const refusal = door.refusal(request.method ?? '', url.pathname, request.headers);
    if (refusal !== null) {
      text(response, refusal.status, refusal.text);
      return;
    }
    await this.#route(url, request, response);
  }

  async #route(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { hub, page, answerers } = this.#parts;
    const { pathname, searchParams } = url;
    const answerer = Object.hasOwn(answerers, pathname) ? answerers[pathname] : undefined;
    if (pathname === '/api/now') json(response, await hub.now());
    else if (pathname === '/api/past') json(response, await hub.past());
    else if (pathname === '/api/live') this.#live(request, response);
    else if (answerer) await this.#stream(pathname, answerer, searchParams, request, response);
    else {
      const file = page.get(pathname === '/' ? '/index.html' : pathname);
      if (file) send(request, response, file);
      else text(response, 404, 'there is no such page');
    }
  }

  /** Server-sent events for as long as the page is open and visible. */
  #live(request: IncomingMessage, response: ServerResponse): void {
    const { hub } = this.#parts;
    if (request.method === 'HEAD') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end();
      return;
    }
    if (hub.watchers >= MOST_WATCHERS) {
      text(response, 503, `${MOST_WATCHERS} pages are open already: close some`);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const stop = hub.watch((event, data) => {
      // A page that does not take what it gets misses some of it; the next has all.
      if (response.writableLength < 4 * 1024 * 1024) response.write(`event: ${event}\ndata: ${data}\n\n`);
    });
    const alive = setInterval(() => response.write(': \n\n'), ALIVE_MS);
    response.on('close', () => {
      clearInterval(alive);
      stop();
    });
  }

  async #stream(
    path: string,
    { most, answer }: ConsoleParts['answerers'][string],
    parameters: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const head = { 'content-type': 'application/x-ndjson; charset=utf-8', 'cache-control': 'no-store' };
    if (request.method === 'HEAD') {
      response.writeHead(200, head).end();
      return;
    }
    const under = this.#underWay.get(path) ?? 0;
    if (under >= most) {
      response.writeHead(429, head);
      response.end(
        `${JSON.stringify({ error: `${under} of these are under way: stop one, or wait for its end` })}\n`,
      );
      return;
    }
    this.#underWay.set(path, under + 1);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    response.writeHead(200, head);
    const say = async (line: object): Promise<void> => {
      if (response.destroyed || response.write(`${JSON.stringify(line)}\n`)) return;
      await new Promise<void>((resolve) => {
        response.once('drain', resolve);
        response.once('close', resolve);
      });
    };
    try {
      await answer(parameters, say, AbortSignal.any([gone.signal, this.#ending.signal]));
    } catch (error) {
      await say({ error: messageOf(error) });
    } finally {
      this.#underWay.set(path, this.#underWay.get(path)! - 1);
      response.end();
    }
  }
}

function listenError(host: string, port: number, cause: NodeJS.ErrnoException): TailraceError {
  const why =
    cause.code === 'EADDRINUSE'
      ? `port ${port} on ${host} is in use, perhaps by another console: choose one with --port, or 0 for any free one`
      : `cannot listen on ${host}, port ${port}: ${cause.message}`;
  return new TailraceError('LISTEN', why, { cause });
}

/** What went wrong, for the page: what is raised on purpose says what to do, anything else is a fault to report. */
function messageOf(error: unknown): string {
  if (error instanceof TailraceError) return error.message;
  return `unexpected error, please report it: ${(error as Error).message}`;
}

function fail(response: ServerResponse, error: Error): void {
  if (response.headersSent) response.destroy();
  else text(response, 500, messageOf(error));
}

function text(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
  });
  response.end(`${body}\n`);
}

function json(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(value)}\n`);
}

function send(request: IncomingMessage, response: ServerResponse, { type, body, etag }: PageFile): void {
  const head = { etag, 'cache-control': 'no-cache' };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, head).end();
    return;
  }
  response.writeHead(200, { ...head, 'content-type': type, 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}
