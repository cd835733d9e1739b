/**
 * Takes records that the Kinesis Producer Library aggregated apart, as KCL does for the worker: a magic number, a
 * protobuf message, its MD5. Both archivers must see the same user records in a stream record.
 *
 * https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
 */
import { createHash } from 'node:crypto';

const MAGIC = Buffer.from('f3899ac2', 'hex');
const MD5_BYTES = 16;
/** Field numbers of AggregatedRecord and of its Record. */
const RECORDS = 3;
const DATA = 3;
/** The wire types of protobuf that such a message may have. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** @returns the user records in their order; the record itself where it is not an aggregate, or a damaged one */
export function deaggregate(data: Buffer): readonly Buffer[] {
  if (data.length < MAGIC.length + MD5_BYTES || !data.subarray(0, MAGIC.length).equals(MAGIC)) return [data];
  const message = data.subarray(MAGIC.length, data.length - MD5_BYTES);
  const digest = createHash('md5').update(message).digest();
  if (!digest.equals(data.subarray(data.length - MD5_BYTES))) return [data];
  try {
    return fields(message, RECORDS).map((record) => fields(record, DATA).at(-1) ?? Buffer.alloc(0));
  } catch (error) {
    if (error instanceof RangeError) return [data];
    throw error;
  }
}

/**
 * The values of a field of wire type 2.
 *
 * @throws RangeError when the bytes are not a protobuf message
 */
function fields(message: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < message.length; ) {
    const [key, start] = varint(message, at);
    const type = key % 8;
    at = start;
    if (type === VARINT) at = varint(message, at)[1];
    else if (type === FIXED64) at += 8;
    else if (type === FIXED32) at += 4;
    else if (type === BYTES) {
      const [length, from] = varint(message, at);
      at = from + length;
      if (Math.floor(key / 8) === wanted) found.push(message.subarray(from, at));
    } else throw new RangeError(`wire type ${type} is not one of an aggregate's`);
    if (at > message.length) throw new RangeError('a field is longer than its message');
  }
  return found;
}

/** @returns the value, and where the next byte is; values beyond 2^53 lose their last digits */
function varint(bytes: Buffer, at: number): [value: number, next: number] {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new RangeError('the message ends in a number');
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return [value, at + i + 1];
  }
  throw new RangeError('a number is longer than ten bytes');
}
