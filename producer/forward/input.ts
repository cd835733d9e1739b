/** The forward input: a server of fluentd's forward protocol whose acks are given when the events are durable. */
import type { Socket } from 'node:net';
import { type Address, parseAddress } from '../../base/address.ts';
import type { Counter } from '../counters.ts';
import { type Input, type InputContext, inputName } from '../input.ts';
import { resolvePlaceholders } from '../instance/placeholders.ts';
import { RateLimitedLog } from '../rate-limited-log.ts';
import { ChunkIds } from './chunk-ids.ts';
import { Connection, type ConnectionDependencies } from './connection.ts';
import { decompress } from './decompress.ts';
import type { RefusalReason, RefusedError } from './errors.ts';
import { EventTaker } from './events.ts';
import type { Security } from './handshake.ts';
import { type Listener, listen, listenHeartbeats } from './listeners.ts';
import type { Message } from './message.ts';
import type { ForwardOptions } from './options.ts';
import { readSecurity } from './secrets.ts';

/** How often connections are looked over for time-outs, in milliseconds. */
const SWEEP_MS = 1000;
/** How long a stop waits for acks that are due and for clients to take them. */
const STOP_MS = 5000;
/** A message that stands still for this long at a drain isn't waited for. */
const DRAIN_QUIET_MS = 250;
/** Log lines about refused clients: this many at once, then one each so many milliseconds. */
const LOG_BURST = 5;
const LOG_INTERVAL_MS = 10_000;

/** A forward input, with what tests and status look at. */
export interface ForwardInput extends Input {
  /** The addresses that it listens on, once started: with the ports that were given where 0 was asked for. */
  readonly addresses: readonly Address[];
  readonly connections: number;
}

export function createForwardInput(options: ForwardOptions, context: InputContext): ForwardInput {
  return new ForwardServer(options, context);
}

class ForwardServer implements ForwardInput {
  readonly name: string;
  readonly #options: ForwardOptions;
  readonly #context: InputContext;
  readonly #labels: { readonly input: string };
  /** Made at the start, when what is to be added to events is known. */
  #taker: EventTaker | null = null;
  readonly #ids: ChunkIds;
  readonly #listeners: Listener[] = [];
  readonly #heartbeats: Listener[] = [];
  readonly #connections = new Set<Connection>();
  #security: Security | null = null;
  #held = false;
  #waiting: (() => void)[] = [];
  #stopping = false;
  #sweep: NodeJS.Timeout | null = null;
  /** Bytes of unfinished messages of all connections. */
  #buffered = 0;
  /** The connection that may go on when the others' unfinished messages have to wait. */
  #favoured: Connection | null = null;
  readonly #refusals = new RateLimitedLog(LOG_BURST, LOG_INTERVAL_MS);
  readonly #resets = new RateLimitedLog(LOG_BURST, LOG_INTERVAL_MS);
  readonly #messages: Counter;
  readonly #bytes: Counter;
  readonly #repeated: Counter;
  readonly #acknowledged: Counter;

