/**
 * A test double of Kinesis in the test's own process: the calls that an agent makes, over HTTP/1.1 and HTTP/2, with
 * responses that a test can alter.
 */
import type { IncomingMessage } from 'node:http';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import type { FramedHeader } from '../../chunk/header.ts';
import { inflateChunk, readChunks } from '../../chunk/reader.ts';

export interface PutRecord {
  readonly Data: string;
  readonly PartitionKey: string;
  readonly ExplicitHashKey?: string;
}

export interface PutResult {
  readonly SequenceNumber?: string;
  readonly ShardId?: string;
  readonly ErrorCode?: string;
  readonly ErrorMessage?: string;
}

interface Input {
  readonly StreamName?: string;
  readonly StreamARN?: string;
  readonly Records: PutRecord[];
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

export interface TakenChunk {
  readonly header: FramedHeader;
  readonly bytes: Buffer;
}

export class KinesisDouble {
  readonly endpoint: string;
  readonly shards: number;
  /** Every accepted chunk, once by lane and sequence as in the archive. */
  readonly chunks = new Map<string, TakenChunk>();
  /** How often a chunk arrived that was already there. */
  repeated = 0;
  /** Decides the fate of each record; by default all are accepted. */
  onRecord: (record: PutRecord, shard: string) => PutResult | null = () => null;
  /** Decides the fate of a whole request before its records are accepted; null lets it through. */
  onRequest: (operation: string, accessKey: string) => Answer | 'hang' | 'reset' | null = () => null;
  /** The same for a PutRecords request, by its content. */
  onRequestRecords: (records: readonly PutRecord[]) => Answer | null = () => null;
  /** What a response waits for before its request is handled at all. */
  beforeAnswer: (operation: string) => Promise<void> | void = () => {};
  /** The service's clock, milliseconds since 1970: requests signed more than five minutes off are rejected. */
  clock: () => number = Date.now;
  /** Decides the fate of a response after the records were accepted: a delay in milliseconds, or dropped. */
  onAnswer: (operation: string) => 'lose' | number = () => 0;
  /** Calls of each operation, and the access keys they used. */
  readonly calls = new Map<string, number>();
  readonly accessKeys = new Set<string>();
  /** How requests named the stream: its name, its ARN, or nothing. */
  readonly named = new Set<string | undefined>();
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #sequence = 0n;

  private constructor(server: net.Server, shards: number) {
    this.#server = server;
    this.shards = shards;
    this.endpoint = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  }

  static async start(shards = 4, port = 0): Promise<KinesisDouble> {
    let double: KinesisDouble | null = null;
    const handle = (request: IncomingMessage, response: http.ServerResponse): void => {
      void double!.#handle(request, response);
    };
    const http1 = http.createServer(handle);
    const http2Server = http2.createServer(handle as never);
    const server = net.createServer((socket) => {
      double!.#sockets.add(socket);
      socket.on('close', () => double!.#sockets.delete(socket));
      socket.on('error', () => {});
      socket.once('readable', () => {
        const first = socket.read() as Buffer | null;
        if (first === null) return;
        socket.unshift(first);
        // HTTP/2's preface starts with a method that HTTP/1.1 does not have (RFC 9113, section 3.4).
        (first.toString('latin1', 0, 3) === 'PRI' ? http2Server : http1).emit('connection', socket);
      });
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    double = new KinesisDouble(server, shards);
    return double;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** All events of the chunks, in no particular order. */
  events(): unknown[] {
    return [...this.chunks.values()].flatMap(({ header, bytes }) => {
      const text = inflateChunk(bytes, header).toString();
      return text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as unknown);
    });
  }

  async #handle(request: IncomingMessage, response: http.ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const operation = String(request.headers['x-amz-target']).split('.')[1]!;
    this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1);
    const [, key] = /Credential=([^/]+)/.exec(String(request.headers.authorization)) ?? [];
    if (key !== undefined) this.accessKeys.add(key);
    await this.beforeAnswer(operation);
    const decision = this.onRequest(operation, key ?? '') ?? this.#atWrongTime(request);
    if (decision === 'hang') return;
    if (decision === 'reset') {
      request.socket.destroy();
      return;
    }
    const input = JSON.parse(Buffer.concat(parts).toString()) as Input;
    this.named.add(input.StreamARN ?? input.StreamName);
    const refused = operation === 'PutRecords' ? this.onRequestRecords(input.Records) : null;
    const { status, body } = decision ?? refused ?? this.#answer(operation, input);
    const fate = decision ? 0 : this.onAnswer(operation);
    if (fate === 'lose') {
      request.socket.destroy();
      return;
    }
    if (fate > 0) await new Promise((resolve) => setTimeout(resolve, fate));
    response.writeHead(status, {
      'content-type': 'application/x-amz-json-1.1',
      date: new Date(this.clock()).toUTCString(),
    });
    response.end(JSON.stringify(body));
  }

  #atWrongTime(request: IncomingMessage): Answer | null {
    const [, ...parts] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(String(request.headers['x-amz-date'])) ?? [];
    const [year, month, day, hour, minute, second] = parts.map(Number) as [number, ...number[]];
    const signed = Date.UTC(year, month! - 1, day, hour, minute, second);
    if (Math.abs(signed - this.clock()) < 300_000) return null;
    const message = `Signature expired: ${request.headers['x-amz-date']} is now earlier than the service's time`;
    return { status: 400, body: { __type: 'InvalidSignatureException', message } };
  }

