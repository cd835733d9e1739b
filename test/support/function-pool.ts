/** Environments of one function, each a process: kept warm, killed, frozen, and left behind when time runs out. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

const RUNTIME = join(import.meta.dirname, '..', 'simulation', 'lambda-runtime.ts');

export class FunctionPool {
  readonly #entry: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  readonly #idle: ChildProcess[] = [];
  readonly #all = new Set<ChildProcess>();
  #id = 0;
  /** May do something to an environment that is about to be called. */
  onInvoke: (environment: ChildProcess) => void = () => {};
  /** What the environments wrote. */
  log = '';

  /** @param entry the module with the handler */
  constructor(entry: string, env: Readonly<Record<string, string>>, timeoutMs: number) {
    this.#entry = entry;
    this.#env = env;
    this.#timeoutMs = timeoutMs;
  }

  async invoke(event: unknown): Promise<unknown> {
    const child = this.#idle.pop() ?? (await this.#start());
    const id = ++this.#id;
    this.onInvoke(child);
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('Task timed out')), this.#timeoutMs);
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
      child.send({ id, event, now: Date.now(), remainingMs: this.#timeoutMs }, (error) => {
        if (error) done(() => reject(error));
      });
    });
  }

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
    const child = fork(RUNTIME, [this.#entry], {
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
        this.log += text;
      });
    }
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`the environment ended with ${code}: ${this.log}`)));
    });
    return child;
  }
}
