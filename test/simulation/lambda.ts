/** Lambda: packaged zips, unpacked, each function in processes of its own; retries of asynchronous calls; metrics. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { MINUTE, type SimulatedClock } from './clock.ts';
import type { Iam } from './iam.ts';
import { ACCOUNT, type Properties, REGION, type Template } from './template.ts';
import { unzip } from './unzip.ts';

/** A metric value that a function wrote into its log. */
export interface MetricValue {
  readonly name: string;
  readonly value: number;
  readonly at: number;
}

export interface InvocationFault {
  /** Milliseconds of real time that the function believes to have. */
  readonly remainingMs?: number;
  /** The call ends as if the function never ran. */
  readonly lost?: boolean;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Waits before the two repeats of an asynchronous call that failed. */
const RETRY_MS = [MINUTE, 2 * MINUTE];

export class Lambda {
  readonly metrics: MetricValue[] = [];
  readonly errors: string[] = [];
  readonly log: string[] = [];
  invocations = 0;
  /** Bends a call; by default all go well. */
  onInvoke: (functionId: string) => InvocationFault = () => ({});
  readonly #template: Template;
  readonly #folder: string;
  readonly #clock: SimulatedClock;
  readonly #iam: Iam;
  readonly #env: Record<string, string>;
  readonly #idle = new Map<string, ChildProcess[]>();
  readonly #children = new Set<ChildProcess>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #busy = new Map<string, number>();
  #id = 0;

  constructor(
    template: Template,
    folder: string,
    packaged: string,
    clock: SimulatedClock,
    iam: Iam,
    env: Record<string, string>,
  ) {
    this.#template = template;
    this.#folder = folder;
    this.#clock = clock;
    this.#iam = iam;
    this.#env = env;
    for (const { id } of template.all('AWS::Lambda::Function')) {
      const zip = readFileSync(join(packaged, `${zipName(id)}.zip`));
      for (const [name, bytes] of unzip(zip)) {
        const file = join(folder, id, name);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, bytes);
      }
    }
  }

  /** Calls as EventBridge does: nobody waits for the answer, failures are repeated as often as the template says. */
  async invokeAsync(id: string, event: unknown, tries = 0): Promise<void> {
    try {
      await this.invoke(id, event);
    } catch {
      const name = this.#template.resolve({ Ref: id });
      const configured = this.#template
        .all('AWS::Lambda::EventInvokeConfig')
        .find(({ properties }) => properties['FunctionName'] === name);
      const repeats = configured?.properties['MaximumRetryAttempts'] ?? RETRY_MS.length;
      const wait = tries < repeats ? RETRY_MS[tries] : undefined;
      if (wait !== undefined) this.#clock.after(wait, () => this.invokeAsync(id, event, tries + 1));
    }
  }

  async invoke(id: string, event: unknown): Promise<unknown> {
    const properties = this.#template.one(id);
    const limit = (properties['ReservedConcurrentExecutions'] as number | undefined) ?? Infinity;
    const busy = this.#busy.get(id) ?? 0;
    if (busy >= limit) throw new Error('Rate Exceeded: reserved concurrency');
    this.#busy.set(id, busy + 1);
    try {
      return await this.#run(id, properties, event);
    } catch (error) {
      this.errors.push(`${id}: ${(error as Error).message}`);
      throw error;
    } finally {
      this.#busy.set(id, this.#busy.get(id)! - 1);
    }
  }

  async #run(id: string, properties: Properties, event: unknown): Promise<unknown> {
    this.invocations++;
    const role = roleOf(properties);
    const group = `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:/aws/lambda/${properties['FunctionName']}:log-stream:1`;
    for (const action of ['logs:CreateLogStream', 'logs:PutLogEvents'])
      this.#iam.allows(role, { action, resource: group });
    const { remainingMs = properties['Timeout'] * 1000, lost } = this.onInvoke(id);
    if (lost) throw new Error('the function never ran');
    const child = this.#idle.get(id)?.pop() ?? (await this.#start(id, properties, role));
    const call = ++this.#id;
    const ended = (): void => this.#waiting.get(call)?.reject(new Error('ended at its time limit'));
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(call, { resolve, reject });
        child.once('exit', ended);
        child.send({ id: call, event, now: this.#clock.now, remainingMs });
      });
    } finally {
      this.#waiting.delete(call);
      child.off('exit', ended);
      if (child.exitCode === null && child.signalCode === null) {
        this.#idle.set(id, [...(this.#idle.get(id) ?? []), child]);
      }
    }
  }

  /** Ends the processes of a function in the middle of what they do, as a time limit does. */
  kill(id: string): void {
    for (const child of this.#children) {
      if (child.spawnargs.includes(id)) child.kill('SIGKILL');
    }
    this.#idle.delete(id);
  }

  /** Ends all processes; what they wrote before is read to its end. */
  async stop(): Promise<void> {
    const closed = [...this.#children].map((child) => once(child, 'close'));
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(closed);
    this.#idle.clear();
  }

  async #start(id: string, properties: Properties, role: string): Promise<ChildProcess> {
    const [file, exported] = String(properties['Handler']).split(/\.(?=[^.]+$)/);
    if (exported !== 'handler') throw new Error(`${id}: the handler is ${properties['Handler']}`);
    const child = fork(
      join(import.meta.dirname, 'lambda-runtime.ts'),
      [join(this.#folder, id, `${file}.mjs`), id],
      {
        env: {
          PATH: process.env['PATH'],
          ...(properties['Environment']?.Variables as Record<string, string>),
          AWS_REGION: REGION,
          // The stand-in knows callers by their key.
          AWS_ACCESS_KEY_ID: role,
          AWS_SECRET_ACCESS_KEY: 'simulated',
          ...this.#env,
        },
        execArgv: [],
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      },
    );
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    createInterface({ input: child.stdout! }).on('line', (line) => this.#line(id, line));
    createInterface({ input: child.stderr! }).on('line', (line) => this.log.push(`${id}! ${line}`));
    // One that is killed before it is ready never says that it is.
    const ended = once(child, 'exit').then(() => Promise.reject(new Error('ended before it was ready')));
    await Promise.race([once(child, 'message'), ended]);
    ended.catch(() => {});
    child.on('message', (answer: { id: number; result?: unknown; error?: string }) => {
      const waiting = this.#waiting.get(answer.id);
      if (answer.error === undefined) waiting?.resolve(answer.result);
      else waiting?.reject(new Error(answer.error));
    });
    return child;
  }

  #line(id: string, line: string): void {
    this.log.push(`${id} ${line}`);
    const entry = JSON.parse(line) as Properties;
    for (const { Metrics } of entry['_aws']?.CloudWatchMetrics ?? []) {
      for (const { Name } of Metrics)
        this.metrics.push({ name: Name, value: entry[Name], at: entry['_aws'].Timestamp });
    }
  }
}

/** Logical id of the role that the function has. */
function roleOf(properties: Properties): string {
  return String(properties['Role']).split('/').pop()!;
}

function zipName(id: string): string {
  const name = id.replace(/LambdaFunction$/, '');
  return name[0]!.toLowerCase() + name.slice(1);
}
