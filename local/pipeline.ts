/**
 * The whole pipeline on one machine: the embedded stack, the agent, the consumer and the demo, each a process; started
 * in the order of their dependencies and stopped in the order in which events flow.
 */
import * as path from 'node:path';
import { Child, describeExit, type Exit } from './child.ts';
import {
  APPLICATION,
  type Listening,
  type PipelinePaths,
  pipelinePaths,
  WORKER,
  writeConfigs,
} from './configs.ts';
import { ACCESS_LOG, type DemoOptions, type DemoProgress } from './demo/serve.ts';
import { clearFolder } from './folder.ts';
import { freePorts } from './ports.ts';
import { type Stack, type StackOptions, startStack } from './stack.ts';
import { agentStatus, consumerStatus, hasReadAll } from './status.ts';

export interface PipelineOptions {
  readonly dataDir: string;
  readonly shards: number;
  /** Events per second. */
  readonly rate: number;
  /** Events for the demo to make; null for no limit. */
  readonly events: number | null;
  /** The consumer's maximum batch age, as a duration. */
  readonly batchAge: string;
  /** Whether to remove what earlier runs left in the folder first. */
  readonly fresh?: boolean;
  /** Of services that run elsewhere. */
  readonly endpoints?: StackOptions['endpoints'];
  readonly log?: (message: string) => void;
  /** Called as soon as the demo makes events, while everything else is still starting. */
  readonly onDemo?: (demo: { readonly progress: DemoProgress }) => void;
}

const CLI = path.join(import.meta.dirname, '..', 'cli', 'tailrace.ts');
const LEASH = path.join(import.meta.dirname, 'leash.ts');
const START_MS = 60_000;
const POLL_MS = 50;
/** Each shard is read several times within this time: if nothing new appears, nothing more will. */
const QUIET_MS = 1500;
/** A consumer that makes no progress for this long will not catch up. */
const PATIENCE_MS = 60_000;
const STOP_MS = { demo: 40_000, agent: 70_000, consumer: 70_000 };
/** Once one has died the others cannot finish: what they hold stays on disk. */
const HURRIED_MS = { demo: 3000, agent: 5000, consumer: 15_000 };
const NOTHING: DemoProgress = {
  made: 0,
  log: 0,
  forward: 0,
  unsure: 0,
  rotations: 0,
  recent: [],
  finished: false,
};

export class Pipeline {
  readonly paths: PipelinePaths;
  readonly stack: Stack;
  readonly listening: Listening;
  agent: Child;
  consumer: Child;
  readonly #demo: Demo;
  /** Rejects when a process exits unexpectedly. */
  readonly died: Promise<never>;
  /** Resolves when the demo has made all requested events. */
  readonly finished: Promise<void>;
  readonly #reportDeath: (error: Error) => void;

