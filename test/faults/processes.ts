/** A process as a service manager would keep it: restarted when it ends by itself, unless it is meant to stay away. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

const RESTART_MS = 1_000;

export interface ServiceOptions {
  readonly name: string;
  /** Of the Node that runs this process, the script among them. */
  readonly args: () => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Called for an end that nobody asked for. */
  readonly onEnd: (what: string) => void;
}

export class Service {
  readonly #options: ServiceOptions;
  #process: ChildProcess | null = null;
  #wanted = false;

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  get runs(): boolean {
    return this.#process !== null;
  }

  start(): void {
    if (this.#process !== null) return;
    this.#wanted = true;
    const { args, env, logFile } = this.#options;
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, args(), {
      env: { ...withoutAws(process.env), ...env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#process = child;
    child.once('exit', (code, signal) => {
      this.#process = null;
      if (!this.#wanted) return;
      this.#options.onEnd(`${this.#options.name} ended by itself (${signal ?? code})`);
      setTimeout(() => {
        if (this.#wanted) this.start();
      }, RESTART_MS);
    });
  }

  /** Ends it; it stays away until {@link start}. Resolves with its exit code, or the signal that ended it. */
  async end(signal: NodeJS.Signals): Promise<number | string> {
    this.#wanted = false;
    const child = this.#process;
    if (child === null) return 0;
    const ended = new Promise<number | string>((resolve) => {
      child.once('exit', (code, by) => resolve(code ?? by!));
    });
    child.kill(signal);
    return ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }
}

function withoutAws(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('AWS_')));
}

/** Sends a signal to a process or, below 0, a process group; false when it is gone. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}
