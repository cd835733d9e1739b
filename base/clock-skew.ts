/** A machine's clock that is wrong: AWS refuses what it signs, and its answer says the right time. */
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import type { S3Client } from '@aws-sdk/client-s3';

/** Whether AWS refused a request for its time. */
export function isClockError(error: unknown): boolean {
  const { name = '', message = '' } = error as { name?: string; message?: string };
  if (CLOCK_CODES.has(name)) return true;
  return /Signature (?:expired|not yet current)/.test(message);
}

const CLOCK_CODES: ReadonlySet<string> = new Set([
  'RequestTimeTooSkewed',
  'RequestExpired',
  'RequestInTheFuture',
]);

/**
 * Whether the SDK has learned the service's time from this answer: the client signs its next request with it. True of
 * whatever refusal came with a time far from this machine's.
 */
export function isClockCorrected(error: unknown): boolean {
  return (error as { $metadata?: { clockSkewCorrected?: boolean } }).$metadata?.clockSkewCorrected === true;
}

/**
 * Lets a client send a request once more, at once, when the answer has corrected its clock. Without it the first call of
 * a client with a single attempt fails on every machine whose clock is wrong. Not for bodies that are streams.
 */
export function resendWhenClockCorrected(client: KinesisClient | S3Client): void {
  // The stacks differ only in the types of their inputs.
  (client as KinesisClient).middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        if (!isClockCorrected(error)) throw error;
        return next(args);
      }
    },
    // Before the steps that sign.
    { step: 'build', priority: 'low', name: 'resendWhenClockCorrected' },
  );
}
