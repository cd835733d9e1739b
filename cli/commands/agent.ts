/** `tailrace agent`: runs the agent until a signal ends it. */
import { Command } from 'commander';
import { pino } from 'pino';
import { Agent } from '../../producer/agent.ts';
import { agentConfig } from '../../producer/config.ts';
import { loadConfig } from '../config.ts';

export function command(): Command {
  return new Command('agent')
    .description('Follows log files, takes events of fluentd clients, and ships both to Kinesis.')
    .requiredOption('-c, --config <file>', 'the configuration, YAML')
    .addHelpText(
      'after',
      '\nLogs go to stderr as JSON. SIGTERM and SIGINT send what is left and end; a second one ends at once.\nExit codes: 0 all sent, 1 failed, 2 bad configuration, 3 something is left in the spool.',
    )
    .action(run);
}

async function run(options: { config: string }): Promise<void> {
  const config = loadConfig(options.config, agentConfig);
  const log = pino({ level: config.log_level, base: null }, pino.destination({ fd: 2, sync: true }));
  const agent = await Agent.start(config, log);
  log.info(
    { ...agent.status().spool, state_dir: config.state_dir, stream: config.stream.name },
    'the agent runs',
  );

  const signal = new Promise<null>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve(null));
  });
  const failure = await Promise.race([agent.failed, signal]);
  if (failure !== null) process.exit(failure);

  const atOnce = (): void => {
    log.warn('a second signal: the agent ends at once, the spool keeps what is left');
    process.exit(3);
  };
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, atOnce);
  log.info({ timeout_ms: config.stop_timeout }, 'sending what is left');
  const stopped = await Promise.race([agent.stop(Date.now() + config.stop_timeout), agent.failed]);
  if (typeof stopped === 'number') process.exit(stopped);
  const left = stopped.chunks > 0 || stopped.quarantined > 0;
  if (left) log.warn(stopped, 'the agent ends; the spool keeps what is left');
  else log.info('the agent ends; everything is acknowledged');
  process.exit(left ? 3 : 0);
}
