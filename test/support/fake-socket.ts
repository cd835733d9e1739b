/** The surroundings of a connection for tests: a socket without a network, and an owner that keeps what it is given. */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import type { ConnectionDependencies } from '../../producer/forward/connection.ts';

/** A socket whose reads the test provides and whose writes it sees one by one. */
export class FakeSocket extends Duplex {
  readonly written: Buffer[] = [];
  /** Writes that the stream joined. */
  coalesced = 0;
  /** Whether writes never finish, as when the peer does not read. */
  holdWrites = false;
  readonly remoteAddress = '127.0.0.1';

  constructor() {
    super({ readableHighWaterMark: 1, allowHalfOpen: true });
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.written.push(bytes);
    if (!this.holdWrites) setImmediate(done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    if (chunks.length > 1) this.coalesced++;
    for (const { chunk } of chunks) this.written.push(chunk);
    setImmediate(done);
  }

  destroySoon(): void {
    this.end();
  }
}

/** An owner that keeps each message's time and record. */
export function owner(taken: Buffer[], other: Partial<ConnectionDependencies> = {}): ConnectionDependencies {
  return {
    maxMessageBytes: 1e6,
    now: Date.now,
    security: null,
    held: false,
    take: (message, bytes) => {
      taken.push(Buffer.from(bytes.subarray(message.from, message.to)));
    },
    refused: (_connection, error) => assert.fail(error.message),
    mayBuffer: () => true,
    buffered: () => {},
    ackNotRead: () => {},
    reset: () => {},
    torn: () => {},
    closed: () => {},
    ...other,
  };
}
