/** `tailrace status`: shows what the agent of a state directory is doing. */
import { Command } from 'commander';
import { ask } from '../../producer/control/protocol.ts';

export function command(): Command {
  return new Command('status')
    .description('Shows what the running agent has read, sealed, sent and still holds.')
    .option('-s, --state <directory>', "the agent's state directory", '/var/lib/tailrace')
    .option('--json', 'print the whole status as JSON')
    .action(run);
}

async function run({ state, json }: { state: string; json?: true }): Promise<void> {
  for await (const status of ask(state, { command: 'status' })) {
    process.stdout.write(
      json ? `${JSON.stringify(status, null, 2)}\n` : describe(status as unknown as AgentStatus),
    );
  }
}

type AgentStatus = import('../../producer/agent.ts').AgentStatus;

function describe({ pid, host, state, reasons, inputs, sealed, acknowledged, spool }: AgentStatus): string {
  const lines = [`agent ${pid} on ${host}: ${state}`, ...reasons.map((reason) => `  ! ${reason}`)];
  for (const [name, counters] of Object.entries(inputs)) {
    const numbers = Object.entries(counters).map(
      ([counter, value]) => `${counter.replace(/_total$/, '')} ${value}`,
    );
    lines.push(`  input ${name}: ${numbers.join(', ')}`);
  }
  lines.push(
    `  sealed ${sealed.events} events in ${sealed.chunks} chunks, ${sealed.bytes} bytes`,
    `  acknowledged ${acknowledged.events} events in ${acknowledged.chunks} chunks, ${acknowledged.records} records`,
    `  spool ${spool.chunks} chunks, ${spool.bytes} bytes, oldest ${Math.round(spool.oldest_age_ms / 1000)} s`,
  );
  return `${lines.join('\n')}\n`;
}
