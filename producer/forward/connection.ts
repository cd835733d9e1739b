/** One client: its bytes become messages, in order, and its acks go out one write each. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { AckQueue } from './ack-queue.ts';
import { RefusedError } from './errors.ts';
import { answerPing, type Challenge, helo, ruleFor, type Security } from './handshake.ts';
import { isJsonStart, JsonScanner, jsonAck } from './json-message.ts';
import { jsonToMsgpack } from './json-msgpack.ts';
import { type Message, readMessage } from './message.ts';
import { MessageScanner } from './msgpack-scan.ts';
import { packAck } from './msgpack-write.ts';
import { ReadBuffer } from './read-buffer.ts';

/** A PING is a few hundred bytes: nobody gets the memory of a message before the handshake. */
const MAX_PING_BYTES = 64 * 1024;

const EMPTY = Buffer.alloc(0);

/** What a connection needs from the server. */
export interface ConnectionDependencies {
  readonly maxMessageBytes: number;
  /** Milliseconds of a clock that only goes on. */
  readonly now: () => number;
  /** Null on sockets without a handshake. */
  readonly security: Security | null;
  /** Whether messages may not be taken now. */
  readonly held: boolean;
  /**
   * Takes a whole message and calls `acknowledge` once its events are durable, if the client wants that. A promise, for
   * large messages, keeps the connection waiting.
   *
   * @throws RefusedError if the connection has to be closed
   */
  take(message: Message, bytes: Buffer, connection: Connection): void | Promise<void>;
  refused(connection: Connection, error: RefusedError): void;
  /** Whether this connection may buffer this many bytes more now. */
  mayBuffer(connection: Connection): boolean;
  buffered(by: number): void;
  ackNotRead(): void;
  torn(connection: Connection): void;
  /** A client that sends events without asking for acks was reset: what it had sent last may not have arrived. */
  reset(connection: Connection, code: string): void;
  closed(connection: Connection): void;
}

type Phase = 'handshake' | 'open' | 'closing';

export class Connection {
  readonly socket: Socket;
  /** The client's address; kept, because a closed socket no longer knows it. */
  readonly remote: string;
  readonly #dependencies: ConnectionDependencies;
  readonly #acks: AckQueue;
  readonly #buffer = new ReadBuffer();
  #phase: Phase;
  readonly #challenge: Challenge | null = null;
  /** Null until the first byte tells. */
  #json: boolean | null = null;
  #scanner: MessageScanner;
  readonly #jsonScanner: JsonScanner;
  /** Whether a message has begun and the scanner is inside it. */
  #inMessage = false;
  /** A large message is being processed outside this turn. */
  #busy = false;
  /** Bytes of that message. */
  #busyBytes = 0;
  #paused = false;
  #ended = false;
  /** Whether the client has sent events without asking for an ack. */
  #trusting = false;
  #resetCode: string | null = null;
  /** When the handshake began, milliseconds since 1970. */
  #began: number;
  /** When bytes last came, milliseconds since 1970. */
  lastRead: number;
  /** The bytes last reported as buffered. */
  #accounted = 0;