  private constructor(paths: PipelinePaths, stack: Stack, listening: Listening, demo: Demo) {
    this.#demo = demo;
    this.paths = paths;
    this.stack = stack;
    this.listening = listening;
    const death = Promise.withResolvers<never>();
    this.died = death.promise;
    this.died.catch(() => {});
    this.#reportDeath = death.reject;
    this.finished = demo.finished;
    demo.died.catch(this.#reportDeath);
    stack.died.catch(this.#reportDeath);
    this.consumer = this.#start('consumer', [CLI, 'consumer', '--config', paths.consumerConfig]);
    this.agent = this.#start('agent', [CLI, 'agent', '--config', paths.agentConfig]);
  }

  /**
   * Resolves once events flow into the agent; KCL may still be starting.
   *
   * @throws TailraceError when something does not start; nothing is left running then
   */
  static async start(options: PipelineOptions): Promise<Pipeline> {
    const paths = pipelinePaths(path.resolve(options.dataDir));
    const { dataDir, shards } = options;
    if (options.fresh) clearFolder(path.resolve(dataDir));
    const [forward, agentHttp, consumerHttp] = (await freePorts(3)) as [number, number, number];
    const listening = { forward, agentHttp, consumerHttp };
    const demo = new Demo(paths, listening, options);
    const starting = startStack({
      dataDir,
      shards,
      application: APPLICATION,
      worker: WORKER,
      ...(options.endpoints ? { endpoints: options.endpoints } : {}),
      ...(options.log ? { log: options.log } : {}),
      // The web server is there before the agent, as on any host: its log is read from the beginning.
      onHeld: () => demo.start(),
    });
    starting.catch(() => {});
    options.onDemo?.(demo);
    let stack: Stack;
    try {
      stack = await starting;
    } catch (error) {
      await demo.stop(HURRIED_MS.demo);
      throw error;
    }
    let pipeline: Pipeline | null = null;
    try {
      writeConfigs(paths, stack, listening, path.join(paths.demo, ACCESS_LOG), options.batchAge);
      pipeline = new Pipeline(paths, stack, listening, demo);
      await Promise.race([pipeline.died, pipeline.#untilUp()]);
      demo.agentIsUp();
      return pipeline;
    } catch (error) {
      await (pipeline ? pipeline.stop(true) : Promise.all([demo.stop(HURRIED_MS.demo), stack.stop()]));
      throw error;
    }
  }

  get progress(): DemoProgress {
    return this.#demo.progress;
  }

  async status(): Promise<PipelineStatus> {
    const [agent, consumer] = await Promise.all([
      agentStatus(this.paths.agentState),
      consumerStatus(this.listening.consumerHttp),
    ]);
    return { demo: this.#demo.progress, agent, consumer };
  }

  /** Stops the demo; what is in flight is finished. */
  async stopDemo(): Promise<void> {
    await this.#demo.stop(STOP_MS.demo);
  }

  /** Stops the agent after it has sent everything it holds. */
  async stopAgent(): Promise<Exit> {
    return this.agent.stop(STOP_MS.agent);
  }

  /** Stops the consumer after it has read the stream to its end and archived it. */
  async stopConsumer(): Promise<{ readonly caughtUp: boolean }> {
    const isAtEnd = await Promise.race([this.died, this.#untilCaughtUp()]);
    const { code } = await this.consumer.stop(STOP_MS.consumer);
    return { caughtUp: isAtEnd && code === 0 };
  }

  /** What the consumer has not read when it stops stays in the stream for the next run: not lost, but not archived yet. */
  async #untilCaughtUp(): Promise<boolean> {
    let before = '';
    let since = Date.now();
    while (this.consumer.exit === null) {
      const status = await consumerStatus(this.listening.consumerHttp);
      const isAtEnd = status !== null && hasReadAll(status);
      const records = status?.shards.reduce((sum, shard) => sum + shard.records, 0) ?? 0;
      const now = `${records} ${isAtEnd}`;
      if (now !== before) since = Date.now();
      before = now;
      const quietMs = Date.now() - since;
      if (quietMs > (isAtEnd ? QUIET_MS : PATIENCE_MS)) return isAtEnd;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return false;
  }

  /** Stops everything in the order of the flow. What has already been stopped is left alone. */
  async stop(hurried = false): Promise<void> {
    const ms = hurried ? HURRIED_MS : STOP_MS;
    await this.#demo.stop(ms.demo);
    await this.agent.stop(ms.agent);
    if (!hurried) await this.#untilCaughtUp();
    await this.consumer.stop(ms.consumer);
    await this.stack.stop();
  }

  /** Restarts the agent after it was killed on purpose. */
  restartAgent(): void {
    this.agent = this.#start('agent', [CLI, 'agent', '--config', this.paths.agentConfig]);
  }

  /** Restarts the consumer after it was killed on purpose. */
  restartConsumer(): void {
    this.consumer = this.#start('consumer', [CLI, 'consumer', '--config', this.paths.consumerConfig]);
  }

  /** Kills everything immediately, for someone who does not want to wait. */
  killAll(): void {
    const children = [this.#demo.child, this.agent, this.consumer, ...this.stack.children];
    for (const child of children) void child?.stop(0, 'SIGKILL');
  }

  /** Kills a process with SIGKILL on purpose: its death is not reported. */
  async kill(child: Child): Promise<void> {
    await child.stop(0, 'SIGKILL');
  }

  #start(name: string, args: readonly string[]): Child {
    const child = new Child({
      name: `the ${name}`,
      args: ['--import', LEASH, ...args],
      logFile: path.join(this.paths.logs, `${name}.log`),
      env: this.stack.env,
    });
    this.#watch(child);
    return child;
  }

  #watch(child: Child): void {
    void child.exited.then((exit) => {
      if (child.died) this.#reportDeath(child.failure(describeExit(exit)));
    });
  }

  async #untilUp(): Promise<void> {
    for (const deadline = Date.now() + START_MS; this.agent.exit === null; ) {
      if ((await agentStatus(this.paths.agentState)) !== null) return;
      if (Date.now() > deadline) throw this.agent.failure(`does not respond after ${START_MS / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

/** The demo's process: makes events from the moment it starts, and sends some to the agent once that is up. */
class Demo {
  readonly #paths: PipelinePaths;
  readonly #options: DemoOptions;
  child: Child | null = null;
  progress = NOTHING;
  /** Resolves when the demo has made all requested events. */
  readonly finished: Promise<void>;
  readonly #reportFinished: () => void;
  /** Rejects when the process exits unexpectedly. */
  readonly died: Promise<never>;
  readonly #reportDeath: (error: Error) => void;

  constructor(paths: PipelinePaths, listening: Listening, { rate, events }: PipelineOptions) {
    this.#paths = paths;
    this.#options = {
      folder: paths.demo,
      forward: { host: '127.0.0.1', port: listening.forward },
      rate,
      events,
    };
    const finish = Promise.withResolvers<void>();
    this.finished = finish.promise;
    this.#reportFinished = finish.resolve;
    const death = Promise.withResolvers<never>();
    this.died = death.promise;
    this.died.catch(() => {});
    this.#reportDeath = death.reject;
  }

  start(): void {
    const script = path.join(import.meta.dirname, 'demo', 'serve.ts');
    const child = new Child({
      name: 'the demo',
      args: ['--import', LEASH, script, JSON.stringify(this.#options)],
      logFile: path.join(this.#paths.logs, 'demo.log'),
    });
    this.child = child;
    child.process.on('message', (message: { progress?: DemoProgress }) => {
      if (message.progress === undefined) return;
      this.progress = message.progress;
      if (message.progress.finished) this.#reportFinished();
    });
    void child.exited.then((exit) => {
      if (child.died) this.#reportDeath(child.failure(describeExit(exit)));
    });
  }

  agentIsUp(): void {
    if (this.child?.process.connected) this.child.process.send({ agentIsUp: true });
  }

  async stop(ms: number): Promise<void> {
    await this.child?.stop(ms);
  }
}

export interface PipelineStatus {
  readonly demo: DemoProgress;
  readonly agent: Awaited<ReturnType<typeof agentStatus>>;
  readonly consumer: Awaited<ReturnType<typeof consumerStatus>>;
}
