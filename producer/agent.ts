/**
 * The agent: inputs, builders, sealer, spool and sender put together, and what can be asked of the whole.
 *
 *     inputs ─lines→ builders ─→ sealer ─cuts→ spool ─chunks→ sender ─→ Kinesis
 *        ↑ pause, resume ──────────┘  └─ acks to clients        └─ acknowledged: room in the spool
 */
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Server as HttpServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { TailraceError } from '../chunk/errors.ts';
import { Builders, DEFAULT_BUILDER_LIMITS } from './builder.ts';
import type { AgentConfig } from './config.ts';
import { holdDirectory, releaseDirectory } from './control/lock.ts';
import { serveControl } from './control/server.ts';
import { Counters } from './counters.ts';
import { createForwardInput } from './forward/input.ts';
import { type Gauges, type Health, serveHttp } from './http.ts';
import { Identity } from './identity.ts';
import type { Input, InputContext } from './input.ts';
import { Sealer } from './sealer.ts';
import { DEFAULT_SENDER_OPTIONS, Sender } from './sender/sender.ts';
import { checkStream, explain, openStream, type Stream } from './sender/stream.ts';
import { Spool } from './spool/spool.ts';
import { StateMap } from './state.ts';
import { createTailInput } from './tail/input.ts';

/** A record of the service holds 1 MiB with its partition key; the rest is room for the key. */
const MAX_CHUNK_BYTES = 1024 * 1024 - 256;
const OWN_SECTION = 'agent';
/** How often a flush says how far it is, in milliseconds. */
const PROGRESS_MS = 1000;

/** What a flush left behind; all zero when nothing. */
export interface Remaining {
  readonly chunks: number;
  readonly bytes: number;
  readonly quarantined: number;
}

export interface AgentStatus {
  readonly pid: number;
  readonly host: string;
  readonly state: Health['state'] | 'starting';
  readonly reasons: readonly string[];
  readonly producer: string;
  readonly epoch: string;
  readonly inputs: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly sealed: { readonly chunks: number; readonly events: number; readonly bytes: number };
  readonly acknowledged: {
    readonly chunks: number;
    readonly events: number;
    readonly bytes: number;
    readonly records: number;
  };
  readonly spool: ReturnType<Spool['status']> & { readonly oldest_age_ms: number };
  readonly shards: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** What keeps the inputs waiting. */
interface Holds {
  readonly sealer: boolean;
  readonly disk: boolean;
}

export class Agent {
  readonly #config: AgentConfig;
  readonly #counters: Counters;
  readonly #inputs: Input[] = [];
  readonly #sections = new Map<string, StateMap>();
  readonly #spool: Spool;
  readonly #stream: Stream;
  readonly #identity: Identity;
  readonly #sealer: Sealer;
  readonly #sender: Sender;
  readonly #lock: Server;
  #http: HttpServer | null = null;
  #stopping = false;
  #holds: Holds = { sealer: false, disk: false };
  #spoolChanged: (() => void)[] = [];
  /** Resolves with an exit code when the agent has to end by itself. */
  readonly failed: Promise<number>;

  /**
   * Takes the state directory, recovers its spool and begins to read.
   *
   * @throws TailraceError when the directory is held by another agent, an address is in use, or the very first start
   * does not find its stream
   */
  static async start(config: AgentConfig, log: Logger): Promise<Agent> {
    await mkdir(config.state_dir, { recursive: true, mode: 0o700 });
    let agent: Agent | null = null;
    const serve = (socket: Socket): void => serveControl(socket, () => agent, log);
    const lock = await holdDirectory(config.state_dir, serve);
    try {
      const counters = new Counters();
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
        // Later starts go on without the stream: the web servers write, and the spool keeps it.
        if (first) throw new TailraceError('STREAM', trouble, { retriable: true });
        log.error(
          { reason: trouble },
          'the stream can not be asked; the spool keeps everything until it answers',
        );
      }
      agent = new Agent(config, log, counters, spool, lock);
      await agent.#startInputs();
      return agent;
    } catch (error) {
      await agent?.stop(0).catch(() => {});
      await releaseDirectory(config.state_dir, lock);
      throw error;
    }
  }

