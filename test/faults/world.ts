/** Everything that a run consists of, started together: the embedded stack behind proxies, agents, workers, a region. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { S3Store } from '../../archive/s3.ts';
import { packageFunctions } from '../../functions/package.ts';
import { bundlePrograms } from '../../infra/package.ts';
import { dynamodbClient, kinesisClient } from '../../local/clients.ts';
import { freePorts } from '../../local/ports.ts';
import { type Stack, startStack } from '../../local/stack.ts';
import { Region, STACK } from '../simulation/region.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { generator } from '../support/random.ts';
import { AgentUnderTest } from './agents.ts';
import { Instances } from './instances.ts';
import { ForwardSource, jsonLine, LogSource, nginxLine, type Source } from './load.ts';
import { Memory } from './memory.ts';
import type { Fault, Target } from './schedule.ts';
import { FaultyService, Stream } from './services.ts';
import type { Timeline } from './timeline.ts';
import { Worker, Workers } from './workers.ts';

/** The stream that the packaged functions know. */
const STREAM = STACK;
const APPLICATION = 'tailrace';
const SHARDS = 4;
/** Events of each kind a second, of 100; the rest is what the instances write. */
const SHARE = { log: 0.3, forward: 0.033 };

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

export interface WorldOptions {
  readonly folder: string;
  readonly seed: number;
  /** Events a second of all sources together. */
  readonly rate: number;
  readonly timeline: Timeline;
  readonly log: (message: string) => void;
}

export class World {
  readonly stack: Stack;
  readonly archive: S3Store;
  readonly agents: readonly AgentUnderTest[];
  readonly workers: Workers;
  readonly sources: readonly Source[];
  readonly instances: Instances;
  readonly memory: Memory;
  readonly #consumers: readonly Worker[];
  readonly #region: Region;
  readonly #proxies: readonly FaultProxy[];
  readonly #services: readonly FaultyService[];
  readonly #clients: readonly (KinesisClient | DynamoDBClient)[];
  readonly #suffer: ReadonlyMap<Target, (fault: Fault) => Promise<void>>;

