/** The workers of a run, each a launcher with its daemon and the host of its shards, and what happens to them. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DynamoDBClient, ScanCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { WorkerStatus } from '../../consumer/status/board.ts';
import { Service, signal } from './processes.ts';
import type { Fault } from './schedule.ts';
import type { Recovery, Timeline } from './timeline.ts';
import { until, within } from './wait.ts';

const CLI = path.join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');
const CLOCK = path.join(import.meta.dirname, 'clock.ts');
/** Longer than KCL's leader lock (two minutes) and all that comes after it. */
const ALL_RUN_MS = 300_000;
const STATUS_MS = 3_000;
const CLOCK_JUMP_MS = 3 * 3_600_000;

export interface WorkerOptions {
  readonly id: string;
  readonly folder: string;
  readonly port: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  readonly timeline: Timeline;
}

export class Worker {
  readonly id: string;
  readonly clock: string;
  readonly service: Service;
  readonly #port: number;

  constructor({ id, folder, port, config, env, timeline }: WorkerOptions) {
    this.id = id;
    this.#port = port;
    this.clock = path.join(folder, `${id}.clock`);
    const file = path.join(folder, `${id}.yaml`);
    const http = { listen: `127.0.0.1:${port}` };
    fs.writeFileSync(file, JSON.stringify({ ...config, worker_id: id, http }));
    this.service = new Service({
      name: id,
      args: () => [CLI, 'consumer', '--config', file],
      // The shards' processes have it from the launcher, by way of the daemon.
      env: { ...env, FAULTS_CLOCK: this.clock, NODE_OPTIONS: `--import ${CLOCK}` },
      logFile: path.join(folder, `${id}.log`),
      // A launcher may give up after many deaths of its daemon, and is then restarted.
      onEnd: (what) => timeline.add({ target: 'consumer', kind: 'gave up', note: what }),
    });
  }

  /** Null while it does not answer. */
  async status(): Promise<WorkerStatus | null> {
    const answer = async (): Promise<WorkerStatus | null> => {
      try {
        const response = await fetch(`http://127.0.0.1:${this.#port}/status`);
        return (await response.json()) as WorkerStatus;
      } catch {
        return null;
      }
    };
    return this.service.runs ? within(STATUS_MS, answer()) : null;
  }

  /** The shards whose processes run, with their pids. */
  async running(): Promise<Map<string, number>> {
    const status = await this.status();
    if (status === null) return new Map();
    return new Map(
      Object.entries(status.shards)
        .filter(([, line]) => line.connected && line.phase === 'running')
        .map(([shard, { pid }]) => [shard, pid]),
    );
  }
}

export interface WorkersOptions {
  readonly workers: readonly Worker[];
  readonly dynamodb: DynamoDBClient;
  readonly leaseTable: string;
  /** Shards that are not closed. */
  readonly openShards: () => Promise<readonly string[]>;
  readonly timeline: Timeline;
}

export class Workers {
  readonly #options: WorkersOptions;
  /** Frozen process groups and processes, to be let go at the end whatever happens. */
  readonly #frozen = new Set<number>();

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  /** Resolves when each open shard has a running process, with the milliseconds that took. */
  async allRun(by: readonly Worker[] = this.#options.workers): Promise<number> {
    const { openShards } = this.#options;
    let missing: string[] = [];
    return until(`every shard is read by ${by.map(({ id }) => id).join(' or ')}`, ALL_RUN_MS, async () => {
      const [open, ...running] = await Promise.all([openShards(), ...by.map((worker) => worker.running())]);
      missing = open.filter((shard) => !running.some((shards) => shards.has(shard)));
      return missing.length === 0;
    }).catch((error: Error) => {
      throw new Error(`${error.message} (nobody reads ${missing})`);
    });
  }

