/** Makes aggregated records as the Kinesis Producer Library does: a magic number, a protobuf message, its MD5. */
import { createHash } from 'node:crypto';

const MAGIC = Buffer.from('f3899ac2', 'hex');
/** Field numbers of AggregatedRecord and its Record, all of wire type 2 except the two indices. */
const PARTITION_KEYS = 1;
const HASH_KEYS = 2;
const RECORDS = 3;
const DATA = 3;

/** A user record of an aggregate; each may have keys of its own. */
export interface KplRecord {
  readonly data: Buffer;
  readonly partitionKey: string;
  /** Decimal. */
  readonly hashKey: string;
}

/** An aggregate whose user records share their keys. */
export function kplAggregate(records: readonly Buffer[], partitionKey: string, hashKey: string): Buffer {
  return kplAggregateOf(records.map((data) => ({ data, partitionKey, hashKey })));
}

export function kplAggregateOf(records: readonly KplRecord[]): Buffer {
  const message = Buffer.concat([
    ...records.map(({ partitionKey }) => field(PARTITION_KEYS, Buffer.from(partitionKey))),
    ...records.map(({ hashKey }) => field(HASH_KEYS, Buffer.from(hashKey))),
    ...records.map(({ data }, i) => {
      const indices = Buffer.concat([Buffer.of(0x08), varint(i), Buffer.of(0x10), varint(i)]);
      return field(RECORDS, Buffer.concat([indices, field(DATA, data)]));
    }),
  ]);
  return Buffer.concat([MAGIC, message, createHash('md5').update(message).digest()]);
}

function field(number: number, value: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(value.length), value]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}
