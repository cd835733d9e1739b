/** Packs chunks into records and records into requests, within the limits of PutRecords. */
import type { PutRecordsRequestEntry } from '@aws-sdk/client-kinesis';
import { explicitHashKey, partitionKey } from '../../chunk/header.ts';
import type { PlacedChunk } from '../../chunk/reader.ts';

/** Bytes that a record of several chunks has at most; one chunk alone may be as large as the stream takes it. */
const RECORD_BYTES = 256 * 1024;
/** Limits of a request; the service takes 500 records and 10 MiB. */
const REQUEST_RECORDS = 500;
const REQUEST_BYTES = 4 * 1024 * 1024;

/** Records of one or more whole chunks of one lane, each on its lane's explicit hash key. */
export function toRecords(chunks: readonly PlacedChunk[]): PutRecordsRequestEntry[] {
  const records: PutRecordsRequestEntry[] = [];
  const byLane = Map.groupBy(chunks, ({ header }) => header.lane);
  for (const [lane, members] of byLane) {
    let open: PlacedChunk[] = [];
    let size = 0;
    const close = (): void => {
      if (open.length === 0) return;
      records.push({
        Data: Buffer.concat(open.map(({ bytes }) => bytes)),
        PartitionKey: partitionKey(open[0]!.header),
        ExplicitHashKey: explicitHashKey(lane),
      });
      open = [];
      size = 0;
    };
    for (const chunk of members) {
      if (size + chunk.bytes.length > RECORD_BYTES) close();
      open.push(chunk);
      size += chunk.bytes.length;
    }
    close();
  }
  return records;
}

export function sizeOf({ Data, PartitionKey }: PutRecordsRequestEntry): number {
  return Data!.length + PartitionKey!.length;
}

/** The first records of `left` that fit into one request; at least one. */
export function nextRequest(left: readonly PutRecordsRequestEntry[]): PutRecordsRequestEntry[] {
  let bytes = 0;
  let count = 0;
  for (const record of left) {
    bytes += sizeOf(record);
    if (count > 0 && (bytes > REQUEST_BYTES || count === REQUEST_RECORDS)) break;
    count++;
  }
  return left.slice(0, count);
}