  private constructor(config: AgentConfig, log: Logger, counters: Counters, spool: Spool, lock: Server) {
    this.#config = config;
    this.#counters = counters;
    this.#spool = spool;
    this.#lock = lock;
    this.#stream = openStream(config.stream);
    const now = Date.now;
    const own = this.#section(OWN_SECTION);
    this.#identity = new Identity(own, machineId(), now());

    const { promise: failed, resolve: fail } = Promise.withResolvers<number>();
    this.failed = failed;
    const limits = {
      ...DEFAULT_BUILDER_LIMITS,
      maxTags: config.max_tags,
      maxPast: config.max_past,
      maxFuture: config.max_future,
    };
    const builders = new Builders(limits, now, counters, (builder) => this.#sealer.encode(builder));
    this.#sender = new Sender(DEFAULT_SENDER_OPTIONS, {
      stream: this.#stream,
      spool,
      counters,
      log,
      explain: (error) => explain(error, config.stream),
      acknowledged: () => this.#acknowledged(),
    });
    this.#sealer = new Sealer(
      {
        compression: compressionOf(config),
        targetBytes: DEFAULT_SENDER_OPTIONS.recordBytes,
        maxBytes: MAX_CHUNK_BYTES,
        interval: config.seal.interval,
        idleInterval: config.seal.idle_interval,
        ackInterval: config.seal.ack_interval,
      },
      {
        builders,
        identity: this.#identity,
        spool,
        sections: this.#sections,
        counters,
        log,
        beforeCut: () => {
          for (const input of this.#inputs) input.beforeCut();
        },
        floor: () => spool.oldestEpoch ?? this.#identity.epoch,
        send: (chunks) => this.#sender.send(chunks),
        hold: (held) => this.#hold({ sealer: held }),
        fail: (error) => {
          log.fatal(
            { err: error },
            'the spool failed: the agent ends, and what is durable stays in the spool',
          );
          fail(1);
        },
      },
    );
    spool.onBlocked = (reason) => this.#hold({ disk: reason !== null });

