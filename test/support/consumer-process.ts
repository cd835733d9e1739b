/** `tailrace consumer` as a process on the embedded stack, and the archive that it writes. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { type KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { S3Store } from '../../archive/s3.ts';
import type { VerifyReport } from '../../archive/verify/report.ts';
import { verifyArchive } from '../../archive/verify/verify.ts';
import { explicitHashKey } from '../../chunk/header.ts';
import type { WorkerStatus } from '../../consumer/status/board.ts';
import type { Stack } from '../../local/stack.ts';
import type { MadeChunk } from './chunks.ts';

const CLI = path.join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');
/** `tailrace` whose consumer has the failpoints of TAILRACE_FAULT. */
export const FAILING_CONSUMER = [
  process.execPath,
  path.join(import.meta.dirname, 'failing-consumer.ts'),
] as const;
const WAIT_MS = 120_000;

export interface ConsumerOptions {
  readonly stack: Stack;
  readonly directory: string;
  readonly workerId: string;
  /** KCL's application; the one whose table the stack has prepared unless said. */
  readonly application?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The program to run as `tailrace`; from source by default. */
  readonly tailrace?: readonly [string, ...string[]];
}

export class ConsumerProcess {
  readonly #options: ConsumerOptions;
  #process: ChildProcess | null = null;
  #port = 0;
  log = '';

