/**
 * A whole worker whose shards are all far behind, in the memory that its instance leaves it: the real launcher, KCL's
 * daemon and the process behind it, in a memory cgroup, before a Kinesis over TLS and an S3 that keeps everything. Ends with the most memory of all of it together, and with whether all is archived once.
 *
 *     WORKER_SHARDS=64 WORKER_MIB=16 WORKER_LIMIT_MIB=3500 npm run bench -- worker
 *
 * Needs root, for the cgroup.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as tls from 'node:tls';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { S3Store } from '../archive/s3.ts';
import { verifyArchive } from '../archive/verify/verify.ts';
import type { WorkerStatus } from '../consumer/status/board.ts';
import { Child } from '../local/child.ts';
import { LOCAL_ENV, s3Client } from '../local/clients.ts';
import { cpuSeconds } from './consumer-driver.ts';
import { makeCertificate, prime, REGION, STREAM, startSource } from './daemon-source.ts';
import type { BenchResult } from './run.ts';

const MiB = 1024 * 1024;
const SHARDS = Number(process.env['WORKER_SHARDS'] ?? 64);
/** Of each shard. */
const BACKLOG_MIB = Number(process.env['WORKER_MIB'] ?? 16);
/** What an instance of 4 GiB reports as its memory, and what its system leaves of it. */
const REPORTED_MIB = Number(process.env['WORKER_REPORTED_MIB'] ?? 3800);
const LIMIT_MIB = Number(process.env['WORKER_LIMIT_MIB'] ?? 3500);
const RECORD_BYTES = 256 * 1024;
/** Of one read; Kinesis hands over 10 MiB at most, and 2 MB a second. */
const READ_MIB = Number(process.env['WORKER_READ_MIB'] ?? 10);
const BUCKET = 'logs';
const SAMPLE_MS = 200;
/** How long the worker is watched when nothing is left to read. */
const QUIET_MS = 30_000;
/** Settings of KCL to try, as JSON. */
const KCL = JSON.parse(process.env['WORKER_KCL'] ?? '{}') as object;
const DEADLINE_MS = 20 * 60_000;

interface Peak {
  totalMiB: number;
  /** By program, at that moment. */
  parts: Readonly<Record<string, number>>;
}