  start(): void {
    for (const { service } of this.#options.workers) service.start();
  }

  /** Resolves with the exit codes, or the signals that ended them. */
  end(by: NodeJS.Signals): Promise<(number | string)[]> {
    return Promise.all(this.#options.workers.map(({ service }) => service.end(by)));
  }

  /** The shards that are read by any of them. */
  async running(): Promise<ReadonlySet<string>> {
    const running = await Promise.all(this.#options.workers.map((worker) => worker.running()));
    return new Set(running.flatMap((shards) => [...shards.keys()]));
  }

  async processes(): Promise<readonly (readonly [string, number | null])[]> {
    const all = await Promise.all(
      this.#options.workers.map(async (worker) => {
        const status = await worker.status();
        return [
          ['launcher', worker.service.pid],
          ['daemon (JVM)', status?.daemon_pid ?? null],
          ['the host of the shards', status?.host_pid ?? null],
        ] as const;
      }),
    );
    return all.flat();
  }

  async suffer(fault: Fault): Promise<void> {
    const { workers, timeline } = this.#options;
    const { kind, ms, pick } = fault;
    await this.allRun();
    const worker = workers[Math.floor(pick * workers.length)]!;
    const at = timeline.now;
    const add = (note: string, of?: Recovery, recovered?: number): void =>
      timeline.add(
        {
          target: 'consumer',
          kind,
          note: `${worker.id}: ${note}`,
          ...(of === undefined || recovered === undefined ? {} : { recovery: { of, ms: recovered } }),
        },
        at,
      );
    const status = await worker.status();
    const relays = Object.values(status?.shards ?? {})
      .filter(({ connected }) => connected)
      .map(({ pid }) => pid);
    const relay = relays[Math.floor(pick * 7919) % Math.max(1, relays.length)];
    const host = status?.host_pid ?? null;
    const daemon = status?.daemon_pid ?? null;
    switch (kind) {
      case 'kill the host':
      case 'kill a relay':
      case 'kill the daemon': {
        const pid = kind === 'kill the host' ? host : kind === 'kill a relay' ? relay : daemon;
        if (pid === undefined || pid === null || !signal(pid, 'SIGKILL')) return add('nothing to kill');
        // Whichever dies ends the daemon, and all of the worker's shards with it.
        await until(`${worker.id} restarts its daemon`, ALL_RUN_MS, async () => {
          const now = (await worker.status())?.daemon_pid ?? null;
          return now !== null && now !== daemon;
        });
        await this.allRun();
        return add('', 'consumer restarted', timeline.now - at);
      }
      case 'kill the launcher':
        await worker.service.end('SIGKILL');
        await sleep(ms);
        worker.service.start();
        return add(`away for ${ms} ms`, 'consumer restarted', await this.allRun());
      case 'restart': {
        const code = await worker.service.end('SIGTERM');
        worker.service.start();
        return add(`ended with ${code}`, 'consumer restarted', await this.allRun());
      }
      case 'takeover':
      case 'dead worker': {
        // Its daemon and its host die of the launcher's death, or with it, as those of a machine do.
        await endAll(worker, kind === 'takeover' ? [] : [host, daemon]);
        const others = workers.filter((other) => other !== worker);
        const recovered = await this.allRun(others);
        worker.service.start();
        return add('stayed away', 'taken over by another worker', recovered);
      }
      case 'freeze the host':
        if (host === null) return add('no host to freeze');
        await this.#freeze(host, ms);
        return add(`for ${ms} ms`);
      case 'freeze the daemon':
        if (daemon === null) return add('no daemon to freeze');
        await this.#freeze(-daemon, ms);
        return add(`for ${ms} ms, with the host and its relays`);
      case 'freeze the launcher':
        await this.#freeze(worker.service.pid!, ms);
        return add(`for ${ms} ms`);
      case 'take leases':
        return add(`${await this.#takeLeases()} leases given to nobody`);
      case 'clock jump': {
        const offset = Math.round((pick * 2 - 1) * CLOCK_JUMP_MS);
        fs.writeFileSync(worker.clock, String(offset));
        await sleep(ms);
        fs.rmSync(worker.clock, { force: true });
        return add(`by ${Math.round(offset / 1000)} s for ${ms} ms`);
      }
      default:
        throw new Error(`no fault ${kind} of a consumer`);
    }
  }

  /** Undoes whatever an interrupted fault has left. */
  heal(): void {
    for (const pid of this.#frozen) signal(pid, 'SIGCONT');
    for (const worker of this.#options.workers) {
      worker.service.signal('SIGCONT');
      worker.service.start();
      fs.rmSync(worker.clock, { force: true });
    }
  }

  async kill(): Promise<void> {
    for (const pid of this.#frozen) signal(pid, 'SIGCONT');
    for (const worker of this.#options.workers) {
      worker.service.signal('SIGCONT');
      await worker.service.end('SIGKILL');
    }
  }

  async #freeze(pid: number, ms: number): Promise<void> {
    this.#frozen.add(pid);
    if (signal(pid, 'SIGSTOP')) await sleep(ms);
    signal(pid, 'SIGCONT');
    this.#frozen.delete(pid);
  }

  /** As if another had them: whoever works on them finds out by its next renewal or checkpoint. */
  async #takeLeases(): Promise<number> {
    const { dynamodb, leaseTable: TableName } = this.#options;
    const { Items: leases = [] } = await dynamodb.send(new ScanCommand({ TableName }));
    const held = leases.filter(({ leaseOwner }) => leaseOwner !== undefined);
    for (const { leaseKey } of held) {
      await dynamodb.send(
        new UpdateItemCommand({
          TableName,
          Key: { leaseKey: leaseKey! },
          UpdateExpression: 'SET leaseOwner = :nobody ADD leaseCounter :much',
          ExpressionAttributeValues: { ':nobody': { S: 'nobody' }, ':much': { N: '1000' } },
        }),
      );
    }
    return held.length;
  }
}

/** @param pids of it, killed with it */
async function endAll({ service }: Worker, pids: readonly (number | null)[]): Promise<void> {
  for (const pid of pids) if (pid !== null) signal(pid, 'SIGKILL');
  await service.end('SIGKILL');
}
