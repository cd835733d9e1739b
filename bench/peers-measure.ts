/** One measurement of the peers' table: a program, a row, a million events after an uncounted warm-up. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cpuSeconds, peakMiB } from './agent-cost.ts';
import type { Taken } from './null-kinesis.ts';
import type { Sent } from './peers-client.ts';
import { end, makeFolder, type Program, SERVER_TLS } from './peers-programs.ts';
import { PER_MESSAGE, type Row } from './peers-rows.ts';
import { accessLines } from './tail-lines.ts';

/** Uncounted warm-up events: an agent runs for months, so a compiler's first seconds do not matter. */
const WARM_UP = 200_000;
const POLL_MS = 50;
/** How long a program rests before its start is measured. */
const REST_MS = 3000;

export interface Measurement {
  /** Thousands of events per CPU second after the warm-up, and from the program's start on. */
  readonly warm: number;
  readonly whole: number;
  readonly peakMiB: number;
  /** Per million events. */
  readonly putUnits: number;
  /** By the clock; of the client's messages where it waits for acks. */
  readonly seconds: number;
  readonly ackMs: number | null;
}

export interface StartMeasurement {
  readonly cpuSeconds: number;
  readonly restMiB: number;
}

/** A Kinesis over TLS that takes everything and counts. */
export class Stream {
  readonly #server: ChildProcess;
  readonly port: number;

  private constructor(server: ChildProcess, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async open(): Promise<Stream> {
    const file = fileURLToPath(new URL('null-kinesis.ts', import.meta.url));
    const server = fork(file, ['--events', '--tls', ...SERVER_TLS]);
    const [port] = (await once(server, 'message')) as [number];
    return new Stream(server, port);
  }

  async taken(): Promise<Taken> {
    this.#server.send('taken');
    return ((await once(this.#server, 'message')) as [Taken])[0];
  }

  /**
   * Waits until so many events are there, and no more.
   *
   * @param resent how many chunks may have come twice
   */
  async holds(events: number, program: ChildProcess, resent = 0): Promise<Taken> {
    for (;;) {
      const taken = await this.taken();
      if (taken.events > events || taken.resentChunks > resent)
        throw new Error(
          `${events} events sent, ${taken.events} and ${taken.resentChunks} chunks twice received`,
        );
      if (taken.events === events) return taken;
      if (program.exitCode !== null)
        throw new Error(
          `${program.spawnfile} exited with ${program.exitCode}; run it by hand with its configuration`,
        );
      await sleep(POLL_MS);
    }
  }

  close(): void {
    this.#server.disconnect();
  }
}

export async function measure(
  program: Program,
  row: Row,
  directory: string,
  source: string,
  events: number,
): Promise<Measurement> {
  const stream = await Stream.open();
  const home = makeFolder(directory);
  const logs = [join(home, 'warm-up.log'), join(home, 'access.log')] as const;
  const setup = { ...row, directory: home, port: stream.port, logs, listen: await freePort() };
  const child = program.start(setup);
  const client = row.work === 'forward' ? await startClient(row, setup.listen) : null;
  const feed = async (count: number, log: string): Promise<Sent | null> => {
    if (client === null) {
      renameSync(log, log === `${home}/warm` ? logs[0] : logs[1]);
      return null;
    }
    client.send(count / PER_MESSAGE);
    return ((await once(client, 'message')) as [Sent])[0];
  };
  try {
    writeFileSync(`${home}/warm`, accessLines(0, WARM_UP, Date.now() - 1_800_000));
    await feed(WARM_UP, `${home}/warm`);
    const before = await stream.holds(WARM_UP, child);
    const cpuBefore = cpuSeconds(child);
    const began = performance.now();
    const sent = await feed(events, source);
    const after = await stream.holds(WARM_UP + events, child);
    const seconds = (performance.now() - began) / 1000;
    const cpu = cpuSeconds(child);
    const acks = sent?.acks.toSorted((a, b) => a - b) ?? [];
    return {
      warm: events / (cpu - cpuBefore) / 1000,
      whole: (WARM_UP + events) / cpu / 1000,
      peakMiB: peakMiB(child),
      putUnits: ((after.putUnits - before.putUnits) / events) * 1e6,
      seconds: acks.length > 0 ? sent!.seconds : seconds,
      ackMs: acks[Math.floor(acks.length / 2)] ?? null,
    };
  } finally {
    client?.disconnect();
    if (client === null) renameSync(logs[1], source);
    await end(child, process.env['PROFILE'] === undefined ? 'SIGKILL' : 'SIGTERM');
    stream.close();
  }
}

/** CPU and memory of a program that has started and has nothing to do. */
export async function measureStart(program: Program, directory: string): Promise<StartMeasurement> {
  const stream = await Stream.open();
  const home = makeFolder(directory);
  const logs = [join(home, 'access.log')];
  writeFileSync(logs[0]!, '');
  const child = program.start({
    directory: home,
    work: 'parsed',
    codec: 'zstd',
    port: stream.port,
    logs,
    listen: 0,
  });
  try {
    await sleep(REST_MS);
    const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))!;
    return { cpuSeconds: cpuSeconds(child), restMiB: Number(kib) / 1024 };
  } finally {
    await end(child, 'SIGKILL');
    stream.close();
  }
}

export async function startClient(row: Row, port: number): Promise<ChildProcess> {
  const file = fileURLToPath(new URL('peers-client.ts', import.meta.url));
  const client = fork(file, [
    String(port),
    row.fields!,
    String(row.unacknowledged ?? 0),
    String(row.connections ?? 1),
  ]);
  await once(client, 'message');
  return client;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
