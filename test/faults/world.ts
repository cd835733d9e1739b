/** Everything that a run consists of, started together: the embedded stack behind proxies, agents, workers, a region. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { S3Store } from '../../archive/s3.ts';
import { packageFunctions } from '../../functions/package.ts';
import { bundlePrograms } from '../../infra/package.ts';
import { dynamodbClient, kinesisClient } from '../../local/clients.ts';
import { lastingPorts } from '../../local/ports.ts';
import { type Stack, startStack } from '../../local/stack.ts';
import { Region, STACK } from '../simulation/region.ts';
import type { FaultProxy } from '../support/fault-proxy.ts';
import { generator } from '../support/random.ts';
import { AgentUnderTest } from './agents.ts';
import type { Archivers } from './archivers.ts';
import { APPLICATION, archiversOf } from './archivers-setup.ts';
import { Compaction } from './compaction.ts';
import { Instances } from './instances.ts';
import { ForwardSource, jsonLine, LogSource, nginxLine, type Source } from './load.ts';
import { type Pace, paced, paceOf } from './log-clock.ts';
import { Memory } from './memory.ts';
import { servicesOf, startProxies, throughProxy } from './proxies.ts';
import type { Archiver, Fault, Target } from './schedule.ts';
import { type FaultyService, Stream } from './services.ts';
import { Strangers } from './strangers.ts';
import type { Timeline } from './timeline.ts';

/** The stream that the packaged functions know. */
const STREAM = STACK;
const SHARDS = 4;
const HOUR_MS = 3_600_000;
/** Shorter than an agent lives. */
const WATERMARKS = '2s';
/** By how much a clock may be behind, or a chunk late. */
const MOST_BACK_HOURS = 12;
/** Events of each kind a second, of 100; the rest is what the instances write. */
const SHARE = { log: 0.3, forward: 0.033 };

export interface WorldOptions {
  readonly folder: string;
  readonly seed: number;
  readonly minutes: number;
  /** Events a second of all sources together. */
  readonly rate: number;
  readonly archiver: Archiver;
  readonly timeline: Timeline;
  readonly log: (message: string) => void;
}

export class World {
  readonly stack: Stack;
  readonly archive: S3Store;
  readonly agents: readonly AgentUnderTest[];
  readonly archivers: Archivers;
  readonly sources: readonly Source[];
  readonly instances: Instances;
  readonly strangers: Strangers;
  readonly compaction: Compaction;
  readonly folder: string;
  /** With which the logs begin, since 1970. */
  readonly firstHour: number;
  readonly memory: Memory;
  readonly #region: Region;
  readonly #proxies: readonly FaultProxy[];
  readonly #services: readonly FaultyService[];
  readonly #clients: readonly (KinesisClient | DynamoDBClient)[];
  readonly #suffer: ReadonlyMap<Target, (fault: Fault) => Promise<void>>;

