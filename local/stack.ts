/** The embedded stack: Kinesis, DynamoDB and S3 as processes on loopback, with their state in one folder. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ResourceInUseException,
} from '@aws-sdk/client-kinesis';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { TailraceError } from '../base/errors.ts';
import { Child, describeExit } from './child.ts';
import { dynamodbClient, kinesisClient, LOCAL_ENV, REGION, s3Client } from './clients.ts';
import { holdFolder } from './folder.ts';
import { primeLeases } from './prime.ts';

export interface StackOptions {
  /** The folder for everything the stack keeps; created if missing. */
  readonly dataDir: string;
  /** Shards of a new stream; an existing stream is left as it is. */
  readonly shards: number;
  readonly streamName?: string;
  readonly bucket?: string;
  /** The KCL application whose tables to prepare; null for none. */
  readonly application?: string | null;
  /** The id of the application's only worker, when it is known. */
  readonly worker?: string;
  /** 0 or undefined: any free port. */
  readonly ports?: { readonly kinesis?: number; readonly dynamodb?: number; readonly s3?: number };
  /** Of services that run elsewhere: these are not started. */
  readonly endpoints?: Partial<Readonly<Record<Service, string>>>;
  /** Receives short progress messages. */
  readonly log?: (message: string) => void;
  /** Called once the folder is this stack's, before its services are up. */
  readonly onHeld?: () => void;
}

export interface Stack {
  readonly streamName: string;
  readonly bucket: string;
  readonly region: string;
  readonly kinesisEndpoint: string;
  readonly dynamodbEndpoint: string;
  readonly s3Endpoint: string;
  /** AWS_* variables for programs that talk to the stack. */
  readonly env: Readonly<Record<string, string>>;
  /** The processes, for supervision. */
  readonly children: readonly Child[];
  /** Rejects when one of them exits unexpectedly. */
  readonly died: Promise<never>;
  /** Stops all processes; when it resolves, everything that a later start on this folder needs is on disk. */
  stop(): Promise<void>;
}

const START_MS = 60_000;
/** The time that kinesis-local needs to load a saved byte: about 18 s for 32 MB. */
const START_MS_PER_KEPT_BYTE = 2 / 1000;
const STREAM_MS = 30_000;
/** kinesis-local writes all its records to one file when it is stopped. */
const STOP_MS = 90_000;
const FREE_PORTS = { kinesis: 0, dynamodb: 0, s3: 0 };

/**
 * Starts everything in parallel and resolves when the stream is active, the bucket exists and KCL's tables are ready.
 *
 * @throws TailraceError CHILD_FAILED when one does not start, LISTEN when a port is in use, DATA_DIR when the folder
 *   cannot be written to, DATA_DIR_IN_USE when another stack is using it
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const streamName = options.streamName ?? 'weblogs';
  const bucket = options.bucket ?? 'logs';
  const application = options.application === undefined ? 'tailrace' : options.application;
  const log = options.log ?? (() => {});
  const dataDir = path.resolve(options.dataDir);
  const release = holdFolder(dataDir);
  options.onHeld?.();

  const ports = { ...FREE_PORTS, ...options.ports };
  const children: Child[] = [];
  const stop = async (): Promise<void> => {
    const ends = await Promise.all(children.map((child) => child.stop(STOP_MS)));
    release();
    for (const [i, { code, signal }] of ends.entries()) {
      // kinesis-local exits with 143 after a clean stop by SIGTERM.
      if (code === 0 || code === 143) continue;
      const how = signal === null ? `exit code ${code}` : signal;
      log(`${children[i]!.name} exited with ${how}: what it stored since its last clean stop may be gone`);
    }
  };
  const start = async (service: Service, port: number): Promise<string> => {
    const elsewhere = options.endpoints?.[service];
    if (elsewhere !== undefined) return elsewhere;
    const child = startService(service, dataDir, port);
    children.push(child);
    const endpoint = await endpointOf(child, service, dataDir);
    log(`${child.name} is listening on ${endpoint}`);
    return endpoint;
  };

  const starting = [
    start('kinesis', ports.kinesis),
    start('dynamodb', ports.dynamodb),
    start('s3', ports.s3),
  ] as const;
  try {
    const [kinesisEndpoint, dynamodbEndpoint, s3Endpoint] = await Promise.all(starting);
    const kinesis = kinesisClient(kinesisEndpoint);
    const dynamodb = dynamodbClient(dynamodbEndpoint);
    const s3 = s3Client(s3Endpoint);
    try {
      await Promise.all([
        createStream(kinesis, streamName, options.shards),
        s3.send(new CreateBucketCommand({ Bucket: bucket })).catch(ignore('BucketAlreadyOwnedByYou')),
      ]);
      if (application !== null) {
        await primeLeases({ kinesis, dynamodb, streamName, application, worker: options.worker });
      }
    } finally {
      kinesis.destroy();
      dynamodb.destroy();
      s3.destroy();
    }
    return {
      streamName,
      bucket,
      region: REGION,
      kinesisEndpoint,
      dynamodbEndpoint,
      s3Endpoint,
      env: LOCAL_ENV,
      children,
      died: firstDeath(children),
      stop,
    };
  } catch (error) {
    await Promise.allSettled(starting);
    await stop();
    throw error;
  }
}

function firstDeath(children: readonly Child[]): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  // A caller that does not watch must not crash because of it.
  promise.catch(() => {});
  for (const child of children) {
    void child.exited.then((exit) => {
      if (child.died) reject(child.failure(describeExit(exit)));
    });
  }
  return promise;
}

export type Service = 'kinesis' | 'dynamodb' | 's3';

const NAMES: Readonly<Record<Service, string>> = { kinesis: 'Kinesis', dynamodb: 'DynamoDB', s3: 'S3' };
/** It keeps every record in memory at many times its size; Node's own limit would let garbage pile up further. */
const NODE_ARGS: Readonly<Record<Service, readonly string[]>> = {
  kinesis: ['--max-old-space-size=4096'],
  dynamodb: [],
  s3: [],
};

