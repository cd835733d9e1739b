/** EC2's instance metadata service, version 2: a session token first, then plain GETs. */
import { request } from 'node:http';

const TOKEN_SECONDS = 21_600;
/** A token is renewed after this part of its lifetime. */
const RENEW_AFTER_MS = (TOKEN_SECONDS * 1000 * 3) / 4;
const TIMEOUT_MS = 2000;

/** Reads `latest/meta-data/…` with a token that it keeps and renews. */
export class Metadata {
  readonly endpoint: string;
  readonly #now: () => number;
  #token: { readonly value: string; readonly at: number } | null = null;

  constructor(endpoint: string, now: () => number = () => performance.now()) {
    this.endpoint = endpoint.replace(/\/$/, '');
    this.#now = now;
  }

  /**
   * The text at `path`, or null when there is none (404).
   *
   * @throws Error when the service does not respond
   */
  async get(path: string): Promise<string | null> {
    for (let tries = 0; ; tries++) {
      const token = await this.#tokenValue();
      const { status, body } = await this.#request('GET', `/latest/meta-data/${path}`, {
        'x-aws-ec2-metadata-token': token,
      });
      if (status === 200) return body.trim();
      if (status === 404) return null;
      // The token predates a restart of the service: retry once with a new one.
      if (status === 401) this.#token = null;
      if (status !== 401 || tries > 0) throw new Error(`metadata ${path}: status ${status}`);
    }
  }

  async #tokenValue(): Promise<string> {
    if (this.#token && this.#now() - this.#token.at < RENEW_AFTER_MS) return this.#token.value;
    const { status, body } = await this.#request('PUT', '/latest/api/token', {
      'x-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_SECONDS),
    });
    if (status !== 200) throw new Error(`metadata token: status ${status}`);
    this.#token = { value: body, at: this.#now() };
    return body;
  }

  #request(
    method: string,
    path: string,
    headers: Record<string, string>,
  ): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const sent = request(`${this.endpoint}${path}`, { method, headers, signal }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          body += text;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end();
    });
  }
}
