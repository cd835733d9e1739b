/**
 * A Kinesis that accepts everything at once, so that a benchmark measures the agent alone. Asked for by a message, it
 * says how many PUT units it has taken. With `--events` it also looks into the records and counts events; with `--tls KEY
 * CERTIFICATE` it speaks TLS.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { partsOf } from './record-events.ts';

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
  /** Of what is in the records; 0 unless that is counted. A chunk that came before counts as resent alone. */
  readonly events: number;
  readonly chunks: number;
  readonly resentChunks: number;
  readonly resentPutUnits: number;
}

const NOTHING: Taken = {
  requests: 0,
  records: 0,
  bytes: 0,
  putUnits: 0,
  events: 0,
  chunks: 0,
  resentChunks: 0,
  resentPutUnits: 0,
};

const options = process.argv.slice(2);
const counting = options.includes('--events');
const [key, certificate] = options.includes('--tls') ? options.slice(options.indexOf('--tls') + 1) : [];

let taken = NOTHING;
const seen = new Set<string>();

/** Counts what is in a record. */
function look(record: Buffer, putUnits: number): void {
  let { events, chunks, resentChunks, resentPutUnits } = taken;
  for (const part of partsOf(record)) {
    if (part.name !== null && seen.has(part.name)) {
      resentChunks++;
      resentPutUnits += putUnits * (part.bytes / record.length);
      continue;
    }
    if (part.name !== null) seen.add(part.name);
    chunks++;
    events += part.events;
  }
  taken = { ...taken, events, chunks, resentChunks, resentPutUnits };
}

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
    const units = Math.ceil(size / PUT_UNIT_BYTES);
    putUnits += units;
    if (counting) look(Buffer.from(body.toString('latin1', data, dataEnd), 'base64'), units);
  }
  taken = { ...taken, requests: taken.requests + 1, records, bytes, putUnits };
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
