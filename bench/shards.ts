/**
 * What 1, 8 and 64 shards of a worker cost in memory and CPU, without the daemon: all in one process, as they are served,
 * and each in a process of its own, as they were and still are where a process cannot open another one's pipes.
 * The programs are bundled, as in the package. A driver plays the KCL protocol; S3 swallows.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { checkConfig } from '../cli/config.ts';
import { consumerSchema } from '../consumer/config.ts';
import { NODE_FLAGS } from '../consumer/kcl/memory.ts';
import { prepareRelays } from '../consumer/kcl/relay.ts';
import { shardConfigText } from '../consumer/shard/config.ts';
import { KinesisDouble } from '../test/support/kinesis-double.ts';
import { cpuSeconds, Driver, firstLine, makeChunk } from './consumer-driver.ts';
import { bundleProgram } from './fork-bundled.ts';
import type { BenchResult } from './run.ts';

const MiB = 1024 * 1024;
const COUNTS = [1, 8, 64] as const;
/** Reads of each shard, of four records of 256 KiB, after each of which a call without records follows. */
const READS = 8;
const RECORDS = 4;
const CHUNK_BYTES = 256 * 1024;
const SAMPLE_MS = 250;
const { O_NONBLOCK, O_RDWR } = fs.constants;

interface Cost {
  readonly shards: number;
  readonly idleMiB: number;
  readonly peakMiB: number;
  readonly cpu: number;
}

