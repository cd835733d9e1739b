/**
 * The Kinesis of the latency bench: it answers at once, and afterwards looks into the records for lines that carry the
 * time at which they were written. Asked for by a message, it says how long those lines took to be acknowledged.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { inflateChunk, readChunks } from '../chunk/reader.ts';

/** The clock that all processes of a machine share, milliseconds. */
export function sharedClock(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** What a line has in front of its time, in tenths of a millisecond; in front of events that are not looked at. */
export const STAMP = 'stamp=';

/** Milliseconds of each line since the last question. */
export type Latencies = readonly number[];

const TAKEN = '{"SequenceNumber":"1","ShardId":"shardId-000000000000"}';
const DATA = '"Data":"';
let latencies: number[] = [];
let waiting: { readonly body: Buffer; readonly at: number }[] = [];

function look(): void {
  for (const { body, at } of waiting) {
    const text = body.toString('latin1');
    for (let from = text.indexOf(DATA); from !== -1; from = text.indexOf(DATA, from + 1)) {
      const start = from + DATA.length;
      lookInto(Buffer.from(text.slice(start, text.indexOf('"', start)), 'base64'), at);
    }
  }
  waiting = [];
}

function lookInto(record: Buffer, at: number): void {
  for (const { header, bytes } of readChunks(record)) {
    if (header.events === 0) continue;
    const lines = inflateChunk(bytes, header).toString('latin1');
    for (let i = lines.indexOf(STAMP); i !== -1; i = lines.indexOf(STAMP, i + 1)) {
      const written = Number.parseInt(lines.slice(i + STAMP.length, i + STAMP.length + 16), 10) / 10;
      latencies.push(at - written);
    }
  }
}

if (import.meta.main) {
  const [key, certificate] = process.argv.slice(2);
  const tls = { key: readFileSync(key!), cert: readFileSync(certificate!) };
  const server = createServer(tls, (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      response.setHeader('content-type', 'application/x-amz-json-1.1');
      if (!String(request.headers['x-amz-target']).endsWith('PutRecords')) {
        response.end('{"StreamDescriptionSummary":{"StreamStatus":"ACTIVE"},"Shards":[]}');
        return;
      }
      const body = Buffer.concat(parts);
      const records = body.toString('latin1').split(DATA).length - 1;
      response.end(`{"FailedRecordCount":0,"Records":[${new Array(records).fill(TAKEN).join(',')}]}`);
      waiting.push({ body, at: sharedClock() });
      setImmediate(look);
    });
  });
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
  process.on('message', () => {
    process.send!(latencies);
    latencies = [];
  });
  process.on('disconnect', () => process.exit(0));
}
