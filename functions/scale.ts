/** Called every minute: keeps the number of shards of a provisioned stream right. */
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import * as z from 'zod/mini';
import { readEnvironment, wholeNumber } from './runtime/environment.ts';
import { withLogging } from './runtime/handler.ts';
import { Measures } from './runtime/metrics.ts';
import { Keeper } from './scale/pass.ts';

const schema = z.object({
  STREAM_NAME: z.string().check(z.minLength(1)),
  MIN_SHARDS: wholeNumber,
  MAX_SHARDS: wholeNumber,
  /** Dollars a month; 0 for no limit. */
  COST_CEILING: z.coerce.number().check(z.minimum(0)),
  /** The part of the shards' capacity that is to be used. */
  TARGET_USE: z.coerce.number().check(z.minimum(0.1), z.maximum(1)),
});

const kinesis = new KinesisClient();
const cloudWatch = new CloudWatchClient();
const keeper = new Keeper();

export const handler = withLogging().handler(async () => {
  const measures = new Measures();
  try {
    const env = readEnvironment(schema);
    const policy = {
      minimum: env.MIN_SHARDS,
      maximum: env.MAX_SHARDS,
      ceiling: env.COST_CEILING === 0 ? null : env.COST_CEILING,
      target: env.TARGET_USE,
    };
    return await keeper.pass({ kinesis, cloudWatch, stream: env.STREAM_NAME, policy, measures }, Date.now());
  } finally {
    measures.write();
  }
});