    for (const options of config.inputs) {
      const name = inputName(options);
      const context: InputContext = {
        builders,
        state: this.#section(name),
        afterDurable: (done, urgent) => this.#sealer.afterDurable(done, urgent),
        log: log.child({ input: name }),
        now,
        counters,
      };
      this.#inputs.push(
        options.type === 'tail' ? createTailInput(options, context) : createForwardInput(options, context),
      );
    }
  }

  async #startInputs(): Promise<void> {
    const { http } = this.#config;
    if (http) {
      this.#http = await serveHttp(http.listen, {
        counters: this.#counters,
        gauges: () => this.#gauges(),
        health: () => this.health(),
      });
    }
    this.#sender.send(this.#spool.takeRecovered());
    for (const input of this.#inputs) await input.start();
    // What is followed is durable before anything is read: a rotated file then is known to be news.
    await this.#sealer.cut();
    this.#sealer.start();
  }

  #section(name: string): StateMap {
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

  #acknowledged(): void {
    this.#sealer.roomMade();
    const waiting = this.#spoolChanged;
    this.#spoolChanged = [];
    for (const wake of waiting) wake();
  }

  /**
   * Reads every input to its end, seals, and waits until all of it is acknowledged.
   *
   * @param deadline milliseconds since 1970
   * @param progress called about once a second with what is left
   */
  async flush(deadline: number, progress: (remaining: Remaining) => void = () => {}): Promise<Remaining> {
    await before(deadline, Promise.all(this.#inputs.map((input) => input.drain())));
    await before(deadline, this.#sealer.cut());
    const mark = Date.now();
    const ticker = setInterval(() => progress(this.remaining(mark)), PROGRESS_MS);
    try {
      while (this.remaining(mark).chunks > 0 && Date.now() < deadline) {
        await before(deadline, new Promise<void>((resolve) => this.#spoolChanged.push(resolve)));
      }
    } finally {
      clearInterval(ticker);
    }
    if (this.#spool.reclaimable) await before(deadline, this.#sealer.cut());
    return this.remaining(mark);
  }

  /** What is in the spool of the time up to `mark`, and in the quarantine. */
  remaining(mark = Number.POSITIVE_INFINITY): Remaining {
    const oldest = this.#sender.oldest;
    const done = oldest === null || oldest > mark;
    return {
      chunks: done ? 0 : this.#spool.pending,
      bytes: done ? 0 : this.#spool.bytes,
      quarantined: this.#spool.quarantined,
    };
  }

  /**
   * Flushes until the deadline, then ends: the spool keeps what is left.
   *
   * @param deadline milliseconds since 1970; one in the past ends at once
   */
  async stop(deadline: number): Promise<Remaining> {
    this.#stopping = true;
    await before(deadline, Promise.all(this.#inputs.map((input) => input.drain())));
    await Promise.all(this.#inputs.map((input) => input.stop()));
    if (Date.now() < deadline) {
      await before(deadline, this.#sealer.cut(true));
      await this.flush(deadline);
    }
    this.#sender.stop();
    await before(Math.max(deadline, Date.now() + LAST_CUT_MS), this.#sealer.stop());
    const remaining = this.remaining();
    await this.#spool.close();
    this.#stream.close();
    this.#http?.close();
    this.#http?.closeAllConnections();
    await releaseDirectory(this.#config.state_dir, this.#lock);
    return remaining;
  }

  health(): Health {
    const reasons: string[] = [];
    if (this.#sender.trouble !== null) reasons.push(this.#sender.trouble);
    const { blocked, quarantined } = this.#spool.status();
    if (blocked !== null) reasons.push(blocked);
    else if (this.#holds.sealer) reasons.push('the spool is full: inputs wait');
    if (quarantined > 0) reasons.push(`${quarantined} damaged places of the spool are in quarantine`);
    return { state: this.#stopping ? 'stopping' : reasons.length > 0 ? 'degraded' : 'ready', reasons };
  }

  status(): AgentStatus {
    const total = (name: string): number => this.#counters.total(`tailrace_agent_${name}_total`);
    return {
      pid: process.pid,
      host: hostname(),
      ...this.health(),
      producer: this.#identity.producer,
      epoch: this.#identity.epoch,
      inputs: byLabel(this.#counters, 'input'),
      sealed: {
        chunks: total('sealed_chunks'),
        events: total('sealed_events'),
        bytes: total('sealed_bytes'),
      },
      acknowledged: {
        chunks: total('acknowledged_chunks'),
        events: total('acknowledged_events'),
        bytes: total('acknowledged_bytes'),
        records: total('acknowledged_records'),
      },
      spool: { ...this.#spool.status(), oldest_age_ms: this.#oldestAge() },
      shards: byLabel(this.#counters, 'shard'),
    };
  }

  #oldestAge(): number {
    const oldest = this.#sender.oldest;
    return oldest === null ? 0 : Math.max(0, Date.now() - oldest);
  }

  #gauges(): Gauges {
    const { bytes, chunks, quarantined } = this.#spool.status();
    return {
      tailrace_agent_spool_bytes: { help: 'Bytes of the spool on disk', value: bytes },
      tailrace_agent_spool_chunks: { help: 'Chunks that the stream has not acknowledged', value: chunks },
      tailrace_agent_spool_oldest_seconds: {
        help: 'Age of the oldest unacknowledged chunk',
        value: this.#oldestAge() / 1000,
      },
      tailrace_agent_quarantined: {
        help: 'Damaged places of the spool that were put aside',
        value: quarantined,
      },
      tailrace_agent_ready: {
        help: '1 when ready, 0 when degraded',
        value: this.health().state === 'ready' ? 1 : 0,
      },
    };
  }
}

/** The name of an input's section in the state: what it reads, or the id that the configuration gives it. */
function inputName(options: AgentConfig['inputs'][number]): string {
  if (options.type === 'forward') return `forward:${[options.listen].flat().join(',')}`;
  return `tail:${options.id ?? [options.path].flat().join(',')}`;
}

/** Milliseconds that a cut under way gets to become durable when the agent ends at once. */
const LAST_CUT_MS = 2000;

/** Waits for `work`, but not beyond the deadline; work that is still under way then is left to itself. */
async function before(deadline: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, deadline - Date.now()));
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Counters that carry a label, as `{ label value: { short name: number } }`. */
function byLabel(counters: Counters, label: string): Record<string, Record<string, number>> {
  const grouped: Record<string, Record<string, number>> = {};
  for (const { name, labels, value } of counters) {
    const group = labels[label];
    if (group === undefined) continue;
    grouped[group] ??= {};
    const short = name.replace(/^tailrace_agent_/, '');
    grouped[group][short] = (grouped[group][short] ?? 0) + value;
  }
  return grouped;
}

function compressionOf({ compression }: AgentConfig): { codec: 'gzip' | 'zstd'; level: number } {
  return typeof compression === 'string' ? { codec: compression, level: 1 } : compression;
}

/** See machine-id(5); where there is none, as in a container, the producer is bound to its state directory alone. */
function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return 'none';
  }
}
