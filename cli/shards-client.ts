/** How the actions of `tailrace shards` reach the stream that their options name. */
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { TailraceError } from '../base/errors.ts';
import { NO_CREDENTIALS } from '../base/no-credentials.ts';
import { streamRegion } from '../base/stream-target.ts';

export interface StreamOptions {
  readonly stream: string;
  readonly region?: string;
  readonly endpoint?: string;
}

/** Where the region is not given, the ARN, the environment or the profile names it. */
export function placeOf({ stream, region, endpoint }: StreamOptions): { region?: string; endpoint?: string } {
  const named = region ?? streamRegion(stream) ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
  const known = named ?? (endpoint === undefined ? undefined : 'us-east-1');
  return {
    ...(known === undefined ? {} : { region: known }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/** @throws TailraceError STREAM when the service refuses or does not respond */
export async function withClient(
  options: StreamOptions,
  act: (kinesis: KinesisClient) => Promise<void>,
): Promise<void> {
  const kinesis = new KinesisClient(placeOf(options));
  try {
    await act(kinesis);
  } catch (error) {
    if (error instanceof TailraceError) throw error;
    throw new TailraceError('STREAM', `stream ${options.stream}: ${reasonOf(error as Error)}`, {
      cause: error,
    });
  } finally {
    kinesis.destroy();
  }
}

/** What the SDK says before any request names no remedy. */
function reasonOf({ name, message }: Error): string {
  if (message === 'Region is missing') return 'no region is known: name it with --region or AWS_REGION';
  if (name === 'CredentialsProviderError') return NO_CREDENTIALS;
  return name === 'Error' ? message : `${name}: ${message}`;
}
