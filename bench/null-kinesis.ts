/**
 * A Kinesis that accepts everything at once, so that a benchmark measures the agent alone. Asked for by a message, it
 * says how many PUT units it has taken.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const DATA = Buffer.from('"Data":"');
const KEY = Buffer.from('"PartitionKey":"');
const QUOTE = 0x22;
/** A record is charged in units of so many bytes of data and partition key. */
const PUT_UNIT_BYTES = 25 * 1024;

/** What was taken so far. */
export interface Taken {
  readonly requests: number;
  readonly records: number;
  readonly bytes: number;
  readonly putUnits: number;
}

let taken: Taken = { requests: 0, records: 0, bytes: 0, putUnits: 0 };

function take(body: Buffer): number {
  let { records, bytes, putUnits } = taken;
  const before = records;
  for (let at = body.indexOf(DATA); at !== -1; at = body.indexOf(DATA, at)) {
    const data = at + DATA.length;
    const dataEnd = body.indexOf(QUOTE, data);
    const key = body.indexOf(KEY, dataEnd) + KEY.length;
    at = body.indexOf(QUOTE, key);
    const size = Math.floor(((dataEnd - data) * 3) / 4) + (at - key);
    records++;
    bytes += size;
    putUnits += Math.ceil(size / PUT_UNIT_BYTES);
  }
  taken = { requests: taken.requests + 1, records, bytes, putUnits };
  return records - before;
}

const server = createServer((request, response) => {
  const operation = String(request.headers['x-amz-target']).split('.')[1];
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    if (operation !== 'PutRecords') {
      response.end('{"StreamDescriptionSummary":{"StreamStatus":"ACTIVE"},"Shards":[]}');
      return;
    }
    const records = take(Buffer.concat(parts));
    const answer = '{"SequenceNumber":"1","ShardId":"shardId-000000000000"}';
    response.end(`{"FailedRecordCount":0,"Records":[${new Array(records).fill(answer).join(',')}]}`);
  });
});
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.on('message', () => process.send!(taken));
process.on('disconnect', () => process.exit(0));
