/** Called with messages about spilled objects: puts their chunks back on the stream, and marks the objects. */
import { KinesisClient } from '@aws-sdk/client-kinesis';
import {
  GetObjectCommand,
  GetObjectTaggingCommand,
  PutObjectTaggingCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import partialBatchFailure from '@middy/sqs-partial-batch-failure';
import * as z from 'zod/mini';
import { type ObjectName, objectsOf, queueEvent } from './readmit/events.ts';
import { putAll } from './readmit/put.ts';
import { toRecords } from './readmit/records.ts';
import { salvage } from './readmit/salvage.ts';
import { isMarked, marked } from './readmit/tags.ts';
import { readEnvironment, wholeNumber } from './runtime/environment.ts';
import { parseEvent, withLogging } from './runtime/handler.ts';
import { log } from './runtime/log.ts';
import { Measures } from './runtime/metrics.ts';

const schema = z.object({
  STREAM_NAME: z.string().check(z.minLength(1)),
  /** Politeness towards what comes in live, for one function at a time. */
  BYTES_PER_SECOND: wholeNumber,
});
/** Milliseconds before the function's end after which no request is begun. */
const RESERVE_MS = 15_000;

const s3 = new S3Client({ forcePathStyle: process.env['S3_PATH_STYLE'] === 'true' });
const kinesis = new KinesisClient();

export const handler = withLogging()
  .use(
    partialBatchFailure({
      logger: (err: unknown, record: { messageId: string }) =>
        log.error(
          { err, message: record.messageId },
          'an object was not put back; its message is redelivered',
        ),
    }),
  )
  .handler(async (event: unknown, context: { getRemainingTimeInMillis(): number }) => {
    const { STREAM_NAME, BYTES_PER_SECOND } = readEnvironment(schema);
    const deadline = Date.now() + context.getRemainingTimeInMillis() - RESERVE_MS;
    const measures = new Measures();
    const results: PromiseSettledResult<void>[] = [];
    // One after the other: an object is held in memory as a whole.
    for (const { body } of parseEvent(queueEvent, event).Records) {
      const [result] = await Promise.allSettled([
        (async () => {
          for (const object of objectsOf(body))
            await readmit(object, STREAM_NAME, BYTES_PER_SECOND, deadline, measures);
        })(),
      ]);
      results.push(result);
    }
    // Messages that are given back are not errors of the function: what goes wrong shows only here.
    const failed = results.filter(({ status }) => status === 'rejected').length;
    if (failed > 0) measures.add('ReadmitFailed', failed);
    measures.write();
    return results;
  });

async function readmit(
  { bucket, key }: ObjectName,
  stream: string,
  bytesPerSecond: number,
  deadline: number,
  measures: Measures,
): Promise<void> {
  const place = { Bucket: bucket, Key: key };
  const object = await s3.send(new GetObjectCommand(place));
  const tagged = (object.TagCount ?? 0) > 0;
  const tags = tagged ? ((await s3.send(new GetObjectTaggingCommand(place))).TagSet ?? []) : [];
  if (isMarked(tags)) {
    log.info({ bucket, key }, 'the object was put back before');
    return;
  }
  const { chunks, damagedBytes } = salvage(Buffer.from(await object.Body!.transformToByteArray()));
  await putAll(kinesis, toRecords(chunks), {
    stream,
    bytesPerSecond,
    deadline,
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    random: Math.random,
  });
  // Tagged and not removed: the bucket's rules expire what is back, and keep what is damaged for people.
  const TagSet = marked(tags, damagedBytes === 0 ? 'readmitted' : 'damaged');
  await s3.send(new PutObjectTaggingCommand({ ...place, Tagging: { TagSet } }));
  measures.add('ReadmittedObjects');
  measures.add('ReadmittedChunks', chunks.length);
  measures.add(
    'ReadmittedBytes',
    chunks.reduce((sum, { bytes }) => sum + bytes.length, 0),
  );
  if (damagedBytes > 0) measures.add('ReadmitDamagedBytes', damagedBytes);
  log.info({ bucket, key, chunks: chunks.length, damagedBytes }, 'an object was put back on the stream');
}
