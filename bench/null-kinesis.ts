/**
 * A Kinesis that accepts everything at once, so that a benchmark measures the agent alone. Asked for by a message, it
 * says how many PUT units it has taken. With `--events` it also counts the events in the records; with `--tls KEY
 * CERTIFICATE` it speaks TLS.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { eventsOf } from './record-events.ts';

const DATA = Buffer.from('"Data":"');
const KEY = Buffer.from('"PartitionKey":"');
const QUOTE = 0x22;
/** A record is charged in units of so many bytes of data and partition key. */
const PUT_UNIT_BYTES = 25 * 1024;

const TAKEN = '{"SequenceNumber":"1","ShardId":"shardId-000000000000"}';

/** What was taken so far. */
export interface Taken {
  readonly requests: number;
  readonly records: number;
  readonly bytes: number;
  readonly putUnits: number;
  /** 0 unless they are counted. */
  readonly events: number;
}

const options = process.argv.slice(2);
const counting = options.includes('--events');
const [key, certificate] = options.includes('--tls') ? options.slice(options.indexOf('--tls') + 1) : [];

let taken: Taken = { requests: 0, records: 0, bytes: 0, putUnits: 0, events: 0 };

function take(body: Buffer): number {
  let { records, bytes, putUnits, events } = taken;
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
    if (counting) events += eventsOf(Buffer.from(body.toString('latin1', data, dataEnd), 'base64'));
  }
  taken = { requests: taken.requests + 1, records, bytes, putUnits, events };
  return records - before;
}

function answer(request: IncomingMessage, response: ServerResponse): void {
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
    response.end(`{"FailedRecordCount":0,"Records":[${new Array(records).fill(TAKEN).join(',')}]}`);
  });
}

const server =
  key === undefined || certificate === undefined
    ? createServer(answer)
    : createSecureServer({ key: readFileSync(key), cert: readFileSync(certificate) }, answer);
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.on('message', () => process.send!(taken));
process.on('disconnect', () => process.exit(0));
