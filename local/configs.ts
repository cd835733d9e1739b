/** The agent's and the consumer's configurations for the embedded stack, written to the data folder. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { stringify } from 'yaml';
import type { Stack } from './stack.ts';

export interface PipelinePaths {
  readonly agentConfig: string;
  readonly consumerConfig: string;
  readonly agentState: string;
  /** The demo's folder: its access log and its ledger. */
  readonly demo: string;
  readonly logs: string;
}

export function pipelinePaths(dataDir: string): PipelinePaths {
  return {
    agentConfig: path.join(dataDir, 'agent.yaml'),
    consumerConfig: path.join(dataDir, 'consumer.yaml'),
    agentState: path.join(dataDir, 'agent'),
    demo: path.join(dataDir, 'demo'),
    logs: path.join(dataDir, 'logs'),
  };
}

export interface Listening {
  readonly forward: number;
  readonly agentHttp: number;
  readonly consumerHttp: number;
}

export const APPLICATION = 'tailrace';
export const WORKER = 'local-1';

/** @param batchAge the consumer's maximum batch age, as a duration */
export function writeConfigs(
  paths: PipelinePaths,
  stack: Stack,
  listening: Listening,
  accessLog: string,
  batchAge: string,
): void {
  const stream = { name: stack.streamName, region: stack.region, endpoint: stack.kinesisEndpoint };
  const agent = {
    state_dir: paths.agentState,
    stream,
    inputs: [
      { type: 'tail', path: accessLog, tag: 'nginx.access', format: 'nginx', refresh_interval: '500ms' },
      { type: 'forward', listen: `127.0.0.1:${listening.forward}` },
    ],
    // One lane, and so one shard, would do for this load, but the demo should show all shards.
    lanes: 4,
    http: { listen: `127.0.0.1:${listening.agentHttp}` },
  };
  const consumer = {
    stream,
    archive: { bucket: stack.bucket, endpoint: stack.s3Endpoint },
    dynamodb: { endpoint: stack.dynamodbEndpoint },
    application: APPLICATION,
    worker_id: WORKER,
    batch: { max_age: batchAge },
    // KCL's default pace suits thousands of workers that share a DynamoDB table; here is one worker and someone watching.
    kcl: {
      failover_time: '5s',
      shard_sync_interval: '1s',
      parent_poll_interval: '500ms',
      idle_between_reads: '250ms',
      max_records: 1000,
      lease_assignment_interval: '500ms',
      shutdown_grace: '10s',
      worker_metrics_interval: '1s',
      worker_metrics_sample: '500ms',
      credentials_provider: 'EnvironmentVariableCredentialsProvider',
    },
    // A stack that is stopped within minutes starts sooner without the JVM's second compiler.
    java: { heap: '1GiB', options: ['-XX:TieredStopAtLevel=1'] },
    http: { listen: `127.0.0.1:${listening.consumerHttp}` },
  };
  fs.writeFileSync(paths.agentConfig, stringify(agent));
  fs.writeFileSync(paths.consumerConfig, stringify(consumer));
}
