/** A web server of the simulation: a real agent on real files, a process that writes until its own SIGTERM, a shell. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentProcess, AWS_ENV, startAgent } from '../support/agent-process.ts';
import { SECOND } from './clock.ts';
import type { ManagedInstance } from './systems-manager.ts';

const CLI = join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');

/** How a run of the flush goes: really; refused by the stream until it gives up; never ending; or the agent is down. */
export type FlushMode = 'flush' | 'refused' | 'hang';

export interface WebServerOptions {
  /** Lines that it has written before anything else. */
  readonly first?: number;
  /** Random bytes in each of those. */
  readonly noise?: number;
  /** What each line has as its id besides its number; none unless said. */
  readonly mark?: string;
  /** Whether its agent may spill what a flush could not send. */
  readonly spill?: boolean;
}

/** Writes numbered lines until SIGTERM, says goodbye with some more, and ends. */
const WRITER = `
const { appendFileSync } = require('node:fs');
const { randomBytes } = require('node:crypto');
const [file, first, noise, mark] = process.argv.slice(1);
let n = 0;
const write = (count, bytes) => {
  const extra = bytes > 0 ? { noise: randomBytes(bytes).toString('base64') } : {};
  let text = '';
  for (let i = 0; i < count; i++) {
    // Numbers begin with 1, ids with 0.
    const id = mark === '' ? {} : { id: '@' + mark + ':' + n + '@' };
    text += JSON.stringify({ n: ++n, ...id, ...extra }) + '\\n';
  }
  appendFileSync(file, text);
};
if (noise > 0) for (let i = 0; i < first; i++) write(1, Number(noise));
else write(Number(first), 0);
const timer = setInterval(() => write(10), 20);
process.on('SIGTERM', () => {
  clearInterval(timer);
  write(25);
  appendFileSync(file + '.count', String(n));
  process.exit(0);
});
process.stdout.write('writes\\n');
`;

export class WebServer implements ManagedInstance {
  managed = true;
  online = true;
  /** How each run of the document's script goes, in their order; the last one for all that follow. */
  modes: FlushMode[] = ['flush'];
  /** Milliseconds of simulated time that a run takes. */
  takes = 20 * SECOND;
  /** Whether the agent ends without a word when the instance does, as at a power cut. */
  abrupt = false;
  runs = 0;
  readonly output: string[] = [];
  readonly directory: string;
  readonly agent: AgentProcess;
  readonly #writer: ChildProcess;
  readonly #scripts = new Set<() => void>();
  #setRefusing: (refusing: boolean) => void;

  private constructor(
    directory: string,
    agent: AgentProcess,
    writer: ChildProcess,
    setRefusing: (refusing: boolean) => void,
  ) {
    this.directory = directory;
    this.agent = agent;
    this.#writer = writer;
    this.#setRefusing = setRefusing;
  }

  /**
   * @param setRefusing makes the stream refuse all that this server sends, or no more
   */
  static async start(
    directory: string,
    config: { stream: string; endpoint: string; spill: { bucket: string; endpoint: string } },
    setRefusing: (refusing: boolean) => void,
    { first = 500, noise = 0, mark = '', spill = false }: WebServerOptions,
  ): Promise<WebServer> {
    mkdirSync(join(directory, 'bin'), { recursive: true });
    const log = join(directory, 'access.log');
    writeFileSync(log, '');
    const writer = spawn(process.execPath, ['-e', WRITER, log, String(first), String(noise), mark], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(writer.stdout!, 'data');
    const agent = await startedAgent(directory, {
      stream: { name: config.stream, region: 'us-east-1', endpoint: config.endpoint },
      inputs: [{ type: 'tail', path: log, tag: 'nginx.access', format: 'json', read_from_head: true }],
      instance: { watch: 'off' },
      stop_timeout: '10s',
      spool: { max_size: '4GiB' },
      ...(spill ? { spill: { ...config.spill, prefix: 'spill/' } } : {}),
    });
    const server = new WebServer(directory, agent, writer, setRefusing);
    server.#command('tailrace', `exec ${process.execPath} ${CLI} "$@"`);
    server.#command(
      'systemctl',
      `case "$1 $2" in
  'cat nginx') exit 0 ;;
  'start tailrace')
    ${process.execPath} ${CLI} agent --config ${directory}/agent.yaml >>${directory}/started.log 2>&1 &
    echo $! > ${directory}/started.pid ;;
  'stop nginx') kill -TERM ${writer.pid} 2>/dev/null; while kill -0 ${writer.pid} 2>/dev/null; do sleep 0.05; done ;;
  *) echo "systemctl $*" >&2; exit 1 ;;
esac`,
    );
    return server;
  }

