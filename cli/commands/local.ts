/** `tailrace local`: runs Kinesis, DynamoDB and S3 on this machine, for a developer's shell or for one command. */
import { spawn } from 'node:child_process';
import { Command, InvalidArgumentError } from 'commander';
import { whenNpmIsGone } from '../../base/npm-parent.ts';
import { endpointEnv } from '../../local/clients.ts';
import { serveArchive, startStack } from '../../local/stack.ts';
import { countArgument } from '../options.ts';

interface LocalOptions {
  readonly data: string;
  readonly archive?: string;
  readonly stream: string;
  readonly shards: number;
  readonly bucket: string;
  readonly application: string;
  readonly kinesisPort: number;
  readonly dynamodbPort: number;
  readonly s3Port: number;
}

export function command(): Command {
  return new Command('local')
    .description(
      'Run an embedded Kinesis, DynamoDB and S3 and print how to reach them, until Ctrl-C or for the length of a command.',
    )
    .argument(
      '[command...]',
      'run this command (after --) with the environment that reaches them, and stop when it exits',
    )
    .option('--data <dir>', 'the folder for their state', 'data')
    .option('--archive <dir>', 'run S3 alone, on the archive that an earlier run left in this folder')
    .option('--stream <name>', 'the stream', 'weblogs')
    .option('--shards <n>', 'shards of a new stream', countArgument, 4)
    .option('--bucket <name>', 'the bucket', 'logs')
    .option('--application <name>', 'the KCL application whose tables to prepare', 'tailrace')
    .option('--kinesis-port <n>', 'port; 0 for any free one', port, 0)
    .option('--dynamodb-port <n>', 'port; 0 for any free one', port, 0)
    .option('--s3-port <n>', 'port; 0 for any free one', port, 0)
    .addHelpText(
      'after',
      '\nExit codes: 0 clean stop, or that of the command; 1 a service failed; 2 bad usage, or a port or the folder is in use.',
    )
    .action(run);
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65535) {
    throw new InvalidArgumentError('Expected a port, 0 to 65535.');
  }
  return value;
}

async function run(args: readonly string[], options: LocalOptions): Promise<void> {
  const asked = new Promise<void>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve());
    whenNpmIsGone(resolve);
  });
  // What the services keep is private to their user; the command has the caller's umask.
  const mask = process.umask(0o077);
  const { env, died, stop } = await start(options);
  process.umask(mask);
  try {
    if (args.length > 0) process.exitCode = await Promise.race([died, runCommand(args, env)]);
    else {
      const lines = Object.entries(env).map(([name, value]) => `export ${name}=${value}\n`);
      process.stdout.write(lines.join(''));
      process.stderr.write('Paste these lines into another shell; press Ctrl-C here to stop.\n');
      await Promise.race([died, asked]);
    }
  } finally {
    await stop();
  }
}

interface Running {
  readonly env: Readonly<Record<string, string>>;
  readonly died: Promise<never>;
  stop(): Promise<void>;
}

async function start(options: LocalOptions): Promise<Running> {
  if (options.archive !== undefined) {
    const server = await serveArchive(options.archive, options.s3Port);
    return { env: endpointEnv({ s3: server.endpoint }), died: server.died, stop: server.stop };
  }
  const stack = await startStack({
    dataDir: options.data,
    shards: options.shards,
    streamName: options.stream,
    bucket: options.bucket,
    application: options.application,
    ports: { kinesis: options.kinesisPort, dynamodb: options.dynamodbPort, s3: options.s3Port },
    log: (message) => process.stderr.write(`${message}\n`),
  });
  const env = endpointEnv({
    kinesis: stack.kinesisEndpoint,
    dynamodb: stack.dynamodbEndpoint,
    s3: stack.s3Endpoint,
  });
  return { env, died: stack.died, stop: stack.stop };
}

/** @returns its exit code, as a shell would report it */
function runCommand(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(args[0]!, args.slice(1), { stdio: 'inherit', env: { ...process.env, ...env } });
    // The terminal delivers Ctrl-C to it; other signals are passed on.
    for (const name of ['SIGTERM', 'SIGHUP'] as const) process.on(name, () => child.kill(name));
    whenNpmIsGone(() => child.kill('SIGTERM'));
    child.once('error', (error) => {
      process.stderr.write(`${args[0]} cannot be run: ${error.message}\n`);
      resolve(127);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
