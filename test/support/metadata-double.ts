/** A test double of EC2's instance metadata: version 2 only, with tokens that a test can expire. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** For inputs that add nothing of the instance. */
export const NO_METADATA = {
  endpoint: 'http://127.0.0.1:1',
  get: () => Promise.reject(new Error('the instance metadata is not to be asked')),
};

export class MetadataDouble {
  readonly endpoint: string;
  /** Texts by path below `latest/meta-data/`; what is missing is 404. */
  readonly values = new Map<string, string>([
    ['instance-id', 'i-0123456789abcdef0'],
    ['autoscaling/target-lifecycle-state', 'InService'],
  ]);
  /** Requested paths, in order. */
  readonly asked: string[] = [];
  tokens = 0;
  /** Requests refused while all were. */
  refused = 0;
  /** Paths that fail with this status; `*` means all, tokens included. */
  readonly failing = new Map<string, number>();
  #token: string | null = null;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request, response) => {
      const url = request.url!;
      if (this.failing.has('*')) {
        this.refused++;
        response.writeHead(this.failing.get('*')!).end();
        return;
      }
      if (request.method === 'PUT' && url === '/latest/api/token') {
        const ttl = Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds']);
        if (!(ttl >= 1 && ttl <= 21_600)) {
          response.writeHead(400).end();
          return;
        }
        this.tokens++;
        this.#token = `token-${this.tokens}`;
        response.end(this.#token);
        return;
      }
      if (this.#token === null || request.headers['x-aws-ec2-metadata-token'] !== this.#token) {
        response.writeHead(401).end();
        return;
      }
      const path = url.replace('/latest/meta-data/', '');
      this.asked.push(path);
      const value = this.values.get(path);
      const failing = this.failing.get(path);
      if (failing !== undefined) response.writeHead(failing).end();
      else if (value === undefined) response.writeHead(404).end('<html>not found</html>');
      else response.end(value);
    });
  }

  static async start(): Promise<MetadataDouble> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new MetadataDouble(server);
  }

  expireToken(): void {
    this.#token = null;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
