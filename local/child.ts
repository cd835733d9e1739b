/**
 * Child processes as everything in local/ starts them: output goes to a log file, readiness is reported over IPC, a stop
 * goes by pid, and an unexpected exit is reported.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { TailraceError } from '../base/errors.ts';

const COMPILE_CACHE = path.join(import.meta.dirname, '..', 'base', 'compile-cache.mjs');

export interface ChildOptions {
  /** Its name for people: `Kinesis`, `consumer`. */
  readonly name: string;
  /** Arguments for this process's Node, the script first. */
  readonly args: readonly string[];
  /** Where standard output and error go, appended. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** What a child sends over IPC once it is serving. */
export interface ReadyMessage {
  readonly ready: true;
  readonly port: number;
}

/** What a child sends over IPC when it cannot start. */
export interface FailedMessage {
  readonly failed: string;
  readonly code: 'CHILD_FAILED' | 'LISTEN';
}

/** How a child exited. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Child {
  readonly name: string;
  readonly logFile: string;
  readonly process: ChildProcess;
  /** Resolves when the child exits, for whatever reason. */
  readonly exited: Promise<Exit>;
  #stopping = false;
  #exit: Exit | null = null;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.logFile = options.logFile;
    fs.mkdirSync(path.dirname(options.logFile), { recursive: true });
    const log = fs.openSync(options.logFile, 'a');
    try {
      this.process = spawn(process.execPath, ['--import', COMPILE_CACHE, ...options.args], {
        // In its own process group: Ctrl-C in the terminal reaches only the parent, which then stops everything in order.
        detached: true,
        stdio: ['ignore', log, log, 'ipc'],
        env: { ...withoutAws(process.env), ...options.env },
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      });
    } finally {
      fs.closeSync(log);
    }
    this.exited = new Promise((resolve) => {
      this.process.once('error', () => resolve({ code: null, signal: null }));
      this.process.once('exit', (code, signal) => resolve({ code, signal }));
    });
    void this.exited.then((exit) => {
      this.#exit = exit;
    });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Whether it exited without being asked to. */
  get died(): boolean {
    return this.#exit !== null && !this.#stopping;
  }

  get exit(): Exit | null {
    return this.#exit;
  }

  /**
   * The port that the child serves on, once it reports it.
   *
   * @throws TailraceError LISTEN when its port is in use; CHILD_FAILED when it exits or gives up for another reason, with the end
   *   of its log
   */
  ready(timeoutMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(this.failure(`did not start within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      this.process.on('message', (message: ReadyMessage | FailedMessage) => {
        if ('ready' in message) {
          clearTimeout(timer);
          resolve(message.port);
        } else if ('failed' in message) {
          clearTimeout(timer);
          reject(new TailraceError(message.code, `${this.name} cannot start: ${message.failed}`));
        }
      });
      void this.exited.then((exit) => {
        clearTimeout(timer);
        reject(this.failure(describeExit(exit)));
      });
    });
  }

  /** An error that says what happened to the child and shows the end of its log. */
  failure(what: string): TailraceError {
    const tail = logTail(this.logFile, 20);
    return new TailraceError(
      'CHILD_FAILED',
      `${this.name} ${what}; its log is ${this.logFile}${tail === '' ? '' : ` and ends with:\n${tail}`}`,
    );
  }

  /** Asks the child to stop and kills it if it has not exited within `graceMs`. */
  async stop(graceMs: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.#stopping = true;
    if (this.#exit !== null) return this.#exit;
    this.process.kill(signal);
    const timer = setTimeout(() => this.process.kill('SIGKILL'), graceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }
}

/** The environment may name a real AWS account, which has no place in a local stack. */
function withoutAws(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('AWS_')));
}

export function describeExit(exit: Exit): string {
  if (exit.signal !== null) return `was killed by ${exit.signal}`;
  if (exit.code === null) return 'could not be started';
  return `exited with code ${exit.code}`;
}

/** The last `lines` lines of a log, indented. */
function logTail(file: string, lines: number): string {
  let size: number;
  let fd: number;
  try {
    fd = fs.openSync(file, 'r');
  } catch {
    return '';
  }
  try {
    size = fs.fstatSync(fd).size;
    const bytes = Buffer.alloc(Math.min(size, 16 * 1024));
    fs.readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    const text = bytes.toString('utf8').trimEnd();
    if (text === '') return '';
    return text
      .split('\n')
      .slice(-lines)
      .map((line) => `  | ${line}`)
      .join('\n');
  } finally {
    fs.closeSync(fd);
  }
}
