/**
 * The CPU that KCL's daemon takes for a GB of records, and what it goes down by: the real daemon and the process that
 * serves its shards, as the package starts them, before a Kinesis over TLS and an S3 that swallows. Each variant changes
 * one thing; rounds of all variants follow each other, and medians count.
 *
 *     DAEMON_ROUNDS=3 DAEMON_VARIANTS=default,c1 DAEMON_SHARDS=8 DAEMON_MIB=768 npm run bench -- daemon
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as tls from 'node:tls';
import { pino } from 'pino';
import { checkConfig } from '../cli/config.ts';
import { type ConsumerConfig, consumerSchema } from '../consumer/config.ts';
import { Daemon, JVM_FLAGS } from '../consumer/kcl/daemon.ts';
import { ensureJars } from '../consumer/kcl/jars.ts';
import { ReportServer } from '../consumer/status/report.ts';
import { Child } from '../local/child.ts';
import { cpuSeconds, firstLine } from './consumer-driver.ts';
import { makeCertificate, prime, REGION, STREAM, startSource, type Trust } from './daemon-source.ts';
import { bundleProgram } from './fork-bundled.ts';
import type { BenchResult } from './run.ts';

const MiB = 1024 * 1024;
const SHARDS = Number(process.env['DAEMON_SHARDS'] ?? 8);
const TOTAL_MIB = Number(process.env['DAEMON_MIB'] ?? 768);
const ROUNDS = Number(process.env['DAEMON_ROUNDS'] ?? 3);
const RECORD_BYTES = Number(process.env['DAEMON_RECORD_BYTES'] ?? 256 * 1024);
/** The first part of the bytes is a warm-up: a worker runs for months. */
const WARM = 1 / 3;
const SAMPLE_MS = 50;

/** Leases are given out within a second; nothing else of it changes what a record costs. */
const KCL = {
  idle_between_reads: '200ms',
  lease_assignment_interval: '500ms',
  worker_metrics_interval: '1s',
  worker_metrics_sample: '500ms',
  credentials_provider: 'EnvironmentVariableCredentialsProvider',
};

interface Variant {
  readonly jvmFlags?: readonly string[];
  readonly kcl?: object;
  readonly heap?: string;
  /** Bytes of one read of a shard. */
  readonly readBytes?: number;
  /** Bytes of one record: what the agent puts together. */
  readonly recordBytes?: number;
  /** Jars in front of the others. */
  readonly jars?: string;
}

const SERIAL = '-XX:+UseSerialGC';
/** BoringSSL for Netty (netty-tcnative-boringssl-static and -classes), which the AWS SDK takes instead of Java's TLS. */
const OPENSSL = process.env['DAEMON_OPENSSL_JARS'] ?? '';
const C1 = '-XX:TieredStopAtLevel=1';
const VARIANTS: Readonly<Record<string, Variant>> = {
  default: {},
  c1: { jvmFlags: [SERIAL, C1] },
  'parallel-gc': { jvmFlags: ['-XX:+UseParallelGC'] },
  g1: { jvmFlags: ['-XX:+UseG1GC'] },
  'heap-256': { heap: '256MiB' },
  'heap-1024': { heap: '1GiB' },
  'read-512k': { readBytes: 512 * 1024 },
  'read-10m': { readBytes: 10 * MiB },
  'idle-200': { kcl: { idle_between_reads: '200ms' } },
  'young-64': { jvmFlags: [...JVM_FLAGS, '-Xmn64m'] },
  'young-256': { jvmFlags: [...JVM_FLAGS, '-Xmn256m'] },
  openssl: { jars: OPENSSL },
  'openssl-4m': { jars: OPENSSL, readBytes: 4 * MiB },
  'openssl-10m': { jars: OPENSSL, readBytes: 10 * MiB },
  'read-4m': { readBytes: 4 * MiB },
  'records-25k': { recordBytes: 25 * 1024 },
  'records-1m': { recordBytes: 1000 * 1024 },
};

interface Measured {
  /** CPU seconds a GB after the warm-up. */
  readonly java: number;
  readonly host: number;
  /** CPU seconds of the daemon until the first byte and for everything. */
  readonly start: number;
  readonly total: number;
  readonly rssMiB: number;
  readonly mibPerSecond: number;
}

interface Bench {
  readonly directory: string;
  readonly child: string;
  readonly classPath: string;
  readonly s3: string;
  readonly trust: Trust;
}

