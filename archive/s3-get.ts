/**
 * Reads and lists objects with the SDK's signer and connections, past its middleware, which takes more than half of the CPU
 * of reading a small object, and past its parser of XML, which takes most of that of a listing. It learns from the SDK's first read where objects are and how requests are signed, and takes an object
 * that is there. An S3 that is busy or has failed is left to whoever waits for it and retries; whatever else is answered,
 * the SDK is asked, and says what is wrong.
 */
import type { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type ListedPage, parseListing } from './s3-list.ts';

/** The SDK's own, as far as it is used here. */
interface HttpRequest {
  method: string;
  protocol: string;
  hostname: string;
  path: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  clone(): HttpRequest;
}

/** What the first read says of all others. */
interface Known {
  readonly request: HttpRequest;
  /** What the path of every object begins with. */
  readonly base: string;
  readonly region: string;
  readonly service: string;
}

const SIGNED = /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d+\/([^/]+)\/([^/]+)\//;

export class QuickReads {
  readonly #config: S3Client['config'];
  #known: Known | null = null;

  constructor({ config }: Pick<S3Client, 'config'>) {
    this.#config = config;
  }

  /**
   * @param range the header's value; all of the object without it
   * @returns null when the SDK has to be asked
   * @throws BusyError where a second request at once would only add to the load
   */
  async get(key: string, range: string | undefined, abortSignal: AbortSignal): Promise<Buffer | null> {
    const headers = range === undefined ? {} : { range };
    const answer = await this.#send({ path: encodeKey(key), query: {}, headers }, abortSignal);
    const expected = range === undefined ? 200 : 206;
    return answer?.status === expected && answer.isObject ? answer.body : null;
  }

  /**
   * One page of a listing.
   *
   * @param token of the page before, when this is not the first one
   * @returns null when the SDK has to be asked
   */
  async list(
    prefix: string,
    token: string | undefined,
    abortSignal: AbortSignal,
  ): Promise<ListedPage | null> {
    const query = {
      'list-type': '2',
      prefix,
      ...(token === undefined ? {} : { 'continuation-token': token }),
    };
    const answer = await this.#send({ path: '', query, headers: {} }, abortSignal);
    return answer?.status === 200 ? parseListing(answer.body.toString()) : null;
  }

  async #send(
    { path, query, headers }: Pick<HttpRequest, 'path' | 'query' | 'headers'>,
    abortSignal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: Buffer; readonly isObject: boolean } | null> {
    if (this.#known === null) return null;
    const { request: first, base, region, service } = this.#known;
    const request = first.clone();
    request.path = base + path;
    request.query = query;
    request.headers = {
      host: first.headers['host']!,
      'user-agent': first.headers['user-agent'] ?? 'tailrace',
      ...headers,
    };
    const config = this.#config;
    const signer = await config.signer({
      name: 'sigv4',
      signingName: service,
      signingRegion: region,
      properties: {},
    });
    const signed = await signer.sign(request, {
      signingDate: new Date(Date.now() + config.systemClockOffset),
      signingRegion: region,
      signingService: service,
    });
    const { response } = await config.requestHandler.handle(
      signed as Parameters<typeof config.requestHandler.handle>[0],
      { abortSignal },
    );
    const pieces: Buffer[] = [];
    for await (const piece of response.body as AsyncIterable<Buffer>) pieces.push(piece);
    const body = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    const { statusCode: status } = response;
    if (status === 429 || status >= 500) throw new BusyError(status, body.toString());
    return { status, body, isObject: response.headers['etag'] !== undefined };
  }

  /** Learns from a read that the SDK is asked for. */
  watch(command: GetObjectCommand, key: string): void {
    if (this.#known !== null) return;
    command.middlewareStack.add(
      (next) => async (args) => {
        const answer = await next(args);
        this.#learn(args.request as HttpRequest, encodeKey(key));
        return answer;
      },
      { step: 'finalizeRequest', priority: 'low' },
    );
  }

  #learn(request: HttpRequest, path: string): void {
    const scope = SIGNED.exec(request.headers['authorization'] ?? '');
    // What is not S3's own, such as a directory bucket, is signed in other ways.
    if (scope === null || scope[2] !== 's3' || !request.path.endsWith(`/${path}`)) return;
    const base = request.path.slice(0, request.path.length - path.length);
    this.#known = { request: request.clone(), base, region: scope[1]!, service: scope[2]! };
  }
}

/** As the SDK's errors are: with the name and the words that S3 has for it. */
class BusyError extends Error {
  readonly $metadata: { readonly httpStatusCode: number };

  constructor(status: number, body: string) {
    super(/<Message>([^<]*)/.exec(body)?.[1] ?? `status ${status}`);
    this.name = /<Code>([^<]*)/.exec(body)?.[1] ?? 'BusyError';
    this.$metadata = { httpStatusCode: status };
  }
}

/** As S3 signs paths: all bytes but letters, digits and `-._~` as %XX. */
function encodeKey(key: string): string {
  return key.split('/').map(encodeSegment).join('/');
}

function encodeSegment(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
