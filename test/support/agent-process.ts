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
import { type AgentStatus, agentStatus } from '../../producer/status.ts';

/** Running agents; those that a failed test leaves behind are stopped with its file. */
const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill('SIGKILL');
});

export const CLI = join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');

/** Dummy credentials and settings for SDK clients that talk to a test double. */
export const AWS_ENV = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
};

/** A folder that is removed after the test. */
export function temporaryDirectory(context: { after: (done: () => void) => void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface AgentProcess {
  readonly child: ChildProcess;
  /** What it has logged so far. */
  readonly log: () => string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/**
 * Starts an agent and waits until it is running.
 *
 * @param directory the folder for its configuration, state and log
 */
export async function startAgent(directory: string, config: Record<string, unknown>): Promise<AgentProcess> {
  const agent = spawnAgent(directory, config);
  let failed: number | string | null = null;
  void agent.ended.then((code) => {
    failed = code;
  });
  for await (const line of createInterface({ input: agent.child.stderr! })) {
    if (!line.includes('"the agent is running"')) continue;
    // Leaving the loop pauses the stream, and an agent whose log is not read would block.
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

/** Runs another CLI command to completion. */
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
export async function statusOf(directory: string): Promise<AgentStatus> {
  for await (const status of ask(join(directory, 'state'), { command: 'status' }))
    return agentStatus.parse(status);
  throw new Error('the agent closed the connection');
}