  #answer(operation: string, input: Input): Answer {
    const arn = input.StreamARN ?? `arn:aws:kinesis:us-east-1:000000000000:stream/${input.StreamName}`;
    switch (operation) {
      case 'DescribeStreamSummary':
        return {
          status: 200,
          body: {
            StreamDescriptionSummary: {
              StreamName: input.StreamName,
              StreamARN: arn,
              StreamStatus: 'ACTIVE',
              RetentionPeriodHours: 168,
              StreamCreationTimestamp: 1_764_000_000,
              EnhancedMonitoring: [],
              OpenShardCount: this.shards,
            },
          },
        };
      case 'ListShards':
        return {
          status: 200,
          body: { Shards: Array.from({ length: this.shards }, (_, i) => this.#shard(i)) },
        };
      case 'GetShardIterator':
        return { status: 200, body: { ShardIterator: 'i' } };
      case 'GetRecords':
        return { status: 200, body: { Records: [], NextShardIterator: 'i', MillisBehindLatest: 0 } };
      case 'PutRecords': {
        const Records = input.Records.map((record) => this.#put(record));
        return {
          status: 200,
          body: { Records, FailedRecordCount: Records.filter((r) => r.ErrorCode).length },
        };
      }
      default:
        return { status: 400, body: { __type: 'UnknownOperationException', message: operation } };
    }
  }

  #put(record: PutRecord): PutResult {
    const range = 2n ** 128n / BigInt(this.shards);
    const shard = shardId(Number(BigInt(record.ExplicitHashKey ?? '0') / range));
    const decided = this.onRecord(record, shard);
    if (decided?.ErrorCode !== undefined) return decided;
    for (const { header, bytes } of readChunks(Buffer.from(record.Data, 'base64'))) {
      const name = `${header.lane}/${header.sequence}`;
      if (this.chunks.has(name)) this.repeated++;
      else this.chunks.set(name, { header, bytes });
    }
    return { SequenceNumber: String(++this.#sequence), ShardId: shard };
  }

  #shard(index: number): object {
    const range = 2n ** 128n / BigInt(this.shards);
    const start = range * BigInt(index);
    const end = index === this.shards - 1 ? 2n ** 128n - 1n : start + range - 1n;
    return {
      ShardId: shardId(index),
      HashKeyRange: { StartingHashKey: String(start), EndingHashKey: String(end) },
      SequenceNumberRange: { StartingSequenceNumber: '0' },
    };
  }
}

function shardId(index: number): string {
  return `shardId-${String(index).padStart(12, '0')}`;
}
