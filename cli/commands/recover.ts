/** `tailrace recover`: sends what a dead agent left in its spool. */
import { Command } from 'commander';
import { pino } from 'pino';
import { TailraceError } from '../../base/errors.ts';
import { bytes, count, plain } from '../../base/human.ts';
import { streamName, streamRegion } from '../../base/stream-target.ts';
import { agentConfig } from '../../producer/config.ts';
import { recover } from '../../producer/recover.ts';
import type { StreamOptions } from '../../producer/sender/stream.ts';
import { loadConfig } from '../config.ts';
import { configOption, endpointOption, timeoutOption } from '../options.ts';

interface Options {
  readonly state?: string;
  readonly config?: string;
  readonly stream?: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly timeout: number;
}

export function command(): Command {
  return new Command('recover')
    .description('Send what a dead agent left in its spool, from its own host or any host that has its disk.')
    .option('-s, --state <directory>', "the dead agent's state directory (default: that of --config)")
    .addOption(configOption('agent.yaml of the dead agent, for the stream and the state directory'))
    .option('--stream <name>', 'the stream, or its ARN for one of another account, without --config')
    .option('--region <region>', 'its region, without --config')
    .addOption(endpointOption('the endpoint, if it is not that of AWS'))
    .addOption(timeoutOption('give up after this time', '10m'))
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing is left, 1 failed, 2 bad usage, or an agent is running there, 3 something is left.',
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { stateDir, stream } = source(options);
  process.umask(0o077);
  const log = pino({ level: 'warn', base: null }, pino.destination({ fd: 2, sync: true }));
  const left = await recover(
    { stateDir, stream, deadline: performance.now() + options.timeout },
    log,
    ({ chunks, trouble }) => {
      process.stderr.write(
        `${count(chunks)} chunks remaining${trouble === null ? '' : `: ${plain(trouble)}`}\n`,
      );
    },
  );
  if (left.chunks === 0 && left.quarantined === 0) {
    process.stderr.write('nothing is left\n');
    return;
  }
  process.stderr.write(
    `left: ${count(left.chunks)} chunks, ${bytes(left.bytes)}, ${count(left.quarantined)} damaged ranges in quarantine\n`,
  );
  process.exitCode = 3;
}

function source({ state, config, stream, region, endpoint }: Options): {
  stateDir: string;
  stream: StreamOptions;
} {
  if (config !== undefined) {
    const loaded = loadConfig(config, agentConfig);
    return { stateDir: state ?? loaded.state_dir, stream: loaded.stream };
  }
  const named = region ?? streamRegion(stream ?? '');
  if (state === undefined || stream === undefined || named === undefined) {
    throw new TailraceError('CONFIG', 'name the agent with --config, or with --state, --stream and --region');
  }
  const arn = stream.startsWith('arn:') ? stream : undefined;
  return { stateDir: state, stream: { name: streamName(stream), region: named, arn, endpoint } };
}
