/** The demo's load: requests as a shop's visitors make them, over real connections, each with the number of its event. */
import * as http from 'node:http';

const USER_AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
  'curl/8.14.1',
  'a "quoted" \\ agent',
  '',
];
const PATHS = [
  '/',
  '/products/%d',
  '/products/%d',
  '/products/%d',
  '/search?q=gr%C3%BCner+tee',
  '/cart',
  '/checkout',
  '/wp-login.php',
];
const REFERERS = ['', '', 'https://shop.example/', 'https://search.example/?q=tea&hl=de'];

export class Visitors {
  readonly #port: number;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 32 });

  /** @param port the site's port on 127.0.0.1 */
  constructor(port: number) {
    this.#port = port;
  }

  /** Makes the request that carries `number`; resolves when its response has been read, rejects without one. */
  visit(number: number): Promise<void> {
    const path = pick(PATHS, number).replace('%d', String((number * 7919) % 520));
    const userAgent = pick(USER_AGENTS, Math.floor(number / 3));
    const referer = pick(REFERERS, Math.floor(number / 5));
    return new Promise((resolve, reject) => {
      const request = http.request(
        {
          agent: this.#agent,
          host: '127.0.0.1',
          port: this.#port,
          method: path === '/cart' ? 'POST' : number % 50 === 0 ? 'HEAD' : 'GET',
          path: `${path}${path.includes('?') ? '&' : '?'}event=${number}`,
          headers: {
            'x-forwarded-for': `203.0.113.${number % 254}`,
            ...(userAgent === '' ? {} : { 'user-agent': userAgent }),
            ...(referer === '' ? {} : { referer }),
          },
        },
        (response) => {
          response.resume();
          response.once('end', resolve);
          response.once('error', reject);
        },
      );
      request.once('error', reject);
      request.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function pick<T>(choices: readonly T[], number: number): T {
  return choices[number % choices.length]!;
}
