/** Kinesis as the sender sees it: put records, list open shards. */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import {
  DescribeStreamSummaryCommand,
  KinesisClient,
  PutRecordsCommand,
  type PutRecordsRequestEntry,
  type PutRecordsResultEntry,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { resendWhenClockCorrected } from '../../base/clock-skew.ts';
import { freeBuffer } from '../../base/free-buffer.ts';
import { listShards } from '../../base/list-shards.ts';
import { streamTarget } from '../../base/stream-target.ts';
import { withTimeout } from '../../base/with-timeout.ts';
import { CredentialSource } from './credentials.ts';
import { conditionOf, explain, type StreamName } from './failures.ts';
import type { ShardRange } from './lanes.ts';
import { putRecordsBody } from './put-body.ts';

export interface StreamOptions extends StreamName {
  /** Milliseconds after which a request that got no answer is abandoned; its records are resent. */
  readonly requestTimeout?: number;
  /** Milliseconds after which a source of credentials that does not answer is given up; 10,000 unless given. */
  readonly credentialsTimeout?: number | undefined;
}

/** The stream, reduced to what sending needs. */
export interface Stream {
  /** One answer per record, in their order. */
  put(records: PutRecordsRequestEntry[]): Promise<readonly PutRecordsResultEntry[]>;
  /** The shards that are open. */
  listShards(): Promise<ShardRange[]>;
  close(): void;
}

const CONNECT_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** The service closes connections that are idle for longer; ours go first, so that none breaks under a request. */
const IDLE_CONNECTION_MS = 30_000;

export function openStream(options: StreamOptions): Stream {
  const { requestTimeout = REQUEST_TIMEOUT_MS } = options;
  const stream = options.arn ?? options.name;
  const handler = createHandler(requestTimeout);
  const source = new CredentialSource(options.credentialsTimeout);
  let client = createClient(options, handler, source);
  const send = async <T>(request: (client: KinesisClient, signal: AbortSignal) => Promise<T>): Promise<T> => {
    const used = client;
    try {
      return await withTimeout(requestTimeout, (signal) => request(used, signal));
    } catch (error) {
      // A client keeps the credentials that it has found once. Another one reloads them, wherever they come
      // from, and shares the connections, so that requests under way are not touched.
      const condition = conditionOf(error);
      if ((condition === 'credentials' || condition === 'access') && client === used) {
        client = createClient(options, handler, source);
      }
      throw error;
    }
  };
  return {
    async put(records) {
      const body = putRecordsBody(stream, records);
      let encrypted = false;
      const command = new PutRecordsCommand({ ...streamTarget(stream), Records: [] });
      command.middlewareStack.add(
        (next) => (args) => {
          const request = args.request as { body: unknown; readonly protocol: string };
          request.body = body;
          encrypted = request.protocol === 'https:';
          return next(args);
        },
        { step: 'build', priority: 'high', name: 'putRecordsBody' },
      );
      const output = await send((kinesis, abortSignal) => kinesis.send(command, { abortSignal }));
      // TLS has a copy of what it has not sent yet, should the answer come before that.
      if (encrypted) freeBuffer(body);
      return output.Records ?? [];
    },
    async listShards() {
      const shards = await listShards(
        stream,
        (command) => send((kinesis, abortSignal) => kinesis.send(command, { abortSignal })),
        { ShardFilter: { Type: 'AT_LATEST' } },
      );
      return shards
        .filter(({ SequenceNumberRange: range }) => range?.EndingSequenceNumber === undefined)
        .map(({ ShardId, HashKeyRange: range }) => ({
          id: ShardId!,
          first: BigInt(range!.StartingHashKey!),
          last: BigInt(range!.EndingHashKey!),
        }));
    },
    close: () => handler.destroy(),
  };
}

/** HTTP/1.1 instead of the SDK's HTTP/2: see docs/decisions/sender-http.md. */
function createHandler(requestTimeout: number): NodeHttpHandler {
  const agent = { keepAlive: true, timeout: IDLE_CONNECTION_MS, scheduling: 'lifo' } as const;
  return new NodeHttpHandler({
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout,
    throwOnRequestTimeout: true,
    httpAgent: new HttpAgent(agent),
    httpsAgent: new HttpsAgent(agent),
  });
}

function createClient(
  { region, endpoint }: StreamName,
  requestHandler: NodeHttpHandler,
  source: CredentialSource,
): KinesisClient {
  const client = new KinesisClient({
    region,
    // The sender retries by itself, record by record.
    maxAttempts: 1,
    requestHandler,
    credentials: source.provider(),
    ...(endpoint === undefined ? {} : { endpoint }),
  });
  resendWhenClockCorrected(client);
  return client;
}

/**
 * Asks for the stream once, before an agent's first start.
 *
 * @returns what is wrong, in words, or null
 */
export async function checkStream(options: StreamOptions): Promise<string | null> {
  const handler = createHandler(CONNECT_TIMEOUT_MS);
  try {
    const command = new DescribeStreamSummaryCommand(streamTarget(options.arn ?? options.name));
    const client = createClient(options, handler, new CredentialSource(options.credentialsTimeout));
    await withTimeout(CONNECT_TIMEOUT_MS, (abortSignal) => client.send(command, { abortSignal }));
    return null;
  } catch (error) {
    return explain(error, options).message;
  } finally {
    handler.destroy();
  }
}
