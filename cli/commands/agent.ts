/** `tailrace agent`: runs the agent until a signal stops it. */
import { flushCompileCache } from 'node:module';
import { dirname } from 'node:path';
import { Command } from 'commander';
import { type Logger, pino } from 'pino';
import { TailraceError } from '../../base/errors.ts';
import { makeFolder } from '../../base/make-folder.ts';
import { whenNpmIsGone } from '../../base/npm-parent.ts';
import { systemReason } from '../../base/system-error.ts';
import { Agent } from '../../producer/agent.ts';
import { agentConfig } from '../../producer/config.ts';
import { nothingRemains, type Remaining } from '../../producer/flush/flush.ts';
import { checkAgent } from '../agent-check.ts';
import { loadConfig } from '../config.ts';
import { configOption } from '../options.ts';

export function command(): Command {
  return new Command('agent')
    .description('Follow log files, receive events from fluentd clients, and ship both to Kinesis.')
    .addOption(configOption('agent.yaml').makeOptionMandatory())
    .option(
      '--check',
      'check the configuration and the stream, list the files it would read with sample events, and exit',
    )
    .addHelpText(
      'after',
      '\nLogs go to stderr as JSON. On SIGTERM or SIGINT the agent sends what is left and exits; a second signal\nexits immediately. On SIGHUP it reloads log_level, seal, send and stop_timeout.\nExit codes: 0 everything sent, 1 failed, 2 bad configuration, 3 something is left in the spool.',
    )
    .action(run);
}

async function run(options: { config: string; check?: true }): Promise<void> {
  const config = loadConfig(options.config, agentConfig);
  if (options.check) {
    await checkAgent(config);
    return;
  }
  // Everything it writes is private to its user: spool, sockets, logs.
  process.umask(0o077);
  const destination = openLog(config.log_file);
  const log = pino({ level: config.log_level, base: null }, destination);
  // Installed before the start, so that a stop requested meanwhile is clean and SIGHUP does not end the process.
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
        'the new configuration was rejected; the agent continues with the old one',
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
    'the agent is running',
  );
  // Where Node keeps compiled programs: now rather than at the end, which a kill would leave out.
  flushCompileCache();
  const failure = await Promise.race([agent.failed, signal]);
  if (failure !== null) process.exit(failure);

  log.info({ timeout_ms: agent.stopTimeout }, 'sending what is left');
  const progress = (left: Remaining): void => log.info(left, 'still to send');
  const ended = agent.stop(performance.now() + agent.stopTimeout, progress).catch((error: Error) => {
    log.fatal({ err: error }, 'the agent could not stop cleanly; what is durable stays in the spool');
    return 1;
  });
  const stopped = await Promise.race([ended, agent.failed]);
  if (typeof stopped === 'number') process.exit(stopped);
  if (stopped !== null && nothingRemains(stopped.remaining)) {
    log.info('the agent is stopping; everything is acknowledged');
    process.exit(0);
  }
  log.warn(
    { ...stopped?.remaining, spilled: stopped?.spilled },
    'the agent is stopping; the spool keeps what is left',
  );
  process.exit(3);
}

/** Resolves at the first signal to stop; a second one ends the process immediately. */
function endSignal(log: Logger): Promise<null> {
  return new Promise((resolve) => {
    let asked = false;
    const ask = (): void => {
      if (asked) {
        log.warn('second signal: exiting immediately, the spool keeps what is left');
        process.exit(3);
      }
      asked = true;
      resolve(null);
    };
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, ask);
    whenNpmIsGone(() => {
      if (!asked) ask();
    });
  });
}

/** Log lines kept while the disk is full; further ones are dropped. */
const WAITING_LOG_BYTES = 256 * 1024;

/**
 * @throws TailraceError CONFIG when the file cannot be opened
 */
function openLog(file: string | undefined): ReturnType<typeof pino.destination> {
  try {
    if (file !== undefined) makeFolder(dirname(file));
    const options = { dest: file ?? 2, sync: true, maxLength: WAITING_LOG_BYTES, mode: 0o600 };
    const destination = pino.destination(options);
    // A log that cannot be written, as on a full disk, must not stop the agent.
    destination.on('error', () => {});
    return destination;
  } catch (cause) {
    throw new TailraceError('CONFIG', `log_file: ${file} cannot be written: ${systemReason(cause)}`, {
      cause,
    });
  }
}
