/** Makes aggregated records as the Kinesis Producer Library does: a magic number, a protobuf message, its MD5. */
import { createHash } from 'node:crypto';

const MAGIC = Buffer.from('f3899ac2', 'hex');
/** Field numbers of AggregatedRecord and its Record, all of wire type 2 but the two indices. */
const PARTITION_KEYS = 1;
const HASH_KEYS = 2;
const RECORDS = 3;
const DATA = 3;

/** @param hashKey decimal; the library's readers leave out what is not of their shard's range */
export function kplAggregate(records: readonly Buffer[], partitionKey: string, hashKey: string): Buffer {
  // Both indices are zero: each table has one entry.
  const indices = Buffer.from([0x08, 0, 0x10, 0]);
  const message = Buffer.concat([
    field(PARTITION_KEYS, Buffer.from(partitionKey)),
    field(HASH_KEYS, Buffer.from(hashKey)),
    ...records.map((data) => field(RECORDS, Buffer.concat([indices, field(DATA, data)]))),
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