  private constructor(parts: {
    stack: Stack;
    agents: AgentUnderTest[];
    consumers: Worker[];
    workers: Workers;
    sources: Source[];
    instances: Instances;
    region: Region;
    proxies: FaultProxy[];
    services: Map<Target, FaultyService>;
    stream: Stream;
    clients: (KinesisClient | DynamoDBClient)[];
  }) {
    const { stack, agents, consumers, workers, sources, instances, region, services, stream } = parts;
    this.stack = stack;
    this.agents = agents;
    this.workers = workers;
    this.sources = sources;
    this.instances = instances;
    this.#consumers = consumers;
    this.#region = region;
    this.#proxies = parts.proxies;
    this.#services = [...services.values()];
    this.#clients = parts.clients;
    const location = { bucket: stack.bucket, region: stack.region, endpoint: stack.s3Endpoint };
    this.archive = new S3Store(location, { tries: 5 });
    this.#suffer = new Map<Target, (fault: Fault) => Promise<void>>([
      ...agents.map((agent) => [agent.name as Target, (fault: Fault) => agent.suffer(fault)] as const),
      ...[...services].map(([target, one]) => [target, (fault: Fault) => one.suffer(fault)] as const),
      ['consumer', (fault) => workers.suffer(fault)],
      ['stream', (fault) => stream.suffer(fault)],
      ['instances', (fault) => instances.suffer(fault)],
    ]);
    this.memory = new Memory(() => this.#processes());
  }

  /** Starts all of it; events flow when it resolves. */
  static async start({ folder, seed, rate, timeline, log }: WorldOptions): Promise<World> {
    const packaged = join(folder, 'functions');
    mkdirSync(folder, { recursive: true });
    log('packaging the functions and the agent');
    await packageFunctions(packaged, {}, ['stack']);
    const otherBuild = await bundlePrograms('agent', join(folder, 'other-build'));

    const stack = await startStack({
      dataDir: join(folder, 'data'),
      shards: SHARDS,
      streamName: STREAM,
      application: APPLICATION,
      log,
    });
    // The archive's reader asks for credentials, wherever it is.
    Object.assign(process.env, stack.env);
    const proxies = await startProxies(stack, seed);
    const services = servicesOf(stack, proxies, timeline);
    const kinesis = kinesisClient(stack.kinesisEndpoint);
    const dynamodb = dynamodbClient(stack.dynamodbEndpoint);
    const ports = await freePorts(5);
    const { agents, sources } = await startAgents(
      { folder, rate, timeline, otherBuild, env: stack.env },
      { name: STREAM, region: stack.region, endpoint: proxies.kinesis.endpoint },
      ports.slice(0, 3),
    );
    const config = consumerConfig(stack, proxies);
    const consumers = ['worker-1', 'worker-2'].map(
      (id, i) => new Worker({ id, folder, port: ports[3 + i]!, env: stack.env, timeline, config }),
    );
    const stream: Stream = new Stream(kinesis, STREAM, timeline, () => workers.allRun());
    const workers: Workers = new Workers({
      workers: consumers,
      dynamodb,
      leaseTable: APPLICATION,
      openShards: async () => (await stream.open()).map((shard) => shard.ShardId!),
      timeline,
    });
    for (const worker of consumers) worker.service.start();
    const region = await startRegion(join(packaged, 'stack'), stack, proxies.instances);
    const world = new World({
      stack,
      agents,
      consumers,
      workers,
      sources,
      instances: new Instances(region, timeline),
      region,
      proxies: Object.values(proxies),
      services,
      stream,
      clients: [kinesis, dynamodb],
    });
    await workers.allRun();
    return world;
  }

  suffer(fault: Fault): Promise<void> {
    return this.#suffer.get(fault.target)!(fault);
  }

  /** Events that must be in the archive, by source. */
  get promised(): Map<string, number> {
    return new Map([
      ...this.sources.map(({ name, made }) => [name, made] as const),
      ...this.instances.promised,
    ]);
  }

  /** Whatever an interrupted fault has left is undone. */
  heal(): void {
    for (const service of this.#services) service.heal();
    for (const agent of this.agents) agent.heal();
    this.workers.heal();
  }

  /** Ends the workers in order; resolves with their exit codes. */
  stopWorkers(): Promise<(number | string)[]> {
    return Promise.all(this.#consumers.map(({ service }) => service.end('SIGTERM')));
  }

  async stop(): Promise<void> {
    this.memory.stop();
    this.heal();
    await Promise.all(this.agents.map((agent) => agent.kill()));
    await this.workers.kill();
    await this.#region.stop();
    for (const client of this.#clients) client.destroy();
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
    this.archive.close();
    await this.stack.stop();
  }

  async #processes(): Promise<readonly (readonly [string, number | null])[]> {
    const workers = await Promise.all(
      this.#consumers.map(async (worker) => {
        const status = await worker.status();
        return [
          ['launcher', worker.service.pid],
          ['daemon (JVM)', status?.daemon_pid ?? null],
          ['the host of the shards', status?.host_pid ?? null],
        ] as const;
      }),
    );
    return [
      ...this.agents.map(({ name, pid }) => [name, pid] as const),
      ...workers.flat(),
      ...this.stack.children.map(({ name, pid }) => [`${name} (emulator)`, pid] as const),
    ];
  }
}

