/** Called with batches of a shard: archives them as the worker does, by the same log of commits. */
import { KinesisClient } from '@aws-sdk/client-kinesis';
import * as z from 'zod/mini';
import { DEFAULT_KEY_TEMPLATE, templateFault } from '../archive/commit-keys.ts';
import { DEDUPE_HORIZON_MS } from '../archive/dedupe-horizon.ts';
import { KinesisStream } from '../archive/kinesis-stream.ts';
import { requireConditionalWrites } from '../archive/probe.ts';
import { S3Store } from '../archive/s3.ts';
import type { LogContext } from '../archive/writer/context.ts';
import { DeliveredArchiver } from '../archive/writer/delivered.ts';
import { ENCODER, ENCODERS } from '../archive/writer/encoders.ts';
import { TailraceError } from '../base/errors.ts';
import { streamName } from '../base/stream-target.ts';
import { duration } from '../base/units.ts';
import { uptime } from '../base/uptime.ts';
import { batchEvent, batchOf, scheduleEvent } from './archive/events.ts';
import { shardReader } from './archive/shard-reader.ts';
import { Tally } from './archive/tally.ts';
import { readEnvironment } from './runtime/environment.ts';
import { parseEvent, withLogging } from './runtime/handler.ts';
import { log } from './runtime/log.ts';
import { emit } from './runtime/metrics.ts';

const text = z.string().check(z.minLength(1));
const schema = z.object({
  AWS_REGION: text,
  STREAM_NAME: text,
  ARCHIVE_BUCKET: text,
  // The same as the worker's, if there was one: both write one archive.
  ARCHIVE_PREFIX: z._default(z.string(), ''),
  ARCHIVE_KEY_TEMPLATE: z._default(
    text.check(z.refine((value) => templateFault(value) === null, 'not a key template')),
    DEFAULT_KEY_TEMPLATE,
  ),
  DEDUPE_HORIZON: z.optional(duration),
  AWS_ENDPOINT_URL_S3: z.optional(text),
  AWS_ENDPOINT_URL_KINESIS: z.optional(text),
});
/** The share of a call's time after which nothing more is read from the stream: the rest is for writing. */
const READING_SHARE = 0.7;
const SNAPSHOT_EVERY = 64;
const DAY_MS = 86_400_000;
/** What is read from the stream itself is committed in pieces of this size, so that a call that ends early has got on. */
const LIMITS = { maxBytes: 16 * 1024 * 1024, maxAge: Number.POSITIVE_INFINITY };
/** A stream may be deleted and recreated under a function that lives on. */
const STREAM_FRESH_MS = 30_000;
const S3_TRIES = 6;

const kinesis = new KinesisClient();
let stream: { readonly view: KinesisStream; readonly until: number } | null = null;
let archive: Promise<S3Store> | null = null;

export const handler = withLogging().handler(
  async (event: unknown, context: { getRemainingTimeInMillis(): number }) => {
    const env = readEnvironment(schema);
    const tally = new Tally();
    const view = await currentStream(env);
    const archiver = archiverOf(
      env,
      await currentStore(env),
      view,
      tally,
      Date.now() + context.getRemainingTimeInMillis() * READING_SHARE,
    );
    try {
      if (scheduleEvent.safeParse(event).success) {
        const failed = await archiver.completeAll((await view.shards()).map(({ id }) => id));
        for (const [shard, err] of failed) log.error({ shard, err }, 'the shard could not be completed');
        for (const error of failed.values()) throw error;
      } else {
        const { shard, records } = batchOf(parseEvent(batchEvent, event));
        await archiver.archive(shard, records);
      }
    } catch (error) {
      // Described afresh by the next call: the stream may be another one.
      stream = null;
      throw error;
    } finally {
      emit(tally.metrics(Date.now()), tally.details);
    }
  },
);

/** One client for the life of the environment, once the bucket has shown that it obeys conditional writes. */
function currentStore(env: z.output<typeof schema>): Promise<S3Store> {
  archive ??= (async () => {
    const store = new S3Store(
      { bucket: env.ARCHIVE_BUCKET, region: env.AWS_REGION, endpoint: env.AWS_ENDPOINT_URL_S3 },
      { tries: S3_TRIES, onTrouble: (trouble) => log.warn(trouble, 'S3 call failed, retrying') },
    );
    await requireConditionalWrites(store, env.ARCHIVE_PREFIX);
    return store;
  })();
  archive.catch(() => {
    archive = null;
  });
  return archive;
}

async function currentStream(env: z.output<typeof schema>): Promise<KinesisStream> {
  if (stream === null || uptime() > stream.until) {
    const location = {
      name: streamName(env.STREAM_NAME),
      region: env.AWS_REGION,
      arn: env.STREAM_NAME.startsWith('arn:') ? env.STREAM_NAME : undefined,
      endpoint: env.AWS_ENDPOINT_URL_KINESIS,
    };
    const view = await KinesisStream.open(location, (error) =>
      log.warn({ error: error.message }, 'Kinesis does not respond'),
    );
    stream = { view, until: uptime() + STREAM_FRESH_MS };
  }
  return stream.view;
}

function archiverOf(
  env: z.output<typeof schema>,
  store: S3Store,
  view: KinesisStream,
  tally: Tally,
  deadline: number,
): DeliveredArchiver {
  return new DeliveredArchiver({
    store,
    stream: view,
    reader: shardReader(kinesis, { stream: env.STREAM_NAME, deadline }),
    contextOf: (shard) => contextOf(env, view, shard),
    limits: LIMITS,
    now: Date.now,
    uptime,
    events: tally.events,
  });
}

async function contextOf(
  env: z.output<typeof schema>,
  view: KinesisStream,
  shard: string,
): Promise<LogContext> {
  const info = (await view.shards()).find(({ id }) => id === shard);
  if (!info)
    throw new TailraceError('SHARD_GONE', `${shard} is no longer in the stream`, { retriable: true });
  return {
    stream: streamName(env.STREAM_NAME),
    incarnation: view.incarnation,
    shard,
    range: info.range,
    parents: info.parents,
    prefix: env.ARCHIVE_PREFIX,
    keyTemplate: env.ARCHIVE_KEY_TEMPLATE,
    forget: { horizon: env.DEDUPE_HORIZON ?? DEDUPE_HORIZON_MS, grace: DAY_MS },
    snapshotEvery: SNAPSHOT_EVERY,
    encoder: ENCODER,
    encoders: ENCODERS,
  };
}
