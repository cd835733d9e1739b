/**
 * Measures the archiving function as it is deployed: a bundle in a process of its own, called with full batches, into an
 * S3 that accepts everything. Bare cost: decoding the same events and hashing their bytes.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { bundle } from '../functions/bundle.ts';
import { KinesisDouble } from '../test/support/kinesis-double.ts';
import { cpuSeconds, firstLine, makeChunk } from './consumer-driver.ts';
import type { BenchResult } from './run.ts';

const MiB = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
/** 4.25 MiB: what 6 MB of payload hold in Base64. */
const RECORDS = 17;
const CALLS = 60;
const RUNTIME = path.join(import.meta.dirname, '..', 'test', 'simulation', 'lambda-runtime.ts');

export async function run(): Promise<BenchResult> {
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'tailrace-bench-'));
  const s3 = spawn(process.execPath, [path.join(import.meta.dirname, 'consumer-null-s3.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const kinesis = await KinesisDouble.start(1);
  try {
    await bundle(folder);
    const s3Endpoint = `http://127.0.0.1:${await firstLine(s3)}`;
    const before = performance.now();
    const child = fork(RUNTIME, [path.join(folder, 'archive', 'index.mjs')], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: {
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'bench',
        AWS_SECRET_ACCESS_KEY: 'bench',
        AWS_ENDPOINT_URL_KINESIS: kinesis.endpoint,
        AWS_ENDPOINT_URL_S3: s3Endpoint,
        STREAM_NAME: 'weblogs',
        ARCHIVE_BUCKET: 'b',
      },
    });
    await new Promise((resolve) => child.once('message', resolve));
    const chunks = Array.from({ length: 16 }, (_, i) => makeChunk(i, CHUNK_BYTES));
    const first = await call(child, eventOf(chunks, 0));
    const cold = { ms: performance.now() - before, cpu: cpuSeconds(child.pid!) };
    let bytes = 0;
    let bare = 0;
    for (let i = 1; i <= CALLS; i++) {
      const event = eventOf(chunks, i * RECORDS);
      bare += decode(event);
      bytes += await call(child, event);
    }
    const cpu = cpuSeconds(child.pid!) - cold.cpu;
    const status = fs.readFileSync(`/proc/${child.pid}/status`, 'utf8');
    const rssMiB = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 1024);
    child.kill();
    const perGb = (cpu / bytes) * 1e9;
    process.stderr.write(
      `cold start and first batch of ${(first / MiB).toFixed(1)} MiB: ${cold.ms.toFixed(0)} ms, ${cold.cpu.toFixed(2)} s CPU; ` +
        `then ${((cpu * 1000) / (bytes / MiB)).toFixed(1)} ms CPU per MiB of chunks, ${perGb.toFixed(1)} s per GB\n`,
    );
    return {
      bench: 'function',
      value: Math.round(bytes / MiB / cpu),
      unit: 'MiB of chunk bytes per CPU second',
      bare: Math.round(bare * 100) / 100,
      ratio: Math.round((cpu / bare) * 100) / 100,
      rssMiB,
    };
  } finally {
    s3.stdin!.end();
    await kinesis.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

interface Event {
  readonly Records: readonly { readonly kinesis: { readonly data: string } }[];
}

function eventOf(chunks: readonly ((sequence: number) => Buffer)[], from: number): Event {
  return {
    Records: Array.from({ length: RECORDS }, (_, i) => {
      const sequence = from + i + 1;
      return {
        eventID: `shardId-000000000000:${10 ** 15 + sequence}`,
        kinesis: {
          sequenceNumber: `${10 ** 15 + sequence}`,
          data: chunks[sequence % chunks.length]!(sequence).toString('base64'),
          approximateArrivalTimestamp: Date.now() / 1000,
        },
      };
    }),
  };
}

/** @returns the bytes of the batch's records */
async function call(child: ChildProcess, event: Event): Promise<number> {
  const answer = await new Promise<{ error?: string }>((resolve) => {
    child.once('message', (message) => resolve(message as { error?: string }));
    child.send({ id: 1, event, now: Date.now(), remainingMs: 60_000 });
  });
  if (answer.error !== undefined) throw new Error(answer.error);
  return event.Records.reduce((sum, { kinesis }) => sum + Buffer.byteLength(kinesis.data, 'base64'), 0);
}

/** @returns CPU seconds */
function decode(event: Event): number {
  const before = process.cpuUsage();
  const hash = createHash('sha256');
  for (const { kinesis } of (JSON.parse(JSON.stringify(event)) as Event).Records) {
    hash.update(Buffer.from(kinesis.data, 'base64'));
  }
  hash.digest();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
