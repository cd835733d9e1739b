/** `tailrace tap`: shows the events of a running agent as they are sealed. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { TailraceError } from '../../base/errors.ts';
import { count, plain, plainLines } from '../../base/human.ts';
import { systemReason } from '../../base/system-error.ts';
import { SpoolTap } from '../../producer/spool/tap.ts';
import { configOption, countArgument, stateOption } from '../options.ts';
import { stateDirectory } from '../state-directory.ts';
import { Taps } from '../taps.ts';

const POLL_MS = 250;

interface Options {
  readonly state?: string;
  readonly config?: string;
  readonly tag?: string;
  readonly grep?: string;
  readonly limit: number;
  readonly tags?: true;
  readonly fromStart?: true;
}

export function command(): Command {
  return new Command('tap')
    .description(
      'Print the events of a running agent as they are sealed, as NDJSON and after every redaction, until Ctrl-C.',
    )
    .addOption(stateOption())
    .addOption(configOption('agent.yaml, to find the state directory'))
    .option('--tag <tag>', 'select this tag; * matches anything')
    .option('--grep <text>', 'print only events that contain this text')
    .option('--limit <n>', 'print at most this many events per second', countArgument, 100)
    .option('--tags', 'print the tag before each event')
    .option('--from-start', 'begin with what is in the spool already')
    .addHelpText(
      'after',
      '\nEvents appear once they are sealed, after seal.interval at the latest. Reads the spool and changes nothing.\nExit codes: 0 stopped by a signal, 2 bad usage, or no spool there.',
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const directory = join(stateDirectory(options), 'spool');
  const tap = new SpoolTap(directory, options.fromStart);
  const taps = new Taps(options);
  let stopped = false;
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      stopped = true;
    });
  let isAnnounced = !process.stderr.isTTY;
  while (!stopped) {
    const chunks = poll(tap, taps, directory);
    if (!isAnnounced)
      process.stderr.write(
        `events sealed in ${directory}${options.fromStart ? '' : ' from now on'}; Ctrl-C ends\n`,
      );
    isAnnounced = true;
    for (const { tag, line } of taps.select(chunks, performance.now()))
      process.stdout.write(
        `${options.tags ? `${plain(tag)}  ` : ''}${process.stdout.isTTY ? plainLines(line) : line}\n`,
      );
    const hidden = taps.takeHidden();
    if (hidden > 0) process.stderr.write(`${count(hidden)} more events, beyond --limit ${options.limit}\n`);
    await sleep(POLL_MS);
  }
}

function poll(tap: SpoolTap, taps: Taps, directory: string): ReturnType<SpoolTap['poll']> {
  try {
    return tap.poll((tag) => taps.wants(tag));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw error;
    throw new TailraceError(
      'CONFIG',
      `cannot read the spool of an agent in ${directory} (${systemReason(error)}): name its state directory with --state`,
    );
  }
}
