/**
 * The body of a PutRecords request, written by hand: base64 by native code straight into one buffer. The SDK's own
 * serializer encodes base64 in JavaScript, which costs a tenth of what compressing the same data does.
 */
import type { PutRecordsRequestEntry } from '@aws-sdk/client-kinesis';
import { streamTarget } from '../../base/stream-target.ts';

/** JSON as the service's protocol (AWS JSON 1.1) wants it; keys must be such as need no escaping. */
export function putRecordsBody(stream: string, records: readonly PutRecordsRequestEntry[]): Buffer {
  // What names the stream, without the brace that closes it.
  const target = JSON.stringify(streamTarget(stream)).slice(0, -1);
  const head = `${target},"Records":[`;
  let length = head.length + 2;
  const tails = records.map(({ PartitionKey, ExplicitHashKey }) => {
    const hashKey = ExplicitHashKey === undefined ? '' : `,"ExplicitHashKey":"${ExplicitHashKey}"`;
    return `","PartitionKey":"${PartitionKey}"${hashKey}},`;
  });
  for (const [i, { Data }] of records.entries()) {
    length += DATA.length + Math.ceil(Data!.length / 3) * 4 + tails[i]!.length;
  }
  const body = Buffer.allocUnsafe(length);
  let at = body.write(head, 0, 'latin1');
  for (const [i, { Data }] of records.entries()) {
    at += body.write(DATA, at, 'latin1');
    at = writeBase64(body, at, Data!);
    at += body.write(tails[i]!, at, 'latin1');
  }
  // The last record's comma goes.
  at += body.write(']}', at - 1, 'latin1') - 1;
  return body.subarray(0, at);
}

const DATA = '{"Data":"';
/** Short enough for the engine's young generation: a string of a whole record takes three times the CPU. Divides by three. */
const PIECE_BYTES = 12 * 1024;

function writeBase64(body: Buffer, at: number, { buffer, byteOffset, byteLength }: Uint8Array): number {
  const data = Buffer.from(buffer, byteOffset, byteLength);
  for (let from = 0; from < byteLength; from += PIECE_BYTES)
    at += body.write(data.toString('base64', from, from + PIECE_BYTES), at, 'latin1');
  return at;
}
