/** The console's door: no requests through a foreign name or from another page, and where there is a token, none without it. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface Refusal {
  readonly status: number;
  readonly text: string;
}

/** Names under which a browser on this machine, or at the end of a tunnel, reaches a loopback address. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;
const COOKIE = 'tailrace_console';
/** Shorter ones can be guessed. */
export const LEAST_TOKEN = 16;

export class Door {
  readonly #token: string | null;
  /** What the cookie has in place of the token; another one in each run. */
  readonly #session: string;

  constructor(token: string | null) {
    this.#token = token;
    this.#session = token === null ? '' : createHmac('sha256', randomBytes(32)).update(token).digest('hex');
  }

  /** @returns null when the request may be answered */
  refusal(method: string, path: string, headers: IncomingHttpHeaders): Refusal | null {
    if (method !== 'GET' && method !== 'HEAD')
      return { status: 405, text: 'the console only reads: GET or HEAD' };
    // A page of another site whose name leads here (DNS rebinding) has its own name in this header.
    if (this.#token === null && !LOOPBACK.test(headers.host ?? ''))
      return { status: 421, text: 'without a token, the console answers to localhost and 127.0.0.1 alone' };
    const site = headers['sec-fetch-site'];
    const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none';
    // A link from elsewhere may open the page; what the page asks for comes from the page.
    const isVisit = headers['sec-fetch-mode'] === 'navigate' && (path === '/' || path === '/index.html');
    if (isForeign && !isVisit) return { status: 403, text: 'another site asked for this' };
    if (this.#token !== null && !this.#isKnown(headers))
      return {
        status: 401,
        text: 'this console needs its token: open http://HOST:PORT/?token=TOKEN once, or send Authorization: Bearer TOKEN',
      };
    return null;
  }

  /** The cookie for a browser that brings the right token; null for any other. */
  cookieFor(token: string | null): string | null {
    if (this.#token === null || token === null || !isSame(token, this.#token)) return null;
    return `${COOKIE}=${this.#session}; HttpOnly; SameSite=Lax; Path=/`;
  }

  #isKnown({ cookie = '', authorization = '' }: IncomingHttpHeaders): boolean {
    const bearer = /^Bearer (.+)$/i.exec(authorization)?.[1];
    if (bearer !== undefined) return isSame(bearer, this.#token!);
    const found = cookie.split(/;\s*/).find((part) => part.startsWith(`${COOKIE}=`));
    return found !== undefined && isSame(found.slice(COOKIE.length + 1), this.#session);
  }
}

function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
