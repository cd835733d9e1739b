/**
 * Measures one shard's process: a driver plays the KCL protocol to the real process, which writes to a null S3.
 * Bare cost: PutObject of the same bytes, one batch per object, by the same SDK and with the same checksum. `--logs` hands over
 * chunks of access logs, which inflate to seven times their size, instead of such that do not compress any further.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { S3Store } from '../archive/s3.ts';
import { checkConfig } from '../cli/config.ts';
import { consumerSchema } from '../consumer/config.ts';
import { NODE_FLAGS } from '../consumer/kcl/memory.ts';
import { shardConfigText } from '../consumer/shard/config.ts';
import { KinesisDouble } from '../test/support/kinesis-double.ts';
import { CHILD, type Content, cpuSeconds, Driver, firstLine, makeChunk } from './consumer-driver.ts';
import type { BenchResult } from './run.ts';

const MiB = 1024 * 1024;
const TOTAL_BYTES = 1024 * MiB;
const BATCH_BYTES = 32 * MiB;
const CHUNK_BYTES = 256 * 1024;
/** Records per call, as KCL passes on a read of 8 MiB. */
const CALL_RECORDS = 32;

export async function run(): Promise<BenchResult> {
  const { values } = parseArgs({ args: process.argv.slice(3), options: { logs: { type: 'boolean' } } });
  const content = values.logs ? 'logs' : 'dense';
  const credentials = {
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  Object.assign(process.env, credentials);
  const s3 = spawn(process.execPath, [path.join(import.meta.dirname, 'consumer-null-s3.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const kinesis = await KinesisDouble.start(1);
  try {
    const port = await firstLine(s3);
    const endpoint = `http://127.0.0.1:${port}`;
    const bare = await putBare(endpoint);
    const child = await playChild(endpoint, kinesis.endpoint, content);
    process.stderr.write(
      `${(child.bytes / MiB / child.seconds).toFixed(0)} MiB/s of chunk bytes, ${child.cpu.toFixed(1)} s CPU for ${child.bytes / MiB} MiB, RSS at most ${child.rssMiB} MiB; ` +
        `a batch of ${BATCH_BYTES / MiB} MiB: commit protocol ${child.batchMs.toFixed(0)} ms and ${child.batchCpuMs.toFixed(0)} ms CPU, ` +
        `bare PutObject ${bare.batchMs.toFixed(0)} ms and ${bare.batchCpuMs.toFixed(0)} ms CPU\n`,
    );
    return {
      bench: 'consumer',
      value: Math.round(child.bytes / MiB / child.seconds),
      unit: 'MiB/s of chunk bytes',
      bare: bare.cpu,
      ratio: Math.round((child.cpu / bare.cpu) * 100) / 100,
      rssMiB: child.rssMiB,
    };
  } finally {
    s3.stdin!.end();
    await kinesis.stop();
  }
}

interface Played {
  readonly bytes: number;
  readonly seconds: number;
  readonly cpu: number;
  readonly rssMiB: number;
  /** Time and CPU time of the calls that wrote a batch, minus those of a call that wrote none. */
  readonly batchMs: number;
  readonly batchCpuMs: number;
}

async function playChild(endpoint: string, kinesisEndpoint: string, content: Content): Promise<Played> {
  const config = checkConfig('bench', configFor(endpoint, kinesisEndpoint), consumerSchema);
  const child = spawn(process.execPath, [...NODE_FLAGS, CHILD], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TAILRACE_CONSUMER: shardConfigText(config) },
  });
  const driver = new Driver(child.stdin!, child.stdout!);
  await driver.call(
    JSON.stringify({ action: 'initialize', shardId: 'shardId-000000000000', sequenceNumber: 'TRIM_HORIZON' }),
  );
  const chunks = Array.from({ length: 16 }, (_, i) => makeChunk(i, CHUNK_BYTES, content));
  let bytes = 0;
  let sequence = 0;
  const plain: Call[] = [];
  const writing: Call[] = [];
  const cpuBefore = cpuSeconds(child.pid!);
  while (bytes < TOTAL_BYTES) {
    const records = Array.from({ length: CALL_RECORDS }, () => {
      sequence += 1;
      const data = chunks[sequence % chunks.length]!(sequence);
      bytes += data.length;
      return {
        action: 'record',
        data: data.toString('base64'),
        partitionKey: 'p',
        sequenceNumber: `${10 ** 15 + sequence}`,
        subSequenceNumber: 0,
        approximateArrivalTimestamp: Date.now(),
      };
    });
    const line = JSON.stringify({ action: 'processRecords', records, millisBehindLatest: 1000 });
    const [at, cpuAt, checkpoints] = [performance.now(), cpuSeconds(child.pid!), driver.checkpoints];
    await driver.call(line);
    const call = { ms: performance.now() - at, cpuMs: (cpuSeconds(child.pid!) - cpuAt) * 1000 };
    (driver.checkpoints > checkpoints ? writing : plain).push(call);
  }
  const seconds = [...plain, ...writing].reduce((sum, { ms }) => sum + ms, 0) / 1000;
  const cpu = cpuSeconds(child.pid!) - cpuBefore;
  const rssMiB = Math.round(
    Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024,
  );
  child.stdin!.end();
  await new Promise((resolve) => child.once('exit', resolve));
  const batchMs = median(writing.map(({ ms }) => ms)) - median(plain.map(({ ms }) => ms));
  // Counted in ticks of 10 ms, so only the mean is precise.
  const batchCpuMs = mean(writing.map(({ cpuMs }) => cpuMs)) - mean(plain.map(({ cpuMs }) => cpuMs));
  return { bytes, seconds, cpu, rssMiB, batchMs, batchCpuMs };
}

interface Call {
  readonly ms: number;
  readonly cpuMs: number;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The same bytes in objects of a batch each, without any protocol. */
async function putBare(endpoint: string): Promise<{ cpu: number; batchMs: number; batchCpuMs: number }> {
  const store = new S3Store({ bucket: 'b', region: 'us-east-1', endpoint }, { tries: 1 });
  const chunk = randomBytes(CHUNK_BYTES);
  const times: number[] = [];
  let cpu = 0;
  for (let i = 0; i <= TOTAL_BYTES / BATCH_BYTES; i++) {
    // Fresh bytes, like a batch's: one reused buffer would be in the processor's caches.
    const body = Array.from({ length: BATCH_BYTES / CHUNK_BYTES }, () => Buffer.from(chunk));
    const [at, before] = [performance.now(), process.cpuUsage()];
    await store.putIfAbsent(`k${i}`, body, 'gzip');
    // The first one opens the connection.
    if (i === 0) continue;
    times.push(performance.now() - at);
    const { user, system } = process.cpuUsage(before);
    cpu += (user + system) / 1e6;
  }
  store.close();
  return { cpu, batchMs: median(times), batchCpuMs: (cpu * 1000) / times.length };
}

function configFor(endpoint: string, kinesisEndpoint: string): object {
  return {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesisEndpoint },
    archive: { bucket: 'b', endpoint },
    batch: { max_bytes: BATCH_BYTES, max_age: '1h' },
    log_level: 'warn',
  };
}