export async function run(): Promise<BenchResult> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-bench-'));
  const trust = makeCertificate(directory);
  tls.setDefaultCACertificates([fs.readFileSync(trust.certificate, 'utf8')]);
  Object.assign(process.env, LOCAL_ENV, { NODE_EXTRA_CA_CERTS: trust.certificate });
  const local = (name: string, folder: string): Child =>
    new Child({
      name,
      args: [path.join(import.meta.dirname, `../local/${name}/serve.ts`), path.join(directory, folder)],
      logFile: path.join(directory, `${name}.log`),
      env: LOCAL_ENV,
    });
  const [s3, dynamodb] = [local('s3', 'archive'), local('dynamodb', 'tables')];
  const records = Math.floor((BACKLOG_MIB * MiB) / RECORD_BYTES);
  const perRead = Math.floor((READ_MIB * MiB) / RECORD_BYTES);
  const source = await startSource(
    { shards: SHARDS, records, perRead, recordBytes: RECORD_BYTES, ownLanes: true },
    trust,
  );
  const cgroup = makeCgroup(LIMIT_MIB);
  try {
    const s3Endpoint = `http://127.0.0.1:${await s3.ready(60_000)}`;
    const dynamodbEndpoint = `http://127.0.0.1:${await dynamodb.ready(60_000)}`;
    await s3Client(s3Endpoint).send(new CreateBucketCommand({ Bucket: BUCKET }));
    await prime(source.endpoint, dynamodbEndpoint, 'bench');
    const file = path.join(directory, 'consumer.yaml');
    const config = {
      stream: { name: STREAM, region: REGION, endpoint: source.endpoint },
      dynamodb: { endpoint: dynamodbEndpoint },
      archive: { bucket: BUCKET, endpoint: s3Endpoint },
      worker_id: 'bench',
      kcl: { credentials_provider: 'EnvironmentVariableCredentialsProvider', ...KCL },
      java: { heap: `${REPORTED_MIB / 2}MiB`, options: trust.javaOptions },
      http: { listen: '127.0.0.1:0' },
      log_level: 'info',
    };
    fs.writeFileSync(file, JSON.stringify(config));
    const worker = await measure(cgroup, file, SHARDS * records);
    const report = await verify(s3Endpoint);
    const whole = report.chunks === SHARDS * records && report.missing === 0 && report.repeats.length === 0;
    process.stderr.write(
      `${SHARDS} shards with ${BACKLOG_MIB} MiB each, reads of ${READ_MIB} MiB, java.heap ${REPORTED_MIB / 2} MiB, limit ${LIMIT_MIB} MiB: ` +
        `at most ${worker.peak.totalMiB.toFixed(0)} MiB (${partsText(worker.peak.parts)}); the cgroup with its file cache ${worker.cgroupMiB.toFixed(0)} MiB, ` +
        `limit reached ${worker.limitReached} times; ${worker.restarts} restarts of the daemon; ${worker.cpu.toFixed(0)} s CPU, then ${(worker.quietCpu * 100).toFixed(0)} % of a core while nothing comes; exit code ${worker.exit}\n` +
        `${report.chunks} of ${SHARDS * records} chunks archived, ${report.missing} missing, ${report.repeats.length} repeated, ${report.problems.length} problems\n` +
        `faults on the way: ${[...worker.faults].join(' | ') || 'none'}\n`,
    );
    if (!whole) throw new Error('the archive is not whole');
    return {
      bench: 'worker',
      value: Math.round(worker.peak.totalMiB),
      unit: `MiB at most with ${SHARDS} shards`,
      bare: worker.cpu,
      ratio: Math.round((worker.peak.totalMiB / LIMIT_MIB) * 100) / 100,
      rssMiB: Math.round(worker.peak.totalMiB),
    };
  } finally {
    cgroup.remove();
    await Promise.all([s3.stop(5000), dynamodb.stop(5000), source.end()]);
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

interface Cgroup {
  readonly directory: string;
  pids(): number[];
  remove(): void;
}

/** Of version 1; the kernel divides its memory among processes as an instance would. */
function makeCgroup(limitMiB: number): Cgroup {
  const directory = `/sys/fs/cgroup/memory/tailrace-bench-${process.pid}`;
  fs.mkdirSync(directory);
  fs.writeFileSync(path.join(directory, 'memory.limit_in_bytes'), String(limitMiB * MiB));
  const pids = (): number[] =>
    fs.readFileSync(path.join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  return { directory, pids, remove: () => fs.rmdirSync(directory) };
}

interface MeasuredWorker {
  readonly peak: Peak;
  readonly cgroupMiB: number;
  readonly limitReached: number;
  readonly restarts: number;
  readonly faults: ReadonlySet<string>;
  readonly cpu: number;
  /** CPU seconds a second when nothing is left to read. */
  readonly quietCpu: number;
  readonly exit: number | null;
}

async function measure(cgroup: Cgroup, config: string, chunks: number): Promise<MeasuredWorker> {
  const cli = path.join(import.meta.dirname, '../cli/tailrace.ts');
  const script = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
  const launcher = spawn(
    'sh',
    ['-c', script, cgroup.directory, process.execPath, cli, 'consumer', '--config', config],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = new Promise<number | null>((resolve) => launcher.once('exit', resolve));
  const peak: Peak = { totalMiB: 0, parts: {} };
  const timer = setInterval(() => sample(cgroup, peak), SAMPLE_MS);
  const faults = new Set<string>();
  try {
    const port = await httpPort(launcher);
    const deadline = performance.now() + DEADLINE_MS;
    let status: WorkerStatus;
    do {
      await sleep(1000);
      status = await statusOf(port);
      for (const fault of status.faults) faults.add(fault.replace(/\d+ s\b/, 'some s'));
      if (performance.now() > deadline) throw new Error(`${status.totals.chunks} of ${chunks} chunks came`);
      if (launcher.exitCode !== null) throw new Error(`the worker ended with ${launcher.exitCode}`);
    } while (status.totals.chunks < chunks);
    const cpuNow = (): number => cgroup.pids().reduce((sum, pid) => sum + cpuOf(pid), 0);
    const cpu = cpuNow();
    const at = performance.now();
    await sleep(QUIET_MS);
    const quietCpu = ((cpuNow() - cpu) / (performance.now() - at)) * 1000;
    launcher.kill('SIGTERM');
    const exit = await ended;
    const read = (name: string): number => Number(fs.readFileSync(path.join(cgroup.directory, name), 'utf8'));
    return {
      peak,
      cgroupMiB: read('memory.max_usage_in_bytes') / MiB,
      limitReached: read('memory.failcnt'),
      restarts: status.daemon_restarts,
      faults,
      cpu,
      quietCpu,
      exit,
    };
  } finally {
    clearInterval(timer);
    launcher.kill('SIGKILL');
    await ended;
    while (cgroup.pids().length > 0) await sleep(50);
  }
}

async function statusOf(port: number): Promise<WorkerStatus> {
  // A connection of its own: one that is kept may end in this moment.
  const answer = await fetch(`http://127.0.0.1:${port}/status`, { headers: { connection: 'close' } });
  return (await answer.json()) as WorkerStatus;
}

function cpuOf(pid: number): number {
  try {
    return cpuSeconds(pid);
  } catch {
    return 0;
  }
}

/** Proportional set sizes: pages of several processes are divided among them. */
function sample(cgroup: Cgroup, peak: Peak): void {
  const parts: Record<string, number> = {};
  for (const pid of cgroup.pids()) {
    try {
      const pss = Number(/^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
      const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const program = command[0]!.endsWith('node')
        ? command.includes('consumer')
          ? 'launcher'
          : 'host'
        : path.basename(command[0]!);
      parts[program] = (parts[program] ?? 0) + pss / 1024;
    } catch {
      // It has just ended.
    }
  }
  const totalMiB = Object.values(parts).reduce((sum, mib) => sum + mib, 0);
  if (totalMiB > peak.totalMiB) Object.assign(peak, { totalMiB, parts });
}

function partsText(parts: Readonly<Record<string, number>>): string {
  return Object.entries(parts)
    .map(([program, mib]) => `${program} ${mib.toFixed(0)}`)
    .join(', ');
}

function httpPort(launcher: ChildProcess): Promise<number> {
  let text = '';
  return new Promise((resolve, reject) => {
    launcher.stderr!.setEncoding('utf8').on('data', (part: string) => {
      if (process.env['WORKER_LOG']) fs.appendFileSync(process.env['WORKER_LOG'], part);
      text = (text + part).slice(-10_000);
      const port = /"http_port":(\d+)/.exec(text)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    launcher.once('exit', (code) => reject(new Error(`the worker ended with ${code}: ${text}`)));
  });
}

async function verify(endpoint: string) {
  const store = new S3Store({ bucket: BUCKET, region: REGION, endpoint }, { tries: 5 });
  try {
    return await verifyArchive(store, '', { now: Date.now(), pendingFor: 0, deep: true });
  } finally {
    store.close();
  }
}