  private constructor(parts: {
    stack: Stack;
    agents: AgentUnderTest[];
    archivers: Archivers;
    sources: Source[];
    instances: Instances;
    strangers: Strangers;
    compaction: Compaction;
    archive: S3Store;
    folder: string;
    firstHour: number;
    region: Region;
    proxies: FaultProxy[];
    services: Map<Target, FaultyService>;
    stream: Stream;
    clients: (KinesisClient | DynamoDBClient)[];
  }) {
    const { stack, agents, archivers, sources, instances, strangers, compaction, region, services, stream } =
      parts;
    this.stack = stack;
    this.agents = agents;
    this.archivers = archivers;
    this.sources = sources;
    this.instances = instances;
    this.strangers = strangers;
    this.compaction = compaction;
    this.folder = parts.folder;
    this.firstHour = parts.firstHour;
    this.#region = region;
    this.#proxies = parts.proxies;
    this.#services = [...services.values()];
    this.#clients = parts.clients;
    this.archive = parts.archive;
    this.#suffer = new Map<Target, (fault: Fault) => Promise<void>>([
      ...agents.map((agent) => [agent.name as Target, (fault: Fault) => agent.suffer(fault)] as const),
      ...[...services].map(([target, one]) => [target, (fault: Fault) => one.suffer(fault)] as const),
      ['consumer', (fault) => archivers.suffer(fault)],
      ['stream', (fault) => stream.suffer(fault)],
      ['instances', (fault) => instances.suffer(fault)],
      ['strangers', (fault) => strangers.suffer(fault)],
      ['compaction', (fault) => compaction.suffer(fault)],
    ]);
    this.memory = new Memory(() => this.#processes());
  }

  /** Starts all of it; events flow when it resolves. */
  static async start(options: WorldOptions): Promise<World> {
    const { folder, seed, minutes, rate, archiver, timeline, log } = options;
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
    const ports = await lastingPorts(5);
    const pace = paceOf(Date.now(), minutes);
    const now = (): number => paced(pace, Date.now());
    const { agents, sources } = await startAgents(
      { folder, rate, timeline, otherBuild, pace, env: stack.env },
      { name: STREAM, region: stack.region, endpoint: proxies.kinesis.endpoint },
      ports.slice(0, 3),
    );
    const stream: Stream = new Stream(kinesis, STREAM, timeline, () => archivers.allRead());
    const archivers: Archivers = await archiversOf(
      {
        folder,
        stack,
        proxies,
        kinesis,
        dynamodb,
        ports: ports.slice(3),
        random: generator(seed * 37),
        openShards: async () => (await stream.open()).map((shard) => shard.ShardId!),
        timeline,
      },
      archiver,
    );
    const faulty = throughProxy(proxies.kinesis.endpoint);
    const strangers = new Strangers({ stream: STREAM, faulty, direct: kinesis, now, timeline });
    const location = { bucket: stack.bucket, region: stack.region, endpoint: stack.s3Endpoint };
    const archive = new S3Store(location, { tries: 5 });
    const compaction = new Compaction({
      folder,
      bucket: stack.bucket,
      endpoint: proxies.s3.endpoint,
      slow: proxies.slow.endpoint,
      env: { ...stack.env, AWS_REGION: stack.region },
      ...{ archive, pace, timeline },
      gone: () => strangers.producers,
    });
    const region = await startRegion(join(packaged, 'stack'), stack, proxies.instances);
    const world = new World({
      stack,
      agents,
      archivers,
      sources,
      instances: new Instances(region, timeline),
      strangers,
      compaction,
      archive,
      folder,
      firstHour: Math.floor(pace.begin / HOUR_MS) - MOST_BACK_HOURS,
      region,
      proxies: Object.values(proxies),
      services,
      stream,
      clients: [kinesis, dynamodb, faulty],
    });
    await archivers.start();
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
      ...this.strangers.promised,
    ]);
  }

  /** Whatever an interrupted fault has left is undone. */
  heal(): void {
    for (const service of this.#services) service.heal();
    for (const agent of this.agents) agent.heal();
    this.archivers.heal();
    this.compaction.heal();
  }

  async stop(): Promise<void> {
    this.memory.stop();
    this.heal();
    await Promise.all(this.agents.map((agent) => agent.kill()));
    await this.archivers.kill();
    await this.compaction.kill();
    await this.#region.stop();
    for (const client of this.#clients) client.destroy();
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
    this.archive.close();
    await this.stack.stop();
  }

  async #processes(): Promise<readonly (readonly [string, number | null])[]> {
    return [
      ...this.agents.map(({ name, pid }) => [name, pid] as const),
      ...(await this.archivers.processes()),
      ...this.compaction.pids.map((pid) => ['tailrace compact', pid] as const),
      ...this.stack.children.map(({ name, pid }) => [`${name} (emulator)`, pid] as const),
    ];
  }
}

interface AgentsOptions {
  readonly folder: string;
  readonly rate: number;
  readonly timeline: Timeline;
  readonly otherBuild: string;
  readonly pace: Pace;
  readonly env: Readonly<Record<string, string>>;
}

/** Three agents: renamed logs and gzip, truncated logs and zstd, and one that is never killed. */
async function startAgents(
  { folder, rate, timeline, otherBuild, pace, env }: AgentsOptions,
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
        pace,
        timeline,
        config: {
          stream,
          inputs: [
            { type: 'tail', path: file, tag: `access.${format}`, format, refresh_interval: '500ms' },
            { type: 'forward', listen: `127.0.0.1:${ports[i]}` },
          ],
          compression,
          lanes: 2,
          seal: { ack_interval: '300ms', watermark_interval: WATERMARKS },
          spool: { segment_size: '1MiB', max_size: '256MiB' },
          instance: { watch: 'off' },
          stop_timeout: '20s',
        },
      }),
    );
  }
  await Promise.all(agents.map((agent) => agent.start()));
  const now = (): number => paced(pace, Date.now());
  const sources = logs.flatMap(({ line, rotation, every }, i) => [
    new LogSource(`log-${i + 1}`, files[i]!, line, rotation, rate * SHARE.log, every, now),
    new ForwardSource(`forward-${i + 1}`, ports[i]!, rate * SHARE.forward, now),
  ]);
  return { agents, sources };
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
