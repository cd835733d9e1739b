/** `tailrace agent`: runs the agent until a signal ends it. */
import { Command } from 'commander';
import { type Logger, pino } from 'pino';
import { TailraceError } from '../../base/errors.ts';
import { Agent } from '../../producer/agent.ts';
import { agentConfig } from '../../producer/config.ts';
import { nothingRemains, type Remaining } from '../../producer/flush/flush.ts';
import { checkAgent } from '../agent-check.ts';
import { loadConfig } from '../config.ts';

export function command(): Command {
  return new Command('agent')
    .description('Follows log files, takes events of fluentd clients, and ships both to Kinesis.')
    .requiredOption('-c, --config <file>', 'the configuration, YAML')
    .option(
      '--check',
      'check the configuration and the stream, show which files would be read and five events of each, and end',
    )
    .addHelpText(
      'after',
      '\nLogs go to stderr as JSON. SIGTERM and SIGINT send what is left and end; a second one ends at once.\nSIGHUP reads the configuration again: log_level, seal, send and stop_timeout are taken over.\nExit codes: 0 all sent, 1 failed, 2 bad configuration, 3 something is left in the spool.',
    )
    .action(run);
}

async function run(options: { config: string; check?: true }): Promise<void> {
  const config = loadConfig(options.config, agentConfig);
  if (options.check) {
    await checkAgent(config);
    return;
  }
  // All that it writes is its own: spool, sockets, logs.
  process.umask(0o077);
  const destination = openLog(config.log_file);
  const log = pino({ level: config.log_level, base: null }, destination);
  // Before the start: who asks for the end meanwhile gets a clean one, and SIGHUP is none.
  const signal = endSignal(log);
  let agent: Agent | null = null;
  let asked = false;
  const reload = (): void => {
    asked = true;
    if (agent === null) return;
    try {
      agent.reload();
    } catch (error) {
      log.error(
        { reason: (error as Error).message },
        'the configuration was not taken; the agent goes on as it was',
      );
    }
  };
  process.on('SIGHUP', () => {
    if (config.log_file !== undefined) destination.reopen();
    reload();
  });
  agent = await Agent.start(config, log, {
    readConfig: () => loadConfig(options.config, agentConfig),
  });
  if (asked) reload();

  log.info(
    { ...agent.status().spool, state_dir: config.state_dir, stream: config.stream.name },
    'the agent runs',
  );
  const failure = await Promise.race([agent.failed, signal]);
  if (failure !== null) process.exit(failure);

  log.info({ timeout_ms: agent.stopTimeout }, 'sending what is left');
  const progress = (left: Remaining): void => log.info(left, 'still to send');
  const ended = agent.stop(performance.now() + agent.stopTimeout, progress).catch((error: Error) => {
    log.fatal({ err: error }, 'the agent could not end in order; what is durable stays in the spool');
    return 1;
  });
  const stopped = await Promise.race([ended, agent.failed]);
  if (typeof stopped === 'number') process.exit(stopped);
  if (stopped !== null && nothingRemains(stopped.remaining)) {
    log.info('the agent ends; everything is acknowledged');
    process.exit(0);
  }
  log.warn(
    { ...stopped?.remaining, spilled: stopped?.spilled },
    'the agent ends; the spool keeps what is left',
  );
  process.exit(3);
}

/** Resolves at the first signal that asks for the end; any further one ends the process at once. */
function endSignal(log: Logger): Promise<null> {
  return new Promise((resolve) => {
    let asked = false;
    const ask = (): void => {
      if (asked) {
        log.warn('a second signal: the agent ends at once, the spool keeps what is left');
        process.exit(3);
      }
      asked = true;
      resolve(null);
    };
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, ask);
  });
}

/** Log lines that wait for a full disk to have room; further ones are left out. */
const WAITING_LOG_BYTES = 256 * 1024;

/**
 * @throws TailraceError CONFIG when the file can't be opened
 */
function openLog(file: string | undefined): ReturnType<typeof pino.destination> {
  try {
    const options = { dest: file ?? 2, sync: true, mkdir: true, maxLength: WAITING_LOG_BYTES, mode: 0o600 };
    const destination = pino.destination(options);
    // A log that takes no more, as on a full disk, must not end what it tells of.
    destination.on('error', () => {});
    return destination;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new TailraceError('CONFIG', `log_file: ${file} can't be written (${code})`, { cause });
  }
}
