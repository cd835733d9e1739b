/** `tailrace flush`: makes the running agent read, seal and send all it has. */
import { Command } from 'commander';
import { parseDuration } from '../../chunk/units.ts';
import type { Remaining } from '../../producer/agent.ts';
import { ask } from '../../producer/control/protocol.ts';
import { ConfigError } from '../config.ts';

export function command(): Command {
  return new Command('flush')
    .description('Reads every input to its end and waits until Kinesis has acknowledged all of it.')
    .option('-s, --state <directory>', "the agent's state directory", '/var/lib/tailrace')
    .option('-t, --timeout <duration>', 'give up after this time, e.g. 30s, 10m', '10m')
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing is left, 1 no agent answered, 2 bad usage, 3 something is left.',
    )
    .action(run);
}

async function run({ state, timeout }: { state: string; timeout: string }): Promise<void> {
  const timeoutMs = parseDuration(timeout);
  if (timeoutMs === null)
    throw new ConfigError(`--timeout: expected a duration such as 30s or 10m, not ${timeout}`);
  for await (const answer of ask(state, { command: 'flush', timeout_ms: timeoutMs })) {
    const { chunks, bytes, quarantined } = answer['remaining'] as Remaining;
    if (!answer['done']) {
      process.stderr.write(`${chunks} chunks, ${bytes} bytes to go\n`);
    } else if (chunks > 0 || quarantined > 0) {
      process.stderr.write(
        `left: ${chunks} chunks, ${bytes} bytes in the spool, ${quarantined} in quarantine\n`,
      );
      process.exitCode = 3;
    } else {
      process.stderr.write('nothing is left\n');
    }
  }
}
