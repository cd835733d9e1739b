/** `tailrace status`: shows what the agent of a state directory is doing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { TailraceError } from '../../chunk/errors.ts';
import { ask } from '../../producer/control/protocol.ts';
import type { AgentStatus } from '../../producer/status.ts';
import { describeAgent } from '../agent-status.ts';

const WATCH_MS = 1000;
/** Cursor to the top left, and erase what is below (ECMA-48 CUP and ED). */
const HOME = '\u001b[H';
const ERASE_BELOW = '\u001b[J';
const CLEAR = '\u001b[2J';

export function command(): Command {
  return new Command('status')
    .description('Shows what the running agent has read, sealed, sent and still holds.')
    .option('-s, --state <directory>', "the agent's state directory", '/var/lib/tailrace')
    .option('--json', 'print the whole status as JSON')
    .option('-w, --watch', 'show it anew every second, with rates, until Ctrl-C')
    .addHelpText('after', '\nExit codes: 0 ready, 1 degraded or no agent answered, 2 bad usage.')
    .action(run);
}

async function run({ state, json, watch }: { state: string; json?: true; watch?: true }): Promise<void> {
  if (!watch) {
    const status = await statusOf(state);
    process.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : describeAgent(status, null));
    if (status.state !== 'ready') process.exitCode = 1;
    return;
  }
  const live = process.stdout.isTTY && !json;
  if (live) process.stdout.write(CLEAR);
  for (let before: AgentStatus | null = null; ; ) {
    const status = await statusOf(state);
    const text = json ? `${JSON.stringify(status)}\n` : describeAgent(status, before);
    process.stdout.write(live ? `${HOME}${text.replaceAll('\n', '\u001b[K\n')}${ERASE_BELOW}` : text);
    before = status;
    await sleep(WATCH_MS);
  }
}

async function statusOf(state: string): Promise<AgentStatus> {
  for await (const status of ask(state, { command: 'status' })) {
    if (status['state'] !== 'starting') return status as unknown as AgentStatus;
    throw new TailraceError('STARTING', `the agent with pid ${status['pid']} is only starting; try again`);
  }
  throw new TailraceError('STATUS', 'the agent closed the connection');
}
