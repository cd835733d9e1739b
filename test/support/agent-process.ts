/** A real `tailrace agent` process for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { stringify } from 'yaml';
import { ask } from '../../producer/control/protocol.ts';

/** Agents that run; those which a failed test left behind end with its file. */
const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill('SIGKILL');
});

export const CLI = join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');

/** Credentials and the like for SDK clients that talk to a stand-in. */
export const AWS_ENV = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
};

/** A folder that is gone after the test. */
export function temporaryDirectory(context: { after: (done: () => void) => void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface AgentProcess {
  readonly child: ChildProcess;
  /** What it logged so far. */
  readonly log: () => string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/**
 * Starts an agent and waits until it runs.
 *
 * @param directory where its configuration, state and log go
 */
export async function startAgent(directory: string, config: Record<string, unknown>): Promise<AgentProcess> {
  const agent = spawnAgent(directory, config);
  let failed: number | string | null = null;
  void agent.ended.then((code) => {
    failed = code;
  });
  for await (const line of createInterface({ input: agent.child.stderr! })) {
    if (!line.includes('"the agent is running"')) continue;
    // The end of the loop pauses what it read from, and an agent whose log nobody takes stands still.
    setImmediate(() => agent.child.stderr!.resume());
    return agent;
  }
  throw new Error(`the agent did not start (${failed}): ${agent.log()}`);
}

/** Starts an agent without waiting for it. */
export function spawnAgent(directory: string, config: Record<string, unknown>): AgentProcess {
  const file = join(directory, 'agent.yaml');
  writeFileSync(file, stringify({ state_dir: join(directory, 'state'), ...config }));
  const child = spawn(process.execPath, [CLI, 'agent', '--config', file], {
    env: { ...process.env, ...AWS_ENV },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.add(child);
  let log = '';
  child.stderr!.on('data', (text: Buffer) => {
    log += text;
    appendFileSync(join(directory, 'agent.log'), text);
  });
  const ended = once(child, 'exit').then(([code, signal]) => {
    running.delete(child);
    return (code ?? signal) as number | string;
  });
  return { child, log: () => log, ended };
}

/** Runs another command of the CLI to its end. */
export async function tailrace(
  args: readonly string[],
  input = '',
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [CLI, ...args], { env: { ...process.env, ...AWS_ENV, ...env } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  return { code: code as number, stdout, stderr };
}

/** Asks the agent for its status. */
export async function statusOf(directory: string): Promise<Record<string, unknown>> {
  for await (const status of ask(join(directory, 'state'), { command: 'status' })) return status;
  throw new Error('the agent closed the connection');
}
