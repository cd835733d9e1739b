/** Environments of one function, each a process: kept warm, killed, frozen, and left behind when time runs out. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

const RUNTIME = join(import.meta.dirname, '..', 'simulation', 'lambda-runtime.ts');
const KEPT_LOG = 200_000;

export class FunctionPool {
  /** The module that environments to come are started with. */
  entry: string;
  timeoutMs: number;
  readonly #env: Readonly<Record<string, string>>;
  readonly #idle: ChildProcess[] = [];
  readonly #all = new Set<ChildProcess>();
  #id = 0;
  /** May do something to an environment that is about to be called. */
  onInvoke: (environment: ChildProcess) => void = () => {};
  onLog: (text: string) => void = () => {};
  /** The end of what the environments wrote. */
  log = '';

  /** @param entry the module with the handler */
  constructor(entry: string, env: Readonly<Record<string, string>>, timeoutMs: number) {
    this.entry = entry;
    this.#env = env;
    this.timeoutMs = timeoutMs;
  }

  async invoke(event: unknown): Promise<unknown> {
    const child = this.#idle.pop() ?? (await this.#start());
    const id = ++this.#id;
    const { timeoutMs } = this;
    this.onInvoke(child);
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('Task timed out')), timeoutMs);
      const done = (end: () => void): void => {
        clearTimeout(timer);
        child.off('exit', died);
        child.off('message', answered);
        end();
      };
      const died = (): void => done(() => reject(new Error('the environment ended')));
      const answered = (answer: { id: number; error?: string; result?: unknown }): void => {
        if (answer.id !== id) return;
        this.#idle.push(child);
        done(() => (answer.error === undefined ? resolve(answer.result) : reject(new Error(answer.error))));
      };
      child.once('exit', died);
      child.on('message', answered);
      child.send({ id, event, now: Date.now(), remainingMs: timeoutMs }, (error) => {
        if (error) done(() => reject(error));
      });
    });
  }

  /** The environments that there are, whether they have a call or not. */
  get environments(): readonly ChildProcess[] {
    return [...this.#all];
  }

  /** Ends all environments; the next call starts one. */
  async stop(): Promise<void> {
    await Promise.all(
      [...this.#all].map((child) => {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        return ended;
      }),
    );
  }

  async #start(): Promise<ChildProcess> {
    const child = fork(RUNTIME, [this.entry], {
      env: { ...process.env, ...this.#env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#all.add(child);
    child.once('exit', () => {
      this.#all.delete(child);
      const at = this.#idle.indexOf(child);
      if (at !== -1) this.#idle.splice(at, 1);
    });
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.log = (this.log + text).slice(-KEPT_LOG);
        this.onLog(text);
      });
    }
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`the environment ended with ${code}: ${this.log}`)));
    });
    return child;
  }
}
