/** The acks of one connection: those still due, and those that wait for the one before them to be written. */
import type { Socket } from 'node:net';

/** Acks that may wait for a client that does not read them. */
const MAX_WAITING_ACKS = 10_000;

export class AckQueue {
  readonly #socket: Socket;
  readonly #drained: () => void;
  /** Acks asked for that are not allowed yet. */
  #due = 0;
  #waiting: Buffer[] = [];
  /** The index in `#waiting` of the next one; those before it are written. */
  #next = 0;
  #writing = false;
  /** How many writes have finished, and how many had at the last check. */
  #writes = 0;
  #writesSeen = -1;
  /** The client took no ack between two checks. */
  #unread = false;

  /** @param drained called when every ack that was allowed has been written */
  constructor(socket: Socket, drained: () => void) {
    this.#socket = socket;
    this.#drained = drained;
  }

  /** Acks that are due but not allowed yet. */
  get due(): number {
    return this.#due;
  }

  /** Whether no ack is due, waiting or being written. */
  get empty(): boolean {
    return this.#due === 0 && this.#waiting.length === this.#next && !this.#writing;
  }

  /** Announces an ack: a client that has sent its last byte is kept until then. */
  expect(): void {
    this.#due++;
  }

  /**
   * Writes an ack that was expected, behind those before it.
   *
   * @returns false if it is dropped, because its client does not read
   */
  write(ack: Buffer): boolean {
    this.#due--;
    // A client that reads may have any number due: one cut makes a great many messages durable at once.
    if (this.#unread && this.#waiting.length - this.#next >= MAX_WAITING_ACKS) return false;
    this.#waiting.push(ack);
    this.#writeNext();
    return true;
  }

  /** Checks whether the client has taken an ack since the last check. */
  check(): void {
    this.#unread = this.#writing && this.#writes === this.#writesSeen;
    this.#writesSeen = this.#writes;
  }

  clear(): void {
    this.#waiting = [];
    this.#next = 0;
  }

  #writeNext(): void {
    if (this.#writing || this.#socket.destroyed) return;
    const ack = this.#waiting[this.#next];
    if (ack === undefined) {
      this.clear();
      this.#drained();
      return;
    }
    this.#next++;
    this.#writing = true;
    // The next one waits for this write: several clients parse one read as one ack.
    this.#socket.write(ack, () => {
      this.#writing = false;
      this.#writes++;
      this.#writeNext();
    });
  }
}