  constructor(socket: Socket, dependencies: ConnectionDependencies) {
    const { security, maxMessageBytes } = dependencies;
    this.socket = socket;
    this.remote =
      socket.remoteAddress === undefined ? 'unix' : `${socket.remoteAddress}:${socket.remotePort}`;
    this.#dependencies = dependencies;
    this.#acks = new AckQueue(socket, () => this.#endWhenDone());
    this.#scanner = new MessageScanner(security === null ? maxMessageBytes : MAX_PING_BYTES);
    this.#jsonScanner = new JsonScanner(maxMessageBytes);
    this.lastRead = dependencies.now();
    this.#began = this.lastRead;
    this.#phase = security === null ? 'open' : 'handshake';
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('end', () => this.#readEnd());
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      this.#resetCode = code ?? 'unknown';
    });
    socket.on('close', () => this.#close());
    if (security !== null) {
      const users = ruleFor(security, socket.remoteAddress)?.users ?? null;
      this.#challenge = { nonce: randomBytes(16), auth: users === null ? EMPTY : randomBytes(16) };
      socket.write(helo(this.#challenge));
    }
  }

  get inMessage(): boolean {
    return this.#buffer.length > 0 || this.#busy;
  }

  /** Whether a large message is being processed. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Bytes read of an unfinished message, and of one that is being processed. */
  get bufferedBytes(): number {
    return this.#buffer.length + this.#busyBytes;
  }

  /** Continues after the server has held it back. */
  resume(): void {
    this.#handle();
  }

  pause(): void {
    this.#pauseSocket();
  }

  /** Announces that an ack is going to be due: a client that has sent its last byte is kept until then. */
  expectAck(): void {
    this.#acks.expect();
  }

  /** Acknowledges a message with the bytes that its client gave as its id. */
  acknowledge(value: Buffer): void {
    if (!this.#acks.write(this.#json ? jsonAck(value) : packAck(value))) this.#dependencies.ackNotRead();
  }

  /** Takes nothing more, and closes once the acks that are due have been sent. */
  finish(): void {
    if (this.#phase === 'closing') return;
    this.#phase = 'closing';
    this.#pauseSocket();
    this.#endWhenDone();
  }

  /** Releases a buffer that a large message has left behind. */
  shrink(): void {
    this.#buffer.shrink();
  }

  /** Closes the connection if it has been idle for too long. Durations are in milliseconds. */
  checkTimeouts(now: number, readTimeout: number, idleTimeout: number | null): void {
    const quiet = now - this.lastRead;
    this.#acks.check();
    if (this.#phase === 'closing') {
      // Its client does not take what is still to be written.
      if (quiet > readTimeout && this.#acks.due === 0) this.socket.destroy();
    } else if (this.#paused) {
      // It is this side that does not read.
      this.lastRead = now;
      this.#began = now;
    } else if (this.#phase === 'handshake') {
      // As a whole, however slowly it trickles in: a stranger may not hold a place for long.
      if (now - this.#began > readTimeout)
        this.#fail(new RefusedError('timeout', `no handshake within ${readTimeout} ms`));
    } else if (this.inMessage) {
      if (quiet > readTimeout)
        this.#fail(new RefusedError('timeout', `nothing received for ${quiet} ms inside a message`));
    } else if (idleTimeout !== null && quiet > idleTimeout && this.#acks.empty) {
      this.finish();
    }
  }

  #read(bytes: Buffer): void {
    this.lastRead = this.#dependencies.now();
    if (this.#phase === 'closing') return;
    const inMsgpack = this.#inMessage && !this.#json;
    const announced = inMsgpack ? this.#scanner.leastEnd - this.#buffer.at : 0;
    const moved = this.#buffer.add(bytes, this.#busy, announced);
    if (moved !== null && this.#inMessage) (this.#json ? this.#jsonScanner : this.#scanner).moved(moved);
    this.#handle();
  }

  /** Handles all whole messages that are there. */
  #handle(): void {
    const dependencies = this.#dependencies;
    const buffer = this.#buffer;
    try {
      while (buffer.length > 0 && !this.#busy && !dependencies.held && this.#phase !== 'closing') {
        const end = this.#scan();
        if (end < 0) break;
        this.#inMessage = false;
        const start = buffer.at;
        buffer.at = end;
        if (this.#phase === 'handshake') this.#answerPing(start, end);
        else this.#take(start, end);
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#account();
    if (this.#phase === 'closing') return;
    if (this.#busy || dependencies.held || !dependencies.mayBuffer(this)) this.#pauseSocket();
    else if (this.#paused) {
      this.#paused = false;
      this.socket.resume();
    }
    if (this.#ended) this.#afterEnd();
  }

  #scan(): number {
    const { bytes, at, end } = this.#buffer;
    if (!this.#inMessage) {
      if (this.#json === null && this.#phase === 'open') {
        const first = bytes[at]!;
        // A heartbeat's nil does not tell yet which of the two the client speaks.
        if (first !== 0xc0) this.#json = isJsonStart(first);
      }
      (this.#json ? this.#jsonScanner : this.#scanner).begin(at);
      this.#inMessage = true;
    }
    return (this.#json ? this.#jsonScanner : this.#scanner).scan(bytes, end);
  }

  #take(start: number, end: number): void {
    let { bytes } = this.#buffer;
    if (this.#json) {
      const converted = jsonToMsgpack(bytes, start, end);
      if (converted === null) return;
      bytes = converted;
      start = 0;
      end = bytes.length;
    }
    const message = readMessage(bytes, start, end);
    if (message === null) return;
    if (message.options.chunk === null) this.#trusting = true;
    const work = this.#dependencies.take(message, bytes, this);
    if (work === undefined) return;
    this.#busy = true;
    this.#busyBytes = end - start;
    work.then(
      () => {
        this.#busy = false;
        this.#busyBytes = 0;
        this.#handle();
      },
      (error) => {
        this.#busy = false;
        this.#busyBytes = 0;
        this.#fail(error);
      },
    );
  }

  #answerPing(start: number, end: number): void {
    const security = this.#dependencies.security!;
    const rule = ruleFor(security, this.socket.remoteAddress);
    const verdict = answerPing(this.#buffer.bytes, start, end, this.#challenge!, security, rule);
    this.socket.write(verdict.pong);
    if (verdict.failure !== null) throw new RefusedError('auth', verdict.failure);
    this.#phase = 'open';
    this.#scanner = new MessageScanner(this.#dependencies.maxMessageBytes);
  }

  #account(): void {
    const bytes = this.#phase === 'closing' ? 0 : this.bufferedBytes;
    if (bytes === this.#accounted) return;
    this.#dependencies.buffered(bytes - this.#accounted);
    this.#accounted = bytes;
  }

  #fail(error: unknown): void {
    // Whatever one client's bytes have caused, the other connections go on.
    const refusal =
      error instanceof RefusedError
        ? error
        : new RefusedError('internal', `${(error as Error).stack}`, error);
    this.#dependencies.refused(this, refusal);
    this.finish();
  }

  #pauseSocket(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  #readEnd(): void {
    this.#ended = true;
    if (!this.#busy && !this.#dependencies.held) this.#afterEnd();
  }

  /** The client will send no more, and everything it sent has been handled. */
  #afterEnd(): void {
    if (this.#busy || this.#phase === 'closing') return;
    if (this.#buffer.length > 0 && this.#phase === 'open') this.#dependencies.torn(this);
    this.finish();
  }

  #endWhenDone(): void {
    const done = this.#phase === 'closing' && this.#acks.empty;
    if (done && !this.socket.destroyed) this.socket.destroySoon();
  }

  #close(): void {
    if (this.#phase === 'open' && !this.#ended) {
      if (this.#buffer.length > 0) this.#dependencies.torn(this);
      if (this.#resetCode !== null && this.#trusting) this.#dependencies.reset(this, this.#resetCode);
    }
    this.#phase = 'closing';
    this.#account();
    this.#buffer.clear();
    this.#acks.clear();
    this.#dependencies.closed(this);
  }
}