export async function run(): Promise<BenchResult> {
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
    AWS_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
  });
  const names = (process.env['DAEMON_VARIANTS'] ?? Object.keys(VARIANTS).join(',')).split(',');
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-bench-'));
  const s3 = spawn(process.execPath, [path.join(import.meta.dirname, 'consumer-null-s3.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const trust = makeCertificate(directory);
    tls.setDefaultCACertificates([fs.readFileSync(trust.certificate, 'utf8')]);
    process.env['NODE_EXTRA_CA_CERTS'] = trust.certificate;
    const bench: Bench = {
      directory,
      child: await bundleProgram('../consumer/shard/child.ts', directory),
      classPath: process.env['DAEMON_CLASS_PATH'] ?? (await ensureJars()).classPath,
      s3: `http://127.0.0.1:${await firstLine(s3)}`,
      trust,
    };
    const results = new Map<string, Measured[]>(names.map((name) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of names) {
        const measured = await measure(bench, VARIANTS[name]!);
        results.get(name)!.push(measured);
        process.stderr.write(`${name}: ${line(measured)}\n`);
      }
    }
    process.stderr.write('medians:\n');
    for (const [name, list] of results) process.stderr.write(`${name}: ${line(medianOf(list))}\n`);
    const { java, host, rssMiB } = medianOf(results.get(names[0]!)!);
    return {
      bench: 'daemon',
      value: Math.round(java * 10) / 10,
      unit: 'CPU seconds of the JVM a GB',
      bare: host,
      ratio: Math.round((java / host) * 100) / 100,
      rssMiB,
    };
  } finally {
    s3.stdin!.end();
    fs.rmSync(directory, { recursive: true });
  }
}

function line({ java, host, start, total, rssMiB, mibPerSecond }: Measured): string {
  return (
    `JVM ${java.toFixed(1)} s CPU a GB, host ${host.toFixed(1)} s; start ${start.toFixed(1)} s, in all ${total.toFixed(1)} s; ` +
    `${rssMiB.toFixed(0)} MiB resident; ${mibPerSecond.toFixed(0)} MiB/s`
  );
}

function medianOf(list: readonly Measured[]): Measured {
  const median = (key: keyof Measured): number =>
    list.map((one) => one[key]).toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;
  return {
    java: median('java'),
    host: median('host'),
    start: median('start'),
    total: median('total'),
    rssMiB: median('rssMiB'),
    mibPerSecond: median('mibPerSecond'),
  };
}

async function measure(bench: Bench, variant: Variant): Promise<Measured> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-'));
  const { readBytes = MiB, recordBytes = RECORD_BYTES } = variant;
  const perShard = Math.floor((TOTAL_MIB * MiB) / SHARDS / recordBytes);
  const perRead = Math.max(1, Math.floor(readBytes / recordBytes));
  const source = await startSource(
    { shards: SHARDS, records: perShard, perRead, recordBytes, ownLanes: false },
    bench.trust,
  );
  const dynamodb = new Child({
    name: 'DynamoDB',
    args: [path.join(import.meta.dirname, '../local/dynamodb/serve.ts'), path.join(directory, 'tables')],
    logFile: path.join(directory, 'dynamodb.log'),
  });
  try {
    const config = {
      stream: { name: STREAM, region: REGION, endpoint: source.endpoint },
      dynamodb: { endpoint: `http://127.0.0.1:${await dynamodb.ready(30_000)}` },
      archive: { bucket: 'b', endpoint: bench.s3 },
      worker_id: 'bench',
      kcl: { ...KCL, ...variant.kcl },
      java: { heap: variant.heap ?? '512MiB' },
      log_level: 'warn',
    };
    const checked = checkConfig('bench', config, consumerSchema);
    return await measureDaemon(bench, variant, checked, { directory, total: source.bytes });
  } finally {
    await dynamodb.stop(5000);
    await source.end();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

async function measureDaemon(
  bench: Bench,
  { jvmFlags = JVM_FLAGS, jars }: Variant,
  config: ConsumerConfig,
  { directory, total }: { readonly directory: string; readonly total: number },
): Promise<Measured> {
  await prime(config.stream.endpoint!, config.dynamodb.endpoint!);
  const received = new Map<string, number>();
  let hostPid = 0;
  const reports = new ReportServer(
    (report) => {
      hostPid = report.host_pid;
      received.set(report.shard, report.counters.bytes_received);
    },
    () => {},
  );
  const socket = path.join(directory, 'r.sock');
  await reports.listen(socket);
  const daemon = await Daemon.start({
    classArchive: null,
    config,
    classPath: [jars, bench.classPath].filter(Boolean).join(path.delimiter),
    directory,
    reports: socket,
    child: bench.child,
    log: pino({ level: process.env['DAEMON_LOG'] ?? 'error' }, pino.destination({ fd: 2 })),
    onWarning: () => {},
    jvmFlags: [...jvmFlags, ...bench.trust.javaOptions],
  });
  const bytes = (): number => [...received.values()].reduce((sum, one) => sum + one, 0);
  const until = async (part: number): Promise<{ bytes: number; java: number; host: number; at: number }> => {
    while (bytes() < total * part) {
      if (!fs.existsSync(`/proc/${daemon.pid}`)) throw new Error('the daemon died');
      await sleep(SAMPLE_MS);
    }
    const host = hostPid === 0 ? 0 : cpuSeconds(hostPid);
    return { bytes: bytes(), java: cpuSeconds(daemon.pid), host, at: performance.now() };
  };
  try {
    const start = await until(0.001);
    const warm = await until(WARM);
    const done = await until(1);
    const gb = (done.bytes - warm.bytes) / 1e9;
    const rss = /VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))![1];
    return {
      java: (done.java - warm.java) / gb,
      host: (done.host - warm.host) / gb,
      start: start.java,
      total: done.java,
      rssMiB: Math.round(Number(rss) / 1024),
      mibPerSecond: ((done.bytes - warm.bytes) / MiB / (done.at - warm.at)) * 1000,
    };
  } finally {
    daemon.kill();
    await daemon.ended;
    reports.close();
  }
}
