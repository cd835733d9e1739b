/** A forward input in front of a test double of the agent, on its own port, and raw clients for it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import * as z from 'zod/mini';
import { createForwardInput, type ForwardInput } from '../../producer/forward/input.ts';
import { forwardOptions } from '../../producer/forward/options.ts';
import { Cuts, type CutsOptions } from './cuts.ts';

export interface Server extends AsyncDisposable {
  readonly cuts: Cuts;
  readonly input: ForwardInput;
  readonly port: number;
  readonly path: string;
}

export async function startForward(options: object = {}, cutsOptions: CutsOptions = {}): Promise<Server> {
  const cuts = new Cuts(cutsOptions);
  const parsed = z.parse(forwardOptions, { type: 'forward', listen: '127.0.0.1:0', ...options });
  const input = createForwardInput(parsed, cuts.context);
  cuts.attach(input);
  await input.start();
  const address = input.addresses[0]!;
  return {
    cuts,
    input,
    port: 'port' in address ? address.port : 0,
    path: 'path' in address ? address.path : '',
    [Symbol.asyncDispose]: async () => {
      const stopped = input.stop();
      cuts.cut();
      await stopped;
    },
  };
}

/** A client that collects what the server sends, read by read. */
export class RawClient {
  readonly socket: Socket;
  readonly reads: Buffer[] = [];
  closed = false;
  #wake: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.reads.push(bytes);
      this.#wakeAll();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.#wakeAll();
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  send(...parts: readonly (Buffer | string)[]): void {
    for (const part of parts) this.socket.write(part);
  }

  /** The next unread data; null when the server closed the connection. */
  async read(): Promise<Buffer | null> {
    while (this.reads.length === 0) {
      if (this.closed) return null;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    return this.reads.shift()!;
  }

  async closing(): Promise<void> {
    while (!this.closed) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  end(): void {
    this.socket.destroy();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Resolves when `holds` does, checking after each turn of the event loop. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