interface AgentsOptions {
  readonly folder: string;
  readonly rate: number;
  readonly timeline: Timeline;
  readonly otherBuild: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Three agents: renamed logs and gzip, truncated logs and zstd, and one that is never killed. */
async function startAgents(
  { folder, rate, timeline, otherBuild, env }: AgentsOptions,
  stream: object,
  ports: readonly number[],
): Promise<{ agents: AgentUnderTest[]; sources: Source[] }> {
  const logs = [
    { format: 'nginx', line: nginxLine, rotation: 'rename', every: 15_000, compression: 'gzip' },
    { format: 'json', line: jsonLine, rotation: 'copytruncate', every: 11_000, compression: 'zstd' },
    { format: 'json', line: jsonLine, rotation: 'rename', every: 20_000, compression: 'gzip' },
  ] as const;
  const agents: AgentUnderTest[] = [];
  const files: string[] = [];
  for (const [i, { format, compression }] of logs.entries()) {
    const name = `agent-${i + 1}`;
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    const file = join(own, 'access.log');
    writeFileSync(file, '');
    files.push(file);
    agents.push(
      new AgentUnderTest({
        name,
        folder: own,
        env,
        otherBuild,
        timeline,
        config: {
          stream,
          inputs: [
            { type: 'tail', path: file, tag: `access.${format}`, format, refresh_interval: '500ms' },
            { type: 'forward', listen: `127.0.0.1:${ports[i]}` },
          ],
          compression,
          lanes: 2,
          seal: { ack_interval: '300ms' },
          spool: { segment_size: '1MiB', max_size: '256MiB' },
          instance: { watch: 'off' },
          stop_timeout: '20s',
        },
      }),
    );
  }
  await Promise.all(agents.map((agent) => agent.start()));
  const sources = logs.flatMap(({ line, rotation, every }, i) => [
    new LogSource(`log-${i + 1}`, files[i]!, line, rotation, rate * SHARE.log, every),
    new ForwardSource(`forward-${i + 1}`, ports[i]!, rate * SHARE.forward),
  ]);
  return { agents, sources };
}

interface Proxies {
  readonly kinesis: FaultProxy;
  readonly s3: FaultProxy;
  readonly dynamodb: FaultProxy;
  /** Between the simulated instances and the stream. */
  readonly instances: FaultProxy;
}

async function startProxies(stack: Stack, seed: number): Promise<Proxies> {
  const proxy = (endpoint: string, number: number): Promise<FaultProxy> =>
    FaultProxy.start(endpoint, {}, generator(seed * 31 + number));
  const [kinesis, s3, dynamodb, instances] = await Promise.all([
    proxy(stack.kinesisEndpoint, 1),
    proxy(stack.s3Endpoint, 2),
    proxy(stack.dynamodbEndpoint, 3),
    proxy(stack.kinesisEndpoint, 4),
  ]);
  return { kinesis, s3, dynamodb, instances };
}

function servicesOf(
  stack: Stack,
  { kinesis, s3, dynamodb }: Proxies,
  timeline: Timeline,
): Map<Target, FaultyService> {
  const pid = new Map(stack.children.map(({ name, pid }) => [name, pid]));
  return new Map<Target, FaultyService>([
    ['kinesis', new FaultyService('kinesis', kinesis, pid.get('Kinesis')!, timeline)],
    ['s3', new FaultyService('s3', s3, pid.get('S3')!, timeline)],
    ['dynamodb', new FaultyService('dynamodb', dynamodb, pid.get('DynamoDB')!, timeline)],
  ]);
}

function consumerConfig(stack: Stack, { s3, dynamodb }: Proxies): Record<string, unknown> {
  return {
    stream: { name: STREAM, region: stack.region, endpoint: stack.kinesisEndpoint },
    archive: { bucket: stack.bucket, endpoint: s3.endpoint },
    dynamodb: { endpoint: dynamodb.endpoint },
    application: APPLICATION,
    batch: { max_bytes: '1MiB', max_age: '4s' },
    kcl: KCL,
    java: { heap: '256MiB' },
    restart: { backoff: '500ms', max_backoff: '5s' },
  };
}

function startRegion(functions: string, stack: Stack, proxy: FaultProxy): Promise<Region> {
  return Region.start(functions, { ReadmitBytesPerSecond: 100_000_000 }, STACK, {
    name: STREAM,
    endpoint: proxy.endpoint,
    functionsEndpoint: stack.kinesisEndpoint,
    refuse: (refusing) => {
      proxy.faults = { throttled: refusing ? 1 : 0 };
    },
  });
}
