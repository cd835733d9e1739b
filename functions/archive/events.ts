/** What calls the archiver: an event source mapping with a batch of one shard, or a schedule. */
import * as z from 'zod/mini';
import type { StreamRecord } from '../../archive/writer/record.ts';
import { TailraceError } from '../../base/errors.ts';
import { deaggregate } from './deaggregate.ts';

const record = z.object({
  /** `shardId-000000000000:<sequence number>` */
  eventID: z.string().check(z.regex(/^[\w.-]+:\d+$/)),
  kinesis: z.object({
    sequenceNumber: z.string().check(z.regex(/^(?:0|[1-9]\d*)$/)),
    data: z.string(),
    /** Seconds, with a fraction. */
    approximateArrivalTimestamp: z.number(),
  }),
});

/** https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html */
export const batchEvent = z.object({ Records: z.array(record).check(z.minLength(1)) });
export const scheduleEvent = z.object({ source: z.literal('aws.events') });

export interface Batch {
  readonly shard: string;
  readonly records: readonly StreamRecord[];
}

/** @throws TailraceError BAD_EVENT for records of several shards, which a mapping never delivers together */
export function batchOf({ Records }: z.output<typeof batchEvent>): Batch {
  const shards = new Set(Records.map(({ eventID }) => eventID.slice(0, eventID.indexOf(':'))));
  const [shard] = shards;
  if (shard === undefined || shards.size > 1) {
    throw new TailraceError(
      'BAD_EVENT',
      'Records: of several shards: call this from an event source mapping',
    );
  }
  const records = Records.flatMap(({ kinesis }) =>
    userRecords(
      kinesis.sequenceNumber,
      Math.round(kinesis.approximateArrivalTimestamp * 1000),
      Buffer.from(kinesis.data, 'base64'),
    ),
  );
  return { shard, records };
}

/** @param arrival milliseconds since 1970 */
export function userRecords(sequence: string, arrival: number, data: Buffer): StreamRecord[] {
  return deaggregate(data).map((user) => ({ sequence, arrival, data: user }));
}