  duration(): number {
    return this.#mode(this.runs) === 'hang' ? Number.POSITIVE_INFINITY : this.takes;
  }

  run(script: string): { exit: Promise<number>; kill: () => void } {
    const mode = this.#mode(++this.runs);
    this.#setRefusing(mode === 'refused');
    // A stream that refuses everything is not waited for in real minutes.
    const short = mode === 'refused' ? script.replace(/^FLUSH_SECONDS=.*$/m, 'FLUSH_SECONDS=17') : script;
    const text = mode === 'hang' ? script.replace(/^flush\(\) \{.*$/m, 'flush() { sleep 1000; }') : short;
    const child = spawn('sh', ['-c', text], {
      detached: true,
      env: {
        PATH: `${join(this.directory, 'bin')}:${process.env['PATH']}`,
        TAILRACE_STATE: join(this.directory, 'state'),
        ...AWS_ENV,
      },
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => this.output.push(String(data)));
    const kill = (): void => void process.kill(-child.pid!, 'SIGKILL');
    this.#scripts.add(kill);
    const exit = once(child, 'close').then(([code]) => {
      this.#scripts.delete(kill);
      return (code as number | null) ?? 128;
    });
    return { exit, kill };
  }

  /** The end of the instance: systemd stops the web server first, then the agent. */
  async shutDown(): Promise<void> {
    await this.stopWriter();
    await this.#endAgents(this.abrupt ? 'KILL' : 'TERM');
  }

  /** The agent that was there from the start, and the one that the document's script started. */
  async #endAgents(signal: 'KILL' | 'TERM'): Promise<void> {
    const { child, ended } = this.agent;
    if (child.exitCode === null && child.signalCode === null) child.kill(`SIG${signal}`);
    await ended;
    const file = join(this.directory, 'started.pid');
    if (!existsSync(file)) return;
    const pid = readFileSync(file, 'utf8').trim();
    const wait = `kill -${signal} ${pid} 2>/dev/null; while kill -0 ${pid} 2>/dev/null; do sleep 0.05; done`;
    await once(spawn('sh', ['-c', wait], { env: { PATH: process.env['PATH'] } }), 'close');
  }

  async stopWriter(): Promise<void> {
    const gone = this.#writer.exitCode !== null || this.#writer.signalCode !== null;
    if (gone) return;
    const exit = once(this.#writer, 'exit');
    this.#writer.kill('SIGTERM');
    await exit;
  }

  /** How many lines the web server has written, when it has ended. */
  get written(): number {
    const file = join(this.directory, 'access.log.count');
    if (!existsSync(file)) throw new Error('the web server still writes');
    return Number(readFileSync(file, 'utf8'));
  }

  async kill(): Promise<void> {
    for (const killScript of this.#scripts) killScript();
    if (this.#writer.exitCode === null && this.#writer.signalCode === null) {
      const exit = once(this.#writer, 'exit');
      this.#writer.kill('SIGKILL');
      await exit;
    }
    await this.#endAgents('KILL');
  }

  #mode(run: number): FlushMode {
    return this.modes[Math.min(Math.max(run, 1), this.modes.length) - 1]!;
  }

  #command(name: string, body: string): void {
    const file = join(this.directory, 'bin', name);
    writeFileSync(file, `#!/bin/sh\n${body}\n`);
    chmodSync(file, 0o755);
  }
}

/** How often an agent is restarted that ends at its very first start because its stream does not answer. */
const STARTS = 10;

async function startedAgent(directory: string, config: Record<string, unknown>): Promise<AgentProcess> {
  for (let start = 1; ; start++) {
    try {
      return await startAgent(directory, config);
    } catch (error) {
      if (start === STARTS) throw error;
    }
  }
}