  constructor(options: ForwardOptions, context: InputContext) {
    this.#options = options;
    this.#context = context;
    this.name = inputName(options);
    this.#labels = { input: this.name };
    this.#ids = new ChunkIds(
      { ttl: options.chunk_id_ttl, max: options.max_chunk_ids },
      context.state,
      context.uptime(),
    );
    const { counters } = context;
    this.#messages = counters.counter('tailrace_agent_forward_messages_total', this.#labels);
    this.#bytes = counters.counter('tailrace_agent_forward_bytes_total', this.#labels);
    this.#repeated = counters.counter('tailrace_agent_forward_repeated_messages_total', this.#labels);
    this.#acknowledged = counters.counter('tailrace_agent_forward_acks_total', this.#labels);
  }

  get addresses(): readonly Address[] {
    return this.#listeners.map(({ address }) => address);
  }

  get connections(): number {
    return this.#connections.size;
  }

  async start(): Promise<void> {
    const { listen: texts, tls = null, security, udp_heartbeat } = this.#options;
    const addresses = [texts].flat().map((text) => parseAddress(text)!);
    const { log } = this.#context;
    this.#security = security ? readSecurity(security) : null;
    this.#taker = await this.#makeTaker();
    try {
      for (const address of addresses) {
        const onUnix = 'path' in address;
        const rules = onUnix ? null : this.#security;
        const accept = (socket: Socket): void => this.#accept(socket, rules);
        const refuse = (reason: 'tls' | 'too_many', remote: string | undefined, error: Error | null): void =>
          this.#count(reason, remote, error);
        const listener = await listen({
          address,
          secure: onUnix ? null : tls,
          accept,
          refuse,
          maxConnections: this.#options.max_connections,
          handshakeMs: this.#options.read_timeout,
          log,
        });
        this.#listeners.push(listener);
        if (udp_heartbeat && !('path' in listener.address)) {
          this.#heartbeats.push(await listenHeartbeats(listener.address, log));
        }
      }
    } catch (error) {
      await Promise.all(this.#closeListeners());
      throw error;
    }
    this.#sweep = setInterval(() => this.#checkTimeouts(), SWEEP_MS).unref();
  }

  async #makeTaker(): Promise<EventTaker> {
    const { tag_prefix, routes, join_partial_messages, add, rename, remove, include, exclude, redact } =
      this.#options;
    return new EventTaker(
      {
        tagPrefix: tag_prefix ?? null,
        routes,
        transform: { add, rename, remove, include, exclude, redact },
        placeholders: await resolvePlaceholders(
          { add, routes: routes.map((route) => route.add) },
          this.#context.metadata,
        ),
        joinPartials: join_partial_messages,
      },
      this.#context,
      this.#labels,
    );
  }

  beforeCut(): void {
    this.#ids.beforeCut(this.#context.uptime());
    this.#taker?.beforeCut();
  }

  pause(): void {
    this.#held = true;
    for (const connection of this.#connections) connection.pause();
  }

  resume(): void {
    if (!this.#held) return;
    this.#held = false;
    for (const connection of this.#connections) connection.resume();
    for (const release of this.#waiting.splice(0)) release();
  }

  /** Resolves when nothing holds the clients back, or the input stops. */
  async #released(): Promise<void> {
    while (this.#held && !this.#stopping) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async drain(): Promise<void> {
    // While the spool is full nothing is read, and what clients have sent is still to come.
    await this.#released();
    // Two turns of the event loop: whatever the kernel had at the call has been read then.
    for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
    for (const connection of this.#connections) {
      while (this.#connections.has(connection) && connection.inMessage) {
        await this.#released();
        const quiet = this.#context.uptime() - connection.lastRead;
        if (quiet >= DRAIN_QUIET_MS && !connection.busy) break;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    // After a flush nothing may be left behind, so what has waited so long for its parts goes without them.
    this.#taker?.expirePartials(this.#context.uptime() - DRAIN_QUIET_MS);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const release of this.#waiting.splice(0)) release();
    if (this.#sweep) clearInterval(this.#sweep);
    const closing = this.#closeListeners();
    for (const connection of this.#connections) connection.finish();
    const deadline = setTimeout(() => {
      for (const connection of this.#connections) connection.socket.destroy();
    }, STOP_MS);
    await Promise.all(closing);
    clearTimeout(deadline);
  }

  #closeListeners(): Promise<void>[] {
    return [...this.#listeners.splice(0), ...this.#heartbeats.splice(0)].map((listener) => listener.close());
  }

  #accept(socket: Socket, security: Security | null): void {
    if (this.#stopping || this.#connections.size >= this.#options.max_connections) {
      this.#count('too_many', socket.remoteAddress, null);
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.#connections.add(new Connection(socket, this.#dependenciesOf(security)));
  }

  #dependenciesOf(security: Security | null): ConnectionDependencies {
    const server = this;
    return {
      maxMessageBytes: this.#options.max_message_size,
      now: this.#context.uptime,
      security,
      get held() {
        return server.#held;
      },
      take: (message, bytes, connection) => this.#take(message, bytes, connection),
      refused: (connection, error) => this.#refused(connection, error),
      mayBuffer: (connection) => this.#mayBuffer(connection),
      buffered: (by) => this.#countBuffered(by),
      ackNotRead: () =>
        this.#context.counters.add('tailrace_agent_forward_unread_acks_total', 1, this.#labels),
      reset: (connection, code) => this.#reset(connection, code),
      torn: () => this.#context.counters.add('tailrace_agent_forward_torn_messages_total', 1, this.#labels),
      closed: (connection) => {
        this.#connections.delete(connection);
        if (this.#favoured === connection) this.#lookAgain();
      },
    };
  }

  #take(message: Message, bytes: Buffer, connection: Connection): void | Promise<void> {
    this.#messages.value++;
    const { from, to, options } = message;
    const { chunk, compressed } = options;
    const name = chunk === null ? null : this.#ids.name(chunk.id, message.tag, bytes.subarray(from, to));
    if (name !== null && this.#ids.has(name)) {
      this.#repeated.value++;
      return this.#acknowledge(chunk!.value, connection);
    }
    if (compressed === null || message.mode !== 'packed') {
      this.#takeEntries(message, name, bytes, from, to, connection);
      return;
    }
    const entries = decompress(bytes.subarray(from, to), compressed, this.#options.max_decompressed_size);
    if (Buffer.isBuffer(entries)) {
      this.#takeEntries(message, name, entries, 0, entries.length, connection);
      return;
    }
    return entries.then((all) => this.#takeEntries(message, name, all, 0, all.length, connection));
  }

  /** All in one turn: events, id and the wish for an ack belong to the same cut. */
  #takeEntries(
    message: Message,
    name: string | null,
    bytes: Buffer,
    from: number,
    to: number,
    connection: Connection,
  ): void {
    // The same message may have come on another connection while this one was being decompressed.
    if (name !== null && this.#ids.has(name)) {
      this.#repeated.value++;
    } else {
      this.#taker!.take(message, bytes, from, to);
      this.#bytes.value += to - from;
      if (name !== null) this.#ids.add(name, this.#context.uptime());
    }
    if (message.options.chunk !== null) this.#acknowledge(message.options.chunk.value, connection);
  }

  /** The ack of a message that is resent waits for the cut of the first as well. */
  #acknowledge(value: Buffer, connection: Connection): void {
    connection.expectAck();
    this.#context.afterDurable(() => {
      this.#acknowledged.value++;
      connection.acknowledge(value);
    }, true);
  }

  #refused(connection: Connection, error: RefusedError): void {
    this.#count(error.reason, connection.remote, error);
  }

  /** Counts a refusal, and logs it unless there are too many. */
  #count(reason: RefusalReason | 'tls' | 'too_many', remote: string | undefined, error: Error | null): void {
    this.#context.counters.add('tailrace_agent_forward_refused_total', 1, { ...this.#labels, reason });
    const skipped = this.#refusals.take(this.#context.uptime());
    if (skipped === null) return;
    this.#context.log.warn(
      { remote, reason, detail: error?.message, skipped },
      'a client was refused and its connection closed',
    );
  }

  /** Counts a connection that was reset, and logs it unless there are too many. */
  #reset({ remote }: Connection, code: string): void {
    this.#context.counters.add('tailrace_agent_forward_resets_total', 1, this.#labels);
    const skipped = this.#resets.take(this.#context.uptime());
    if (skipped === null) return;
    this.#context.log.warn(
      { remote, code, skipped },
      'the connection of a client that asks for no acks was reset: the events it sent last may not have arrived; let it ask for acks',
    );
  }

  /**
   * When unfinished messages fill the memory that they may have, one connection at a time goes on, so that its message
   * comes to its end.
   */
  #mayBuffer(connection: Connection): boolean {
    if (this.#buffered <= this.#options.max_buffered_size || connection.bufferedBytes === 0) {
      return true;
    }
    this.#favoured ??= connection;
    return this.#favoured === connection;
  }

  #countBuffered(by: number): void {
    this.#buffered += by;
    if (by >= 0 || this.#favoured === null || this.#held) return;
    // Somebody's message is done: those that wait recheck.
    if (this.#favoured.bufferedBytes === 0 || this.#buffered <= this.#options.max_buffered_size)
      this.#lookAgain();
  }

  /** Lets every connection see whether it may go on now; the first one whose message doesn't fit is the next favoured. */
  #lookAgain(): void {
    this.#favoured = null;
    setImmediate(() => {
      for (const connection of this.#connections) connection.resume();
    });
  }

  #checkTimeouts(): void {
    const now = this.#context.uptime();
    const { idle_timeout: idle, read_timeout } = this.#options;
    if (!this.#held) this.#taker?.expirePartials(now - this.#options.partial_timeout);
    for (const connection of this.#connections) {
      connection.shrink();
      connection.checkTimeouts(now, read_timeout, idle ?? null);
    }
  }
}
