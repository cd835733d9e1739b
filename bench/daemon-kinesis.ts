/**
 * The source of the daemon and worker benches, as KCL meets it: a Kinesis over TLS and HTTP/2 whose answers to KCL are CBOR.
 * Prints its port and how many bytes there are; ends with its stdin.
 */
import * as fs from 'node:fs';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import * as tls from 'node:tls';
import { chunkCopies, makeChunk } from './consumer-driver.ts';
import type { SourceOptions, Trust } from './daemon-source.ts';

interface Options extends SourceOptions, Pick<Trust, 'key' | 'certificate'> {}

const options = JSON.parse(process.argv[2]!) as Options;
const CREATED = 1_764_000_000;
const shardId = (i: number): string => `shardId-${String(i).padStart(12, '0')}`;
const range = 2n ** 128n / BigInt(options.shards);
const recordsOf = options.ownLanes ? ownRecords() : sharedRecords();

/** Of a shard, after so many of its records. */
type Read = (shard: number, from: number, count: number) => Buffer[];

function sharedRecords(): Read {
  const make = makeChunk(0, options.recordBytes);
  const records = Array.from({ length: options.records }, (_, i) => make(i + 1));
  return (_shard, from, count) => records.slice(from, from + count);
}

function ownRecords(): Read {
  const copy = chunkCopies(options.recordBytes);
  return (shard, from, count) => {
    const lane = (range * BigInt(shard) + 1n).toString(16).padStart(32, '0');
    return Array.from({ length: Math.min(count, options.records - from) }, (_, i) =>
      copy(lane, from + i + 1),
    );
  };
}

/** RFC 8949: what the answers need of it. */
function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return head(0, value);
  if (value === null) return Buffer.of(0xf6);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  if (typeof value === 'string')
    return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  // Tag 1: a time; the services' are milliseconds.
  if (value instanceof Date) return Buffer.concat([Buffer.of(0xc1), head(0, value.getTime())]);
  const entries = Object.entries(value as object);
  return Buffer.concat([head(5, entries.length), ...entries.flatMap(([key, one]) => [cbor(key), cbor(one)])]);
}

function head(major: number, length: number): Buffer {
  const first = major << 5;
  if (length < 24) return Buffer.of(first | length);
  const bytes = Buffer.alloc(9);
  bytes[0] = first | 27;
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}

function answer(operation: string, body: string, isCbor: boolean): object {
  const time = (ms: number): unknown => (isCbor ? new Date(ms) : ms / 1000);
  switch (operation) {
    case 'ListShards': {
      const Shards = Array.from({ length: options.shards }, (_, i) => ({
        ShardId: shardId(i),
        HashKeyRange: {
          StartingHashKey: String(range * BigInt(i)),
          EndingHashKey: String(i === options.shards - 1 ? 2n ** 128n - 1n : range * BigInt(i + 1) - 1n),
        },
        SequenceNumberRange: { StartingSequenceNumber: '0' },
      }));
      return { Shards };
    }
    case 'GetShardIterator': {
      const after = /AFTER_SEQUENCE_NUMBER/.test(body) ? Number(/1\d{15}/.exec(body)![0]) - 10 ** 15 : 0;
      return { ShardIterator: `it-${Number(/shardId-(\d{12})/.exec(body)![1])}-${after}.` };
    }
    case 'GetRecords': {
      const [shard, from] = /it-(\d+)-(\d+)\./.exec(body)!.slice(1).map(Number) as [number, number];
      const part = recordsOf(shard, from, options.perRead);
      const behind = options.records - from - part.length;
      return {
        Records: part.map((Data, i) => ({
          Data,
          PartitionKey: 'bench',
          SequenceNumber: String(10 ** 15 + from + i + 1),
          ApproximateArrivalTimestamp: time(Date.now()),
        })),
        NextShardIterator: `it-${shard}-${from + part.length}.`,
        MillisBehindLatest: behind * 1000,
      };
    }
    default:
      return {
        StreamDescriptionSummary: {
          StreamName: 'weblogs',
          StreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/weblogs',
          StreamStatus: 'ACTIVE',
          RetentionPeriodHours: 24,
          StreamCreationTimestamp: time(CREATED * 1000),
          EnhancedMonitoring: [],
          OpenShardCount: options.shards,
        },
      };
  }
}

const http2Server = http2.createServer({
  // MB: reads of 10 MiB of eight shards at once come over one connection.
  maxSessionMemory: 1000,
  settings: { initialWindowSize: 1024 * 1024 },
});
http2Server.on('stream', (stream, headers) => {
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  stream.on('error', () => {});
  stream.on('end', () => {
    const operation = String(headers['x-amz-target']).split('.')[1] ?? '';
    const type = String(headers['content-type']);
    const isCbor = type.includes('cbor');
    // A client that is gone in the middle of its request.
    if (parts.length === 0 || stream.destroyed) return stream.destroy();
    const value = answer(operation, Buffer.concat(parts).toString('latin1'), isCbor);
    stream.respond({ ':status': 200, 'content-type': type, date: new Date().toUTCString() });
    stream.end(isCbor ? cbor(value) : JSON.stringify(value));
  });
});
http2Server.on('sessionError', () => {});
// KCL speaks HTTP/2 without asking for it (ALPN), which Node's own secure server takes for HTTP/1.
const server = tls.createServer(
  { key: fs.readFileSync(options.key), cert: fs.readFileSync(options.certificate), ALPNProtocols: ['h2'] },
  (socket) => {
    socket.on('error', () => socket.destroy());
    if (socket.alpnProtocol === false) socket.alpnProtocol = 'h2';
    http2Server.emit('connection', socket);
  },
);
server.listen(0, '127.0.0.1', () => {
  const bytes = recordsOf(0, 0, 1)[0]!.length * options.records * options.shards;
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port, bytes })}\n`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
