/** One client: its bytes become messages, in order, and its acks go out one write each. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { RefusedError } from './errors.ts';
import { answerPing, type Challenge, helo, ruleFor, type Security } from './handshake.ts';
import { isJsonStart, JsonScanner, jsonAck } from './json-message.ts';
import { jsonToMsgpack } from './json-msgpack.ts';
import { type Message, readMessage } from './message.ts';
import { MessageScanner } from './msgpack-scan.ts';
import { packAck } from './msgpack-write.ts';

/** An unfinished message's buffer begins at this size. */
const MIN_BUFFER_BYTES = 64 * 1024;
/** A buffer larger than this is given back when its message is done and nothing follows. */
const KEPT_BUFFER_BYTES = 1024 * 1024;
/** A client that has sent the first so many bytes of a message gets room for the second so many at once. */
const SHOWN_BYTES = 256 * 1024;
const TRUSTED_BYTES = 16 * 1024 * 1024;
/** Acks that may wait for a client that doesn't read them. */
const MAX_WAITING_ACKS = 10_000;
/** A PING is some hundred bytes: nobody gets the memory of a message before the handshake. */
const MAX_PING_BYTES = 64 * 1024;

const EMPTY = Buffer.alloc(0);

/** What a connection needs of the server. */
export interface ConnectionOwner {
  readonly maxMessageBytes: number;
  readonly now: () => number;
  /** Null on sockets that need no handshake. */
  readonly security: Security | null;
  /** Whether messages may not be taken now. */
  readonly held: boolean;
  /**
   * Takes a whole message and says to `acknowledge` when its events are durable, where the client wants that. A
   * promise, of large messages, keeps the connection waiting.
   *
   * @throws RefusedError when the connection has to be closed
   */
  take(message: Message, bytes: Buffer, connection: Connection): void | Promise<void>;
  refused(connection: Connection, error: RefusedError): void;
  /** Whether this connection may buffer so many bytes more now. */
  mayBuffer(connection: Connection): boolean;
  buffered(by: number): void;
  ackNotRead(): void;
  torn(connection: Connection): void;
  closed(connection: Connection): void;
}

type Phase = 'handshake' | 'open' | 'closing';

