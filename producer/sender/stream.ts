/** Kinesis as the sender sees it: one call, and what its failures mean. */
import {
  DescribeStreamSummaryCommand,
  KinesisClient,
  PutRecordsCommand,
  type PutRecordsRequestEntry,
  type PutRecordsResultEntry,
} from '@aws-sdk/client-kinesis';

export interface StreamOptions {
  readonly name: string;
  readonly region: string;
  readonly endpoint?: string | undefined;
}

/** The stream, reduced to what sending needs. */
export interface Stream {
  /** One answer per record, in their order. */
  put(records: PutRecordsRequestEntry[]): Promise<readonly PutRecordsResultEntry[]>;
  close(): void;
}

/** Milliseconds after which a request that got no answer is given up; its records are sent again. */
const REQUEST_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 5_000;

export function openStream(options: StreamOptions): Stream {
  // The sender retries by itself, record by record, so the SDK makes one try.
  const client = createClient(options);
  return {
    async put(records) {
      const output = await client.send(
        new PutRecordsCommand({ StreamName: options.name, Records: records }),
        { abortSignal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) },
      );
      return output.Records ?? [];
    },
    close: () => client.destroy(),
  };
}

function createClient({ region, endpoint }: StreamOptions): KinesisClient {
  return new KinesisClient({
    region,
    maxAttempts: 1,
    ...(endpoint === undefined ? {} : { endpoint }),
  });
}

/**
 * Asks for the stream once, before an agent's first start.
 *
 * @returns what is wrong, in words, or null
 */
export async function checkStream(options: StreamOptions): Promise<string | null> {
  const client = createClient(options);
  try {
    const command = new DescribeStreamSummaryCommand({ StreamName: options.name });
    await client.send(command, { abortSignal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) });
    return null;
  } catch (error) {
    return explain(error, options);
  } finally {
    client.destroy();
  }
}

/** One sentence for a failure of a whole request, and what to do where there is something to do. */
export function explain(error: unknown, { name, region, endpoint }: StreamOptions): string {
  const { name: code, message } = error as Error;
  const where = endpoint ?? `Kinesis in ${region}`;
  switch (code) {
    case 'ResourceNotFoundException':
      return `stream ${name} does not exist at ${where}: create it or correct stream.name`;
    case 'AccessDeniedException':
    case 'UnrecognizedClientException':
    case 'InvalidSignatureException':
      return `${where} refuses access to stream ${name} (${code}): check the role's kinesis:PutRecords permission`;
    case 'CredentialsProviderError':
    case 'ExpiredTokenException':
      return `no valid AWS credentials (${message}): check the instance profile or the environment`;
    case 'ResourceInUseException':
      return `stream ${name} is being created or changed`;
    case 'TimeoutError':
    case 'AbortError':
      return `${where} does not answer`;
    default:
      return `${where} can't be reached or failed (${networkCode(error) ?? code}): ${message}`;
  }
}

function networkCode(error: unknown): string | undefined {
  const { code, cause } = error as { code?: string; cause?: unknown };
  return code ?? (cause === undefined ? undefined : networkCode(cause));
}
