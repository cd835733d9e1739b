/** The archivers of a run, as it is asked for: two workers, the function, or all of them. */
import { join } from 'node:path';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { bundle } from '../../functions/bundle.ts';
import type { Stack } from '../../local/stack.ts';
import { Archivers } from './archivers.ts';
import { Functions } from './functions.ts';
import type { Proxies } from './proxies.ts';
import type { Archiver } from './schedule.ts';
import type { Timeline } from './timeline.ts';
import { Worker, Workers } from './workers.ts';

export const APPLICATION = 'tailrace';

/** KCL's own pace is for thousands of workers that share a table. */
const KCL = {
  failover_time: '5s',
  shard_sync_interval: '1s',
  parent_poll_interval: '500ms',
  // The emulator looks through all records of a shard for each read.
  idle_between_reads: '1s',
  max_records: 1000,
  lease_assignment_interval: '1s',
  shutdown_grace: '10s',
  worker_metrics_interval: '1s',
  worker_metrics_sample: '500ms',
  credentials_provider: 'EnvironmentVariableCredentialsProvider',
  graceful_handoff: process.env['FAULTS_GRACEFUL_HANDOFF'] === '1',
};

export interface ArchiversPlace {
  readonly folder: string;
  readonly stack: Stack;
  readonly proxies: Proxies;
  readonly kinesis: KinesisClient;
  readonly dynamodb: DynamoDBClient;
  /** For the workers' status, one each. */
  readonly ports: readonly number[];
  readonly random: () => number;
  readonly openShards: () => Promise<readonly string[]>;
  readonly timeline: Timeline;
}

export async function archiversOf(place: ArchiversPlace, archiver: Archiver): Promise<Archivers> {
  const { openShards, timeline } = place;
  return new Archivers({
    workers: archiver === 'function' ? null : workersOf(place),
    functions: archiver === 'worker' ? null : await functionsOf(place),
    openShards,
    timeline,
  });
}

function workersOf({
  folder,
  stack,
  proxies,
  dynamodb,
  ports,
  openShards,
  timeline,
}: ArchiversPlace): Workers {
  const config = {
    stream: { name: stack.streamName, region: stack.region, endpoint: stack.kinesisEndpoint },
    archive: { bucket: stack.bucket, endpoint: proxies.s3.endpoint },
    dynamodb: { endpoint: proxies.dynamodb.endpoint },
    application: APPLICATION,
    batch: { max_bytes: '1MiB', max_age: '4s' },
    kcl: KCL,
    java: { heap: '512MiB', options: ['-XX:TieredStopAtLevel=1'] },
    restart: { backoff: '500ms', max_backoff: '5s' },
  };
  const workers = ports.map(
    (port, i) => new Worker({ id: `worker-${i + 1}`, folder, port, env: stack.env, timeline, config }),
  );
  return new Workers({ workers, dynamodb, leaseTable: APPLICATION, openShards, timeline });
}

async function functionsOf({
  folder,
  stack,
  proxies,
  kinesis,
  random,
  timeline,
}: ArchiversPlace): Promise<Functions> {
  const bundled = join(folder, 'bundled');
  await bundle(bundled);
  return new Functions({
    kinesis,
    stream: stack.streamName,
    env: {
      ...stack.env,
      AWS_REGION: stack.region,
      // By HTTP/2, which the proxy does not speak.
      AWS_ENDPOINT_URL_KINESIS: stack.kinesisEndpoint,
      AWS_ENDPOINT_URL_S3: proxies.s3.endpoint,
      STREAM_NAME: stack.streamName,
      ARCHIVE_BUCKET: stack.bucket,
    },
    bundle: join(bundled, 'archive', 'index.mjs'),
    random,
    timeline,
    logFile: join(folder, 'function.log'),
  });
}