export class Connection {
  readonly socket: Socket;
  readonly #owner: ConnectionOwner;
  #phase: Phase;
  readonly #challenge: Challenge | null = null;
  /** Null until the first byte tells. */
  #json: boolean | null = null;
  #scanner: MessageScanner;
  readonly #jsonScanner: JsonScanner;
  /** What was read and is not yet handled stands in `[#at, #end)`: in the last read itself, or in `#own`. */
  #bytes: Buffer = EMPTY;
  #at = 0;
  #end = 0;
  #own: Buffer = EMPTY;
  /** Whether a message has begun and the scanner stands in it. */
  #inMessage = false;
  /** A large message is being worked on outside this turn. */
  #busy = false;
  /** Bytes of that message. */
  #busyBytes = 0;
  #paused = false;
  #ended = false;
  /** Acks asked for that are not yet allowed, and those that wait for the one before them to be written. */
  #pendingAcks = 0;
  #acks: Buffer[] = [];
  /** The place in `#acks` of the next one; those before it are written. */
  #nextAck = 0;
  #writing = false;
  /** How many writes of acks came to their end, and how many had at the last look. */
  #ackWrites = 0;
  #ackWritesSeen = -1;
  /** The client took no ack from one look to the next. */
  #deaf = false;
  /** When the handshake began, milliseconds since 1970. */
  #began: number;
  /** When bytes last came, milliseconds since 1970. */
  lastRead: number;
  /** The last bytes accounted to the owner as buffered. */
  #accounted = 0;

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.socket = socket;
    this.#owner = owner;
    const first = owner.security === null ? owner.maxMessageBytes : MAX_PING_BYTES;
    this.#scanner = new MessageScanner(first);
    this.#jsonScanner = new JsonScanner(owner.maxMessageBytes);
    this.lastRead = owner.now();
    this.#began = this.lastRead;
    this.#phase = owner.security === null ? 'open' : 'handshake';
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('end', () => this.#readEnd());
    socket.on('error', () => {});
    socket.on('close', () => this.#close());
    if (owner.security !== null) {
      const rule = ruleFor(owner.security, socket.remoteAddress);
      const users = rule?.users ?? null;
      this.#challenge = { nonce: randomBytes(16), auth: users === null ? EMPTY : randomBytes(16) };
      socket.write(helo(this.#challenge));
    }
  }

  get remote(): string {
    const { remoteAddress, remotePort } = this.socket;
    return remoteAddress === undefined ? 'unix' : `${remoteAddress}:${remotePort}`;
  }

  get inMessage(): boolean {
    return this.#end > this.#at || this.#busy;
  }

  /** Whether a large message is being worked on. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Bytes read of an unfinished message, and of one that is being worked on. */
  get bufferedBytes(): number {
    return this.#end - this.#at + this.#busyBytes;
  }

  get hasPendingAcks(): boolean {
    return this.#pendingAcks > 0 || this.#waitingAcks > 0 || this.#writing;
  }

  get #waitingAcks(): number {
    return this.#acks.length - this.#nextAck;
  }

  /** Goes on after the owner has held it back. */
  resume(): void {
    this.#handle();
  }

  pause(): void {
    this.#pauseSocket();
  }

  /** Says that an ack is going to be due: a client that has sent its last byte is kept until then. */
  expectAck(): void {
    this.#pendingAcks++;
  }

  /** Acknowledges a message by the bytes that its client gave as its id. */
  acknowledge(value: Buffer): void {
    this.#pendingAcks--;
    // One that reads may have any number due: a cut makes a great many messages durable at once.
    if (this.#deaf && this.#waitingAcks >= MAX_WAITING_ACKS) {
      this.#owner.ackNotRead();
      return;
    }
    this.#acks.push(this.#json ? jsonAck(value) : packAck(value));
    this.#writeNextAck();
  }

  /** Takes nothing more, and closes when the acks that are due have been sent. */
  finish(): void {
    if (this.#phase === 'closing') return;
    this.#phase = 'closing';
    this.#pauseSocket();
    this.#endWhenDone();
  }

  /** Lets go of a buffer that a large message has left. */
  shrink(): void {
    if (this.#end === this.#at && this.#own.length > KEPT_BUFFER_BYTES) this.#own = EMPTY;
  }

  /** Closes the connection when it has stood still for too long. Durations are in milliseconds. */
  lookOver(now: number, readTimeout: number, idleTimeout: number | null): void {
    const quiet = now - this.lastRead;
    this.#deaf = this.#writing && this.#ackWrites === this.#ackWritesSeen;
    this.#ackWritesSeen = this.#ackWrites;
    if (this.#phase === 'closing') {
      // Its client doesn't take what is still to be written.
      if (quiet > readTimeout && this.#pendingAcks === 0) this.socket.destroy();
    } else if (this.#paused) {
      // It is this side that doesn't read.
      this.lastRead = now;
      this.#began = now;
    } else if (this.#phase === 'handshake') {
      // Whole, however it trickles: a stranger may not hold a place for long.
      if (now - this.#began > readTimeout)
        this.#fail(new RefusedError('timeout', `no handshake within ${readTimeout} ms`));
    } else if (this.inMessage) {
      if (quiet > readTimeout)
        this.#fail(new RefusedError('timeout', `nothing came for ${quiet} ms inside a message`));
    } else if (idleTimeout !== null && quiet > idleTimeout && !this.hasPendingAcks) {
      this.finish();
    }
  }

  #read(bytes: Buffer): void {
    this.lastRead = this.#owner.now();
    if (this.#phase === 'closing') return;
    if (this.#at === this.#end && !this.#busy) {
      this.#bytes = bytes;
      this.#at = 0;
      this.#end = bytes.length;
    } else {
      this.#append(bytes);
    }
    this.#handle();
  }

  /** Handles all whole messages that are there. */
  #handle(): void {
    const owner = this.#owner;
    try {
      while (this.#at < this.#end && !this.#busy && !owner.held && this.#phase !== 'closing') {
        const end = this.#scan();
        if (end < 0) break;
        this.#inMessage = false;
        const start = this.#at;
        this.#at = end;
        if (this.#phase === 'handshake') this.#answerPing(start, end);
        else this.#take(start, end);
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#account();
    if (this.#phase === 'closing') return;
    if (this.#busy || owner.held || !owner.mayBuffer(this)) this.#pauseSocket();
    else if (this.#paused) {
      this.#paused = false;
      this.socket.resume();
    }
    if (this.#ended) this.#afterEnd();
  }

  #scan(): number {
    const { msgpack, json } = { msgpack: this.#scanner, json: this.#jsonScanner };
    if (!this.#inMessage) {
      if (this.#json === null && this.#phase === 'open') {
        const first = this.#bytes[this.#at]!;
        // A heartbeat's nil does not tell yet which of the two the client speaks.
        if (first !== 0xc0) this.#json = isJsonStart(first);
      }
      (this.#json ? json : msgpack).begin(this.#at);
      this.#inMessage = true;
    }
    return (this.#json ? json : msgpack).scan(this.#bytes, this.#end);
  }

  #take(start: number, end: number): void {
    let bytes = this.#bytes;
    if (this.#json) {
      const converted = jsonToMsgpack(bytes, start, end);
      if (converted === null) return;
      bytes = converted;
      start = 0;
      end = bytes.length;
    }
    const message = readMessage(bytes, start, end);
    if (message === null) return;
    const work = this.#owner.take(message, bytes, this);
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
    const security = this.#owner.security!;
    const rule = ruleFor(security, this.socket.remoteAddress);
    const verdict = answerPing(this.#bytes, start, end, this.#challenge!, security, rule);
    this.socket.write(verdict.pong);
    if (verdict.failure !== null) throw new RefusedError('auth', verdict.failure);
    this.#phase = 'open';
    this.#scanner = new MessageScanner(this.#owner.maxMessageBytes);
  }

  /** Puts what is not yet handled into the connection's own buffer, and `bytes` behind it. */
  #append(bytes: Buffer): void {
    const length = this.#end - this.#at;
    const needed = length + bytes.length;
    const inOwn = this.#bytes === this.#own;
    if (inOwn && this.#end + bytes.length <= this.#own.length) {
      bytes.copy(this.#own, this.#end);
      this.#end += bytes.length;
      return;
    }
    // While a message is worked on, its bytes stay where they are; what comes meanwhile has a buffer of its own.
    if (needed <= this.#own.length && !(this.#busy && inOwn)) {
      if (inOwn) this.#own.copyWithin(0, this.#at, this.#end);
      else this.#bytes.copy(this.#own, 0, this.#at, this.#end);
    } else {
      const larger = Buffer.allocUnsafeSlow(this.#roomFor(needed));
      this.#bytes.copy(larger, 0, this.#at, this.#end);
      this.#own = larger;
    }
    if (this.#inMessage) (this.#json ? this.#jsonScanner : this.#scanner).moved(this.#at);
    bytes.copy(this.#own, length);
    this.#bytes = this.#own;
    this.#at = 0;
    this.#end = needed;
  }

  /**
   * Room for what the message has announced, so far as the client has shown that it means it: an announcement alone
   * gets no memory. Else twice what is there.
   */
  #roomFor(needed: number): number {
    const doubled = Math.max(MIN_BUFFER_BYTES, needed * 2);
    const announced = this.#inMessage && !this.#json ? this.#scanner.leastEnd - this.#at : 0;
    if (announced <= needed) return doubled;
    const trusted = needed >= SHOWN_BYTES ? Math.max(doubled, TRUSTED_BYTES) : doubled;
    return Math.max(MIN_BUFFER_BYTES, Math.min(announced, trusted));
  }

  #account(): void {
    const bytes = this.#phase === 'closing' ? 0 : this.bufferedBytes;
    if (bytes === this.#accounted) return;
    this.#owner.buffered(bytes - this.#accounted);
    this.#accounted = bytes;
  }

  #fail(error: unknown): void {
    // Whatever one client's bytes brought about, the others' connections go on.
    const refusal =
      error instanceof RefusedError
        ? error
        : new RefusedError('internal', `${(error as Error).stack}`, error);
    this.#owner.refused(this, refusal);
    this.finish();
  }

  #pauseSocket(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  #writeNextAck(): void {
    if (this.#writing || this.socket.destroyed) return;
    const ack = this.#acks[this.#nextAck];
    if (ack === undefined) {
      this.#acks = [];
      this.#nextAck = 0;
      this.#endWhenDone();
      return;
    }
    this.#nextAck++;
    this.#writing = true;
    // The next one waits for this one's write: several clients parse one read as one ack.
    this.socket.write(ack, () => {
      this.#writing = false;
      this.#ackWrites++;
      this.#writeNextAck();
    });
  }

  #readEnd(): void {
    this.#ended = true;
    if (!this.#busy && !this.#owner.held) this.#afterEnd();
  }

  /** The client will send no more, and all that it sent has been handled. */
  #afterEnd(): void {
    if (this.#busy || this.#phase === 'closing') return;
    if (this.#at < this.#end && this.#phase === 'open') this.#owner.torn(this);
    this.finish();
  }

  #endWhenDone(): void {
    const done = this.#phase === 'closing' && !this.hasPendingAcks;
    if (done && !this.socket.destroyed) this.socket.destroySoon();
  }

  #close(): void {
    if (this.#phase === 'open' && !this.#ended && this.#at < this.#end) this.#owner.torn(this);
    this.#phase = 'closing';
    this.#account();
    this.#bytes = EMPTY;
    this.#own = EMPTY;
    this.#at = 0;
    this.#end = 0;
    this.#acks = [];
    this.#nextAck = 0;
    this.#owner.closed(this);
  }
}