export async function run(): Promise<BenchResult> {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench' });
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-bench-'));
  const child = await bundleProgram('../consumer/shard/child.ts', directory);
  const s3 = spawn(process.execPath, [path.join(import.meta.dirname, 'consumer-null-s3.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const endpoint = `http://127.0.0.1:${await firstLine(s3)}`;
    const costs: Record<'one' | 'each', Cost[]> = { one: [], each: [] };
    for (const shards of COUNTS) {
      for (const way of ['one', 'each'] as const)
        costs[way].push(await measure(way, child, shards, endpoint));
    }
    for (const [way, list] of Object.entries(costs)) {
      for (const { shards, idleMiB, peakMiB, cpu } of list) {
        process.stderr.write(
          `${way === 'one' ? 'one process for all' : 'a process for each'}: ${shards} shards, ${idleMiB.toFixed(0)} MiB idle, ` +
            `at most ${peakMiB.toFixed(0)} MiB, ${cpu.toFixed(1)} s CPU for ${(shards * READS * RECORDS * CHUNK_BYTES) / MiB} MiB\n`,
        );
      }
    }
    const further = (list: Cost[]): number => (list[2]!.peakMiB - list[1]!.peakMiB) / (COUNTS[2] - COUNTS[1]);
    return {
      bench: 'shards',
      value: Math.round(further(costs.one) * 10) / 10,
      unit: 'MiB a further shard',
      bare: costs.each[2]!.cpu,
      ratio: Math.round((costs.one[2]!.cpu / costs.each[2]!.cpu) * 100) / 100,
      rssMiB: Math.round(costs.one[2]!.peakMiB),
    };
  } finally {
    s3.stdin!.end();
    fs.rmSync(directory, { recursive: true });
  }
}

async function measure(way: 'one' | 'each', child: string, shards: number, s3: string): Promise<Cost> {
  const kinesis = await KinesisDouble.start(shards);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-shards-'));
  const config = {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    archive: { bucket: 'b', endpoint: s3 },
    batch: { max_bytes: '4MiB', max_age: '1h' },
    log_level: 'warn',
  };
  const text = shardConfigText(checkConfig('bench', config, consumerSchema));
  const served = (way === 'one' ? serveTogether : serveEach)(child, shards, directory, {
    ...process.env,
    TAILRACE_CONSUMER: text,
  });
  let peak = 0;
  const sample = (): number => {
    const now = served.pids.reduce((sum, pid) => sum + pssMiB(pid), 0);
    peak = Math.max(peak, now);
    return now;
  };
  try {
    await Promise.all(served.drivers.map((driver, i) => driver.call(initialize(i))));
    const idle = sample();
    const before = served.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
    const timer = setInterval(sample, SAMPLE_MS);
    await Promise.all(served.drivers.map(play));
    clearInterval(timer);
    sample();
    const cpu = served.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0) - before;
    return { shards, idleMiB: idle, peakMiB: peak, cpu };
  } finally {
    await served.end();
    await kinesis.stop();
    fs.rmSync(directory, { recursive: true });
  }
}

function initialize(i: number): string {
  const shardId = `shardId-${String(i).padStart(12, '0')}`;
  return JSON.stringify({ action: 'initialize', shardId, sequenceNumber: 'TRIM_HORIZON' });
}

async function play(driver: Driver, i: number): Promise<void> {
  const chunk = makeChunk(i, CHUNK_BYTES);
  for (let read = 0; read < READS; read++) {
    const records = Array.from({ length: RECORDS }, (_, n) => {
      const sequence = read * RECORDS + n + 1;
      return {
        action: 'record',
        data: chunk(sequence).toString('base64'),
        partitionKey: 'p',
        sequenceNumber: `${10 ** 15 + sequence}`,
        subSequenceNumber: 0,
        approximateArrivalTimestamp: Date.now(),
      };
    });
    await driver.call(JSON.stringify({ action: 'processRecords', records, millisBehindLatest: 1000 }));
    await driver.call(JSON.stringify({ action: 'processRecords', records: [], millisBehindLatest: 0 }));
  }
}

interface Served {
  readonly pids: readonly number[];
  readonly drivers: readonly Driver[];
  end(): Promise<void>;
}

type Environment = NodeJS.ProcessEnv;

function serveEach(child: string, shards: number, _directory: string, env: Environment): Served {
  const processes = Array.from({ length: shards }, () =>
    spawn(process.execPath, [...NODE_FLAGS, child], { stdio: ['pipe', 'pipe', 'inherit'], env }),
  );
  return {
    pids: processes.map(({ pid }) => pid!),
    drivers: processes.map(({ stdin, stdout }) => new Driver(stdin!, stdout!)),
    end: () =>
      endAll(processes, () => {
        for (const { stdin } of processes) stdin!.end();
      }),
  };
}

function serveTogether(child: string, shards: number, directory: string, env: Environment): Served {
  const relays = prepareRelays(directory)!;
  const environment = { ...env, ...relays.env };
  const host = spawn(process.execPath, [...NODE_FLAGS, child], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: environment,
  });
  const processes: ChildProcess[] = [host];
  const drivers = Array.from({ length: shards }, (_, i) => {
    // Pipes as the daemon makes them, and not the sockets that Node would.
    const [input, output] = ['in', 'out'].map((name) => path.join(directory, `${name}.${i}`)) as [
      string,
      string,
    ];
    spawnSync('mkfifo', [input, output]);
    const ends = [input, output].map((file) => fs.openSync(file, O_RDWR)) as [number, number];
    processes.push(
      spawn('sh', [environment['TAILRACE_RELAY']!], { stdio: [...ends, 'inherit'], env: environment }),
    );
    for (const end of ends) fs.closeSync(end);
    // Opened both ways they neither wait for the other end nor close with it; each is used in one.
    const open = (file: string): number => fs.openSync(file, O_RDWR | O_NONBLOCK);
    return new Driver(
      new net.Socket({ fd: open(input), readable: false, writable: true }),
      new net.Socket({ fd: open(output), readable: true, writable: false }),
    );
  });
  return {
    pids: processes.map(({ pid }) => pid!),
    drivers,
    end: async () => {
      for (const driver of drivers) driver.destroy();
      const end = (): void => {
        host.stdin!.end();
        for (const relay of processes.slice(1)) relay.kill('SIGKILL');
      };
      await endAll(processes, end);
    },
  };
}

async function endAll(processes: readonly ChildProcess[], end: () => void): Promise<void> {
  const ended = processes.map((one) => new Promise((resolve) => one.once('exit', resolve)));
  end();
  await Promise.all(ended);
}

/** Its share of what is resident: pages of several processes are divided among them. */
function pssMiB(pid: number): number {
  const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+)/m.exec(text)![1]) / 1024;
}