function startService(service: Service, dataDir: string, port: number): Child {
  return new Child({
    name: NAMES[service],
    args: [
      ...NODE_ARGS[service],
      path.join(import.meta.dirname, service, 'serve.ts'),
      path.join(dataDir, service),
    ],
    logFile: path.join(dataDir, 'logs', `${service}.log`),
    env: { ...LOCAL_ENV, TAILRACE_LOCAL_PORT: String(port) },
  });
}

async function endpointOf(child: Child, service: Service, dataDir: string): Promise<string> {
  const patience = START_MS + keptBytes(path.join(dataDir, service)) * START_MS_PER_KEPT_BYTE;
  return `http://127.0.0.1:${await child.ready(patience)}`;
}

/** S3 alone, to read an archive that an earlier stack left. */
export interface ArchiveServer {
  readonly endpoint: string;
  readonly died: Promise<never>;
  stop(): Promise<void>;
}

/** @throws TailraceError NO_ARCHIVE when the folder has none, CHILD_FAILED when S3 does not start */
export async function serveArchive(dataDir: string, port = 0): Promise<ArchiveServer> {
  const folder = path.resolve(dataDir);
  if (!fs.existsSync(path.join(folder, 's3'))) {
    throw new TailraceError('NO_ARCHIVE', `${folder} contains no archive: name the folder of an earlier run`);
  }
  const child = startService('s3', folder, port);
  try {
    return {
      endpoint: await endpointOf(child, 's3', folder),
      died: firstDeath([child]),
      stop: async () => {
        await child.stop(STOP_MS);
      },
    };
  } catch (error) {
    await child.stop(STOP_MS);
    throw error;
  }
}

function keptBytes(folder: string): number {
  const stat = fs.statSync(path.join(folder, 'kinesis-data.json'), { throwIfNoEntry: false });
  return stat?.size ?? 0;
}

async function createStream(kinesis: KinesisClient, name: string, shards: number): Promise<void> {
  await kinesis
    .send(new CreateStreamCommand({ StreamName: name, ShardCount: shards }))
    .catch(ignore(ResourceInUseException.name));
  for (const deadline = Date.now() + STREAM_MS; ; ) {
    const { StreamDescriptionSummary: summary } = await kinesis.send(
      new DescribeStreamSummaryCommand({ StreamName: name }),
    );
    if (summary?.StreamStatus === 'ACTIVE') return;
    if (Date.now() > deadline) {
      throw new TailraceError('STREAM_NOT_ACTIVE', `the stream ${name} is still ${summary?.StreamStatus}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function ignore(name: string): (error: Error) => void {
  return (error) => {
    if (error.name !== name) throw error;
  };
}
