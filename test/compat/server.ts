/** A server of somebody else's as a process on loopback, that can be killed and started on what it left. */
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../local/ports.ts';

const START_MS = 90_000;
const STOP_MS = 5000;
const LOOK_EVERY_MS = 50;

export interface ServerOptions {
  readonly program: string;
  readonly args: (port: number) => readonly string[];
  /** Where it runs and where its log goes. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class Server {
  readonly #options: ServerOptions;
  readonly port: number;
  #child: ChildProcess;

  private constructor(options: ServerOptions, port: number) {
    this.#options = options;
    this.port = port;
    this.#child = this.#spawn();
  }

  /** @throws Error when it ends, or listens to no port for too long */
  static async start(options: ServerOptions): Promise<Server> {
    const [port] = await freePorts(1);
    const server = new Server(options, port!);
    await server.#untilListening();
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** kill -9, and a start on the same port and folder. */
  async killAndRestart(): Promise<void> {
    await this.#end('SIGKILL');
    this.#child = this.#spawn();
    await this.#untilListening();
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  #spawn(): ChildProcess {
    const { program, args, folder, env } = this.#options;
    fs.mkdirSync(folder, { recursive: true });
    const log = fs.openSync(path.join(folder, 'server.log'), 'a');
    try {
      const child = spawn(program, args(this.port), {
        cwd: folder,
        env: { ...process.env, ...env },
        stdio: ['ignore', log, log],
      });
      // An exit code says more than this does.
      child.on('error', () => {});
      return child;
    } finally {
      fs.closeSync(log);
    }
  }

  async #untilListening(): Promise<void> {
    for (const deadline = Date.now() + START_MS; !(await listens(this.port)); await sleep(LOOK_EVERY_MS)) {
      const { exitCode, signalCode, pid } = this.#child;
      if (pid !== undefined && exitCode === null && signalCode === null && Date.now() < deadline) continue;
      await this.#end('SIGKILL');
      const log = fs.readFileSync(path.join(this.#options.folder, 'server.log'), 'utf8');
      throw new Error(`${this.#options.program} does not listen: ${log.slice(-1000)}`);
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}