  constructor(options: ConsumerOptions) {
    this.#options = options;
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** Where its HTTP server listens. */
  get port(): number {
    return this.#port;
  }

  /** Resolves when its HTTP server responds. */
  async start(): Promise<void> {
    const { stack, directory, workerId, env, application } = this.#options;
    const [program, ...args] = this.#options.tailrace ?? [process.execPath, CLI];
    const config = writeConfig(stack, directory, workerId, application);
    const child = spawn(program, [...args, 'consumer', '--config', config], {
      env: { ...process.env, ...stack.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    let text = '';
    child.stderr!.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      this.log += part;
    });
    await until('the consumer runs', () => {
      if (child.exitCode !== null) throw new Error(`the consumer ended with ${child.exitCode}: ${text}`);
      const port = /"http_port":(\d+)/.exec(text)?.[1];
      this.#port = Number(port);
      return port !== undefined;
    });
  }

  async status(): Promise<WorkerStatus> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}/status`);
    return (await answer.json()) as WorkerStatus;
  }

  /** Waits until this many shards have a process in the running phase. */
  async running(shards: number): Promise<WorkerStatus> {
    let status: WorkerStatus;
    await until(`${shards} shards run`, async () => {
      status = await this.status();
      const lines = Object.values(status.shards);
      return lines.filter((line) => line.connected && line.phase === 'running').length >= shards;
    });
    return status!;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Resolves with the exit code, or the signal that ended it. */
  async ended(): Promise<number | string> {
    const child = this.#process!;
    if (child.exitCode === null && child.signalCode === null) {
      await new Promise((resolve) => child.once('exit', resolve));
    }
    return child.exitCode ?? child.signalCode!;
  }

  async stop(): Promise<number | string> {
    this.kill('SIGTERM');
    return this.ended();
  }
}

/** @returns the path of a consumer.yaml for the stack */
export function writeConfig(stack: Stack, directory: string, workerId: string, application?: string): string {
  const file = path.join(directory, `${workerId}.yaml`);
  fs.writeFileSync(file, configText(stack, workerId, application));
  return file;
}

function configText(stack: Stack, workerId: string, application?: string): string {
  return JSON.stringify({
    stream: { name: stack.streamName, region: stack.region, endpoint: stack.kinesisEndpoint },
    archive: { bucket: stack.bucket, endpoint: stack.s3Endpoint },
    dynamodb: { endpoint: stack.dynamodbEndpoint },
    worker_id: workerId,
    ...(application === undefined ? {} : { application }),
    batch: { max_bytes: '256KiB', max_age: '1s' },
    kcl: {
      failover_time: '2s',
      shard_sync_interval: '500ms',
      parent_poll_interval: '500ms',
      idle_between_reads: '250ms',
      max_records: 500,
      lease_assignment_interval: '500ms',
      shutdown_grace: '10s',
      worker_metrics_interval: '1s',
      worker_metrics_sample: '500ms',
      credentials_provider: 'EnvironmentVariableCredentialsProvider',
    },
    java: { heap: '512MiB', options: ['-XX:TieredStopAtLevel=1'] },
    restart: { backoff: '100ms' },
    http: { listen: '127.0.0.1:0' },
  });
}

/** Puts records; chunks go to their lanes. */
export async function putChunks(
  client: KinesisClient,
  stack: Stack,
  chunks: readonly MadeChunk[],
): Promise<void> {
  const Records = chunks.map(({ bytes, lane, sequence }) => ({
    Data: bytes,
    PartitionKey: `${lane}/${sequence}`,
    ExplicitHashKey: explicitHashKey(lane),
  }));
  const answer = await client.send(new PutRecordsCommand({ StreamName: stack.streamName, Records }));
  assert.equal(answer.FailedRecordCount ?? 0, 0);
}

export function archiveOf(stack: Stack): S3Store {
  const location = { bucket: stack.bucket, region: stack.region, endpoint: stack.s3Endpoint };
  return new S3Store(location, { tries: 5 });
}

/** Waits until the archive has this many chunks and nothing is in flight. */
export async function archived(stack: Stack, chunks: number, waitMs = WAIT_MS): Promise<VerifyReport> {
  const store = archiveOf(stack);
  let report: VerifyReport;
  try {
    await until(
      `${chunks} chunks are archived`,
      async () => {
        report = await verifyArchive(store, '', { now: Date.now(), pendingFor: 0, deep: false });
        return report.chunks >= chunks && report.unfinished.length === 0;
      },
      waitMs,
    );
    return await verifyArchive(store, '', { now: Date.now(), pendingFor: 0, deep: true });
  } finally {
    store.close();
  }
}

/** What stands for a record that was kept as the bytes that came. */
function keptId(base64: string): string {
  return `bytes ${base64}`;
}

/** The ids of all events in all objects, whatever the commits say; each object must pass gzip -t. */
export async function archivedIds(stack: Stack): Promise<string[]> {
  const store = archiveOf(stack);
  const ids: string[] = [];
  for await (const { key } of store.list('logs/')) {
    // What `consumer --check` writes.
    if (key === 'logs/_tailrace-check') continue;
    const bytes = (await store.get(key))!;
    const { status, stderr } = spawnSync('gzip', ['-t'], { input: bytes, encoding: 'utf8' });
    assert.equal(status, 0, `${key}: gzip -t: ${stderr}`);
    for (const line of gunzipSync(bytes).toString().split('\n').slice(0, -1)) {
      const { id, base64 } = JSON.parse(line) as { id: string; base64?: string };
      ids.push(base64 === undefined ? id : keptId(base64));
    }
  }
  store.close();
  return ids;
}

/**
 * Compares what was made with what is archived, event by event.
 *
 * @param options.liars chunks that are not what they say, each put once: kept as bytes, and missing in their lanes
 */
export async function assertArchivedOnce(
  stack: Stack,
  made: readonly MadeChunk[],
  { liars = [], waitMs = WAIT_MS }: { readonly liars?: readonly MadeChunk[]; readonly waitMs?: number } = {},
): Promise<VerifyReport> {
  const report = await archived(stack, made.length, waitMs);
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.repeats, []);
  assert.equal(report.missing, liars.length);
  assert.equal(report.chunks, made.length);
  const ids = await archivedIds(stack);
  assert.equal(new Set(ids).size, ids.length, 'no event is there twice');
  const kept = liars.map(({ bytes }) => keptId(bytes.toString('base64')));
  assert.deepEqual(ids.sort(), [...made.flatMap((chunk) => chunk.ids), ...kept].sort());
  return report;
}

export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  waitMs = WAIT_MS,
): Promise<void> {
  const deadline = Date.now() + waitMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited ${waitMs / 1000} s in vain until ${what}`);
    await sleep(200);
  }
}
