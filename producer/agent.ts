/**
 * The agent: connects inputs, builders, sealer, spool and sender, and offers flush, stop, reload and status.
 *
 *     inputs ─lines→ builders ─→ sealer ─cuts→ spool ─chunks→ sender ─→ Kinesis
 *        ↑ pause, resume ──────────┘  └─ acks to clients        └─ acknowledged: room in the spool
 */
import type { Server as HttpServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { DEDUPE_HORIZON_MS } from '../archive/dedupe-horizon.ts';
import { TailraceError } from '../base/errors.ts';
import { makeFolder } from '../base/make-folder.ts';
import { systemReason } from '../base/system-error.ts';
import { doneBefore } from '../base/with-timeout.ts';
import { Builders } from './builder.ts';
import { faultReport } from './compression.ts';
import type { AgentConfig } from './config.ts';
import { holdDirectory, releaseDirectory } from './control/lock.ts';
import { changedKeys, RELOADABLE } from './control/reload.ts';
import { serveControl } from './control/server.ts';
import { Counters } from './counters.ts';
import { Emf } from './emf.ts';
import { SpillFloor } from './flush/floor.ts';
import { type Flushed, Flusher, LAST_CUT_MS, type Remaining } from './flush/flush.ts';
import { Spill } from './flush/spill.ts';
import { createForwardInput } from './forward/input.ts';
import { gaugesOf } from './gauges.ts';
import { handOver } from './hand-over.ts';
import { type Health, serveHttp } from './http.ts';
import { Identity } from './identity.ts';
import { type Input, type InputContext, inputName } from './input.ts';
import { Metadata } from './instance/metadata.ts';
import { type EndReason, InstanceWatch } from './instance/watch.ts';
import { createJournaldInput } from './journald/input.ts';
import { machineId } from './machine.ts';
import { FROM_THE_START } from './metrics.ts';
import { Sealer, type SealPace } from './sealer.ts';
import { explain } from './sender/failures.ts';
import { DEFAULT_LANE_LIMITS, Lanes } from './sender/lanes.ts';
import { Sender } from './sender/sender.ts';
import { checkStream, openStream, type Stream } from './sender/stream.ts';
import { builderLimits, paceOf, sealerOptions, senderOptions } from './settings.ts';
import { readQuarantine } from './spool/quarantine.ts';
import { Spool } from './spool/spool.ts';
import { StateMap } from './state.ts';
import { type AgentParts, type AgentStatus, healthOf, statusOf } from './status.ts';
import { createTailInput } from './tail/input.ts';
import { stateVolumeFault } from './volume.ts';

/** The section of the state that belongs to no input: identity and spill floor. */
const OWN_SECTION = 'agent';
/** Seals and sends immediately: for an instance that is about to terminate. */
const REAL_TIME: Omit<SealPace, 'watermarkInterval'> = { interval: 100, idleInterval: 100, ackInterval: 0 };
/** Deadline in milliseconds of a flush that the agent starts itself: a hook's usual time; for a spot notice without a time. */
const END_FLUSH_MS: Readonly<Record<EndReason, number>> = { lifecycle: 600_000, spot: 110_000 };
/** Milliseconds left over for other processes when a spot instance is interrupted. */
const SPOT_MARGIN_MS = 5000;
/** The least that such a flush gets, in milliseconds, whatever this machine's clock says. */
const LEAST_FLUSH_MS = 10_000;

/** What the agent needs from its caller. */
export interface AgentDependencies {
  /** Reloads the configuration file. @throws TailraceError that says what is wrong with it */
  readonly readConfig?: () => AgentConfig;
}

/** The outcome of a reload: keys of the configuration. */
export interface Reloaded {
  readonly applied: readonly string[];
  /** Changed, but effective only after a restart. */
  readonly restart: readonly string[];
}

/** What is holding the inputs back. */
interface Holds {
  readonly sealer: boolean;
  readonly disk: boolean;
}

export class Agent {
  #config: AgentConfig;
  readonly #dependencies: AgentDependencies;
  readonly #log: Logger;
  readonly #counters: Counters;
  readonly #inputs: Input[] = [];
  readonly #inputLogs: Logger[] = [];
  readonly #sections = new Map<string, StateMap>();
  readonly #spool: Spool;
  readonly #stream: Stream;
  readonly #identity: Identity;
  readonly #builders: Builders;
  readonly #sealer: Sealer;
  readonly #sender: Sender;
  readonly #flusher: Flusher;
  readonly #instance: InstanceWatch;
  readonly #lock: Server;
  readonly #started = performance.now();
  #http: HttpServer | null = null;
  #emf: Emf | null = null;
  #stopping = false;
  #realTime = false;
  #holds: Holds = { sealer: false, disk: false };
  /** Resolves with an exit code when the agent has to exit on its own. */
  readonly failed: Promise<number>;

  /**
   * Locks the state directory, recovers its spool and starts reading.
   *
   * @throws TailraceError when another agent holds the directory, an address is in use, or the very first start
   * cannot find its stream
   */
  static async start(config: AgentConfig, log: Logger, dependencies: AgentDependencies = {}): Promise<Agent> {
    makeStateFolder(config.state_dir);
    const fault = stateVolumeFault(config.state_dir);
    if (fault !== null) log.warn({ state_dir: config.state_dir }, fault);
    let agent: Agent | null = null;
    // A flush must not run before the inputs have started and have something to read.
    let started = false;
    const serve = (socket: Socket): void => serveControl(socket, () => (started ? agent : null), log);
    const lock = await holdDirectory(config.state_dir, serve);
    try {
      const counters = new Counters();
      for (const name of FROM_THE_START) counters.counter(name);
      const spool = await Spool.open(
        {
          directory: join(config.state_dir, 'spool'),
          segmentBytes: config.spool.segment_size,
          maxBytes: config.spool.max_size,
        },
        log,
        counters,
      );
      const first = spool.section(OWN_SECTION).size === 0;
      const trouble = await checkStream(config.stream);
      if (trouble !== null) {
        // Later starts continue without the stream: the web servers keep writing, and the spool keeps it all.
        if (first) throw new TailraceError('STREAM', trouble, { retriable: true });
        log.error({ reason: trouble }, 'cannot reach the stream; events stay in the spool until it responds');
      }
      agent = new Agent(config, log, dependencies, counters, spool, lock);
      await agent.#startInputs();
      // Remember each followed log from this moment on, even if the process is killed right away.
      if (first) await agent.#sealer.cut();
      started = true;
      return agent;
    } catch (error) {
      // An agent releases the directory itself, and another may hold it already.
      if (agent) await agent.stop(0).catch(() => {});
      else await releaseDirectory(config.state_dir, lock);
      throw error;
    }
  }

  private constructor(
    config: AgentConfig,
    log: Logger,
    dependencies: AgentDependencies,
    counters: Counters,
    spool: Spool,
    lock: Server,
  ) {
    this.#config = config;
    this.#dependencies = dependencies;
    this.#log = log;
    this.#counters = counters;
    this.#spool = spool;
    this.#lock = lock;
    this.#stream = openStream({ ...config.stream, requestTimeout: config.stream.request_timeout });
    const own = this.#section(OWN_SECTION);
    this.#identity = new Identity(own, machineId(), Date.now());
    const spillFloor = new SpillFloor(own, config.spill?.dedupe_horizon ?? DEDUPE_HORIZON_MS);
    const { promise: failed, resolve: fail } = Promise.withResolvers<number>();
    this.failed = failed;
    this.#builders = new Builders(builderLimits(config), Date.now, counters, (builder) =>
      this.#sealer.encode(builder),
    );
    this.#sender = this.#createSender();
    this.#sealer = this.#createSealer(spillFloor, () => fail(1));
    spool.onBlocked = (reason) => this.#hold({ disk: reason !== null });
    this.#instance = new InstanceWatch(config.instance, log, (reason) => this.#instanceEnds(reason));
    this.#flusher = this.#createFlusher(spillFloor);
    const metadata = new Metadata(config.instance.endpoint);
    for (const name of [...spool.sections, ...config.inputs.map(inputName)]) this.#section(name);
    handOver(config.inputs, this.#sections, log);
    for (const options of config.inputs) this.#inputs.push(this.#createInput(options, metadata));
  }

  #createSender(): Sender {
    const config = this.#config;
    return new Sender(senderOptions(config), {
      stream: this.#stream,
      spool: this.#spool,
      lanes: new Lanes({ ...DEFAULT_LANE_LIMITS, initial: config.lanes }, performance.now()),
      counters: this.#counters,
      log: this.#log,
      explain: (error) => explain(error, config.stream),
      acknowledged: (chunks) => {
        this.#sealer.roomMade();
        this.#flusher.acknowledged(chunks);
      },
    });
  }

  #createSealer(spillFloor: SpillFloor, failed: () => void): Sealer {
    const options = sealerOptions(this.#config, faultReport(this.#counters, this.#log));
    return new Sealer(options, {
      builders: this.#builders,
      identity: this.#identity,
      spool: this.#spool,
      sections: this.#sections,
      ownSection: OWN_SECTION,
      counters: this.#counters,
      beforeCut: (inputs) => {
        for (const input of this.#inputs) if (inputs?.has(input.name) ?? true) input.beforeCut();
      },
      floor: () => {
        const spooled = this.#spool.oldestEpoch ?? this.#identity.epoch;
        const spilled = spillFloor.oldest(Date.now());
        return spilled !== null && spilled < spooled ? spilled : spooled;
      },
      lane: () => this.#sender.nextLane(),
      readUpTo: () => Math.min(...this.#inputs.map((input) => input.readUpTo ?? Date.now())),
      send: (chunks, encoded, gather) => this.#sender.send(chunks, encoded, gather),
      hold: (held) => this.#hold({ sealer: held }),
      fail: (error) => {
        this.#log.fatal(
          { err: error },
          'the spool failed: the agent exits, and what is durable stays in the spool',
        );
        failed();
      },
    });
  }

  #createFlusher(floor: SpillFloor): Flusher {
    const { spill, stream, state_dir: state } = this.#config;
    return new Flusher({
      inputs: this.#inputs,
      sealer: this.#sealer,
      sender: this.#sender,
      spool: this.#spool,
      floor,
      log: this.#log,
      spill: spill
        ? new Spill(
            { ...spill, region: spill.region ?? stream.region },
            {
              producer: this.#identity.producer,
              instance: () => this.#instance.state.id ?? hostname(),
              read: (chunk) => this.#sender.read(chunk),
              quarantined: () => readQuarantine(join(state, 'spool')),
              log: this.#log,
            },
          )
        : null,
    });
  }

  #createInput(options: AgentConfig['inputs'][number], metadata: Metadata): Input {
    const name = inputName(options);
    const log = this.#log.child({ input: name });
    this.#inputLogs.push(log);
    const context: InputContext = {
      builders: this.#builders.of(name),
      state: this.#section(name),
      afterDurable: (done, urgent) => this.#sealer.afterDurable(name, done, urgent),
      log,
      now: Date.now,
      uptime: () => performance.now(),
      counters: this.#counters,
      metadata,
    };
    if (options.type === 'journald') return createJournaldInput(options, context);
    return options.type === 'tail' ? createTailInput(options, context) : createForwardInput(options, context);
  }

  async #startInputs(): Promise<void> {
    const { emf, http, stream } = this.#config;
    if (emf) this.#emf = new Emf(emf, stream.name, () => this.status());
    if (http) {
      this.#http = await serveHttp(http.listen, {
        counters: this.#counters,
        gauges: () => gaugesOf(this.#parts()),
        health: () => this.health(),
        status: () => this.status(),
      });
    }
    const recovered = this.#spool.takeRecovered();
    const events = recovered.reduce((sum, { header }) => sum + header.events, 0);
    this.#counters.add('tailrace_agent_recovered_events_total', events);
    this.#sender.send(recovered);
    for (const input of this.#inputs) await input.start();
    this.#sealer.start();
    // Not awaited: without a metadata service this takes a while to time out.
    void this.#instance.start();
  }

  #section(name: string): StateMap {
    const known = this.#sections.get(name);
    if (known) return known;
    const section = new StateMap(this.#spool.section(name));
    this.#sections.set(name, section);
    return section;
  }

  #hold(change: Partial<Holds>): void {
    const before = this.#holds.sealer || this.#holds.disk;
    this.#holds = { ...this.#holds, ...change };
    const after = this.#holds.sealer || this.#holds.disk;
    if (before === after) return;
    for (const input of this.#inputs) {
      if (after) input.pause();
      else input.resume();
    }
  }

  /** The instance is about to terminate: seals and sends immediately from now on, and flushes. */
  #instanceEnds(reason: EndReason): void {
    this.#realTime = true;
    this.#sealer.pace(REAL_TIME);
    const at = reason === 'spot' ? Date.parse(this.#instance.state.interruption ?? '') : Number.NaN;
    const time = Number.isNaN(at)
      ? END_FLUSH_MS[reason]
      : Math.max(at - SPOT_MARGIN_MS - Date.now(), LEAST_FLUSH_MS);
    this.flush(performance.now() + time).then(
      (flushed) =>
        this.#log.warn(
          { reason, ...flushed.remaining },
          'flushed because this instance is about to terminate',
        ),
      (error) => this.#log.error({ err: error }, 'the flush before this instance terminates failed'),
    );
  }

  /**
   * Reads every input to its end, seals, and waits until everything is acknowledged; spills the rest at the deadline.
   *
   * @param deadline milliseconds of `performance.now()`
   * @param progress called about once a second with what is left
   */
  flush(deadline: number, progress?: (remaining: Remaining) => void): Promise<Flushed> {
    return this.#flusher.flush(deadline, progress);
  }

  /**
   * Flushes until the deadline, then stops: the spool keeps what is left.
   *
   * @param deadline milliseconds of `performance.now()`; one in the past stops immediately
   */
  async stop(deadline: number, progress?: (remaining: Remaining) => void): Promise<Flushed | null> {
    this.#stopping = true;
    this.#instance.stop();
    this.#emf?.stop();
    let flushed: Flushed | null = null;
    if (performance.now() < deadline) flushed = await this.#flusher.flush(deadline, progress, true);
    else await Promise.all(this.#inputs.map((input) => input.stop()));
    this.#sender.stop();
    await doneBefore(Math.max(deadline, performance.now() + LAST_CUT_MS), this.#sealer.stop());
    await this.#spool.close();
    this.#stream.close();
    this.#http?.close();
    this.#http?.closeAllConnections();
    await releaseDirectory(this.#config.state_dir, this.#lock);
    return flushed;
  }

  /**
   * Reloads the configuration and applies what can change while the agent runs.
   *
   * @throws TailraceError when the file is invalid; the agent continues unchanged
   */
  reload(): Reloaded {
    if (!this.#dependencies.readConfig)
      throw new TailraceError('RELOAD', 'this agent has no configuration file to read');
    const config = this.#dependencies.readConfig();
    const changed = changedKeys(this.#config, config);
    const applied = changed.filter((key) => RELOADABLE.has(key));
    const restart = changed.filter((key) => !RELOADABLE.has(key));
    const { log_level, seal, send, stop_timeout } = config;
    this.#config = { ...this.#config, log_level, seal, send, stop_timeout };
    // Each child logger has its own level.
    for (const log of [this.#log, ...this.#inputLogs]) log.level = log_level;
    if (!this.#realTime) this.#sealer.pace(paceOf(config));
    this.#sender.adjust(senderOptions(config));
    this.#log.info({ applied, restart }, 'configuration reloaded');
    if (restart.length > 0)
      this.#log.warn({ keys: restart }, 'these changes take effect only after a restart');
    return { applied, restart };
  }

  /** The most milliseconds that a stop by signal may take. */
  get stopTimeout(): number {
    return this.#config.stop_timeout;
  }

  health(): Health {
    return healthOf(this.#parts());
  }

  status(): AgentStatus {
    return statusOf(this.#parts());
  }

  #parts(): AgentParts {
    return {
      identity: this.#identity,
      counters: this.#counters,
      spool: this.#spool,
      sender: this.#sender,
      inputs: this.#inputs,
      instance: this.#instance.state,
      openBytes: this.#builders.bytes,
      ending: this.#instance.reasons.length > 0,
      held: this.#holds.sealer,
      stopping: this.#stopping,
      started: this.#started,
    };
  }
}

/** @throws TailraceError CONFIG when it cannot be created */
function makeStateFolder(directory: string): void {
  try {
    makeFolder(directory, 0o700);
  } catch (cause) {
    throw new TailraceError('CONFIG', `state_dir: ${directory} cannot be created: ${systemReason(cause)}`, {
      cause,
    });
  }
}
