/** A region in which the packaged stack is deployed: all stand-ins put together on one simulated clock. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateChunk } from '../../chunk/reader.ts';
import { TEMPLATE } from '../../functions/package.ts';
import type { KinesisDouble } from '../support/kinesis-double.ts';
import { alarmsRaised } from './alarms.ts';
import { AutoScaling, type LifecycleState, type ScaledInstance, type WaitKind } from './auto-scaling.ts';
import { MINUTE, SimulatedClock } from './clock.ts';
import { Endpoint } from './endpoint.ts';
import { EventBridge } from './event-bridge.ts';
import { Iam } from './iam.ts';
import { Lambda } from './lambda.ts';
import { SpillBucket, startKinesis } from './storage.ts';
import { StubServer } from './stub-server.ts';
import { type ManagedInstance, SystemsManager } from './systems-manager.ts';
import { Template } from './template.ts';
import { WebServer, type WebServerOptions } from './web-server.ts';

export const STACK = 'tailrace-dev';
export const GROUP = `${STACK}-web`;
export const INSTANCE = 'i-0123456789abcdef0';
/** The drain's limits, as the tests deploy them. */
const LIMITS = {
  HeartbeatSeconds: 300,
  FlushSeconds: 900,
  DeliverySeconds: 120,
  BudgetSeconds: 3600,
} as const;

/** A stream outside the region that its web servers and functions use instead of the region's own. */
export interface ForeignStream {
  readonly name: string;
  /** For web servers. */
  readonly endpoint: string;
  /** For functions. */
  readonly functionsEndpoint: string;
  /** Makes it refuse all that web servers send, or no more. */
  readonly refuse: (refusing: boolean) => void;
}

export class Region {
  readonly clock = new SimulatedClock();
  readonly template: Template;
  readonly iam: Iam;
  readonly autoScaling: AutoScaling;
  readonly ssm: SystemsManager;
  readonly servers = new Map<string, WebServer>();
  readonly #managed = new Map<string, ManagedInstance>();
  readonly folder = mkdtempSync(join(tmpdir(), 'tailrace-region-'));
  readonly endpoint: Endpoint;
  readonly started = this.clock.now;
  readonly bucket: SpillBucket;
  #spillEndpoint = '';
  kinesis!: KinesisDouble;
  lambda!: Lambda;
  events!: EventBridge;
  #refusing = false;
  readonly #foreign: ForeignStream | null;

  private constructor(
    packaged: string,
    parameters: Readonly<Record<string, string | number>>,
    stack: string,
    foreign: ForeignStream | null,
  ) {
    this.#foreign = foreign;
    this.template = new Template(join(packaged, TEMPLATE), stack, { ...LIMITS, ...parameters });
    this.iam = new Iam(this.template);
    this.bucket = new SpillBucket(this.iam, this.template);
    const emit = (event: Record<string, unknown>): void => this.events.emit(event);
    this.autoScaling = new AutoScaling(this.template, this.clock, emit, async ({ id }) => {
      await this.servers.get(id)?.shutDown();
    });
    this.ssm = new SystemsManager(this.template, this.clock, this.#managed, emit);
    this.endpoint = new Endpoint(this.iam, this.autoScaling, this.ssm);
  }

  /** @param packaged the folder of the packaged stack */
  static async start(
    packaged: string,
    parameters: Readonly<Record<string, string | number>> = {},
    stack = STACK,
    foreign: ForeignStream | null = null,
  ): Promise<Region> {
    const region = new Region(packaged, parameters, stack, foreign);
    region.kinesis = await startKinesis(region.iam, region.template);
    region.#spillEndpoint = await region.bucket.start();
    region.kinesis.onRecord = () =>
      region.#refusing
        ? { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'simulated' }
        : null;
    const url = await region.endpoint.start();
    const env = {
      AWS_ENDPOINT_URL: url,
      AWS_ENDPOINT_URL_S3: region.#spillEndpoint,
      AWS_ENDPOINT_URL_KINESIS: foreign?.functionsEndpoint ?? region.kinesis.endpoint,
      S3_PATH_STYLE: 'true',
      AWS_MAX_ATTEMPTS: '3',
    };
    region.lambda = new Lambda(
      region.template,
      join(region.folder, 'lambda'),
      packaged,
      region.clock,
      region.iam,
      env,
    );
    region.events = new EventBridge(region.template, region.clock, region.lambda);
    region.events.startSchedules((id) => id.startsWith('DrainWatch'));
    return region;
  }

  async launch(id = INSTANCE, group = GROUP, options: WebServerOptions = {}): Promise<WebServer> {
    this.autoScaling.add(id, group);
    const server = await WebServer.start(
      join(this.folder, id),
      {
        stream: this.#foreign?.name ?? 'weblogs',
        endpoint: this.#foreign?.endpoint ?? this.kinesis.endpoint,
        spill: { bucket: this.bucket.name, endpoint: this.#spillEndpoint },
      },
      (refusing) => this.refuse(refusing),
      options,
    );
    this.servers.set(id, server);
    this.#managed.set(id, server);
    return server;
  }

  /** An instance of which only the answers count: no agent, no files. */
  launchStub(id: string, group = GROUP, state: LifecycleState = 'InService'): StubServer {
    this.autoScaling.add(id, group, state);
    const server = new StubServer();
    this.#managed.set(id, server);
    return server;
  }

  /** Scales in and lets time go on until the instance has come to an end, and what is under way with it. */
  async terminate(id = INSTANCE, kind: WaitKind = 'terminate', origin?: string): Promise<ScaledInstance> {
    this.autoScaling.begin(id, kind, origin);
    const instance = this.autoScaling.instances.get(id)!;
    const ended = (): boolean => ['Terminated', 'Terminating:Retained'].includes(instance.state);
    await this.clock.runUntil(ended, (LIMITS.BudgetSeconds + LIMITS.HeartbeatSeconds) * 1000 + 2 * MINUTE);
    if (!ended()) throw new Error(`hung: ${instance.history.join('; ')}`);
    await this.clock.runUntil(() => false, 6 * MINUTE);
    return instance;
  }

  /** Numbers of the lines that are on the stream, each once, as an archive has them. */
  archived(): number[] {
    const numbers: number[] = [];
    for (const { header, bytes } of this.kinesis.chunks.values()) {
      const lines = inflateChunk(bytes, header).toString();
      for (const [, n] of lines.matchAll(/^\{"n":(\d+)/gm)) numbers.push(Number(n));
    }
    return numbers.sort((a, b) => a - b);
  }

  refuse(refusing: boolean): void {
    this.#refusing = refusing;
    this.#foreign?.refuse(refusing);
  }

  /** After the functions have ended, so that all they wrote is read. */
  alarms(): Set<string> {
    return alarmsRaised(this.template, this.lambda.metrics, this.started, this.clock.now);
  }

  async stopFunctions(): Promise<void> {
    await this.lambda.stop();
  }

  async stop(): Promise<void> {
    await this.lambda.stop();
    for (const server of this.servers.values()) await server.kill();
    await this.endpoint.stop();
    await this.bucket.stop();
    await this.kinesis.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
