/** `tailrace local`: runs Kinesis, DynamoDB and S3 on this machine, for a developer's shell or for one command. */
import { Command, InvalidArgumentError } from 'commander';
import { TailraceError } from '../../base/errors.ts';
import { whenNpmIsGone } from '../../base/npm-parent.ts';
import { endpointEnv } from '../../local/clients.ts';
import { type Stack, type StackOptions, serveArchive, startStack } from '../../local/stack.ts';
import { countArgument } from '../options.ts';
import { runCommand } from '../run-command.ts';

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

/** What the services call by a name, and the names that they take. */
interface Naming {
  readonly form: RegExp;
  readonly says: string;
}
/** https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html */
const STREAM: Naming = {
  form: /^[A-Za-z0-9_.-]{1,128}$/,
  says: '1 to 128 letters, digits, underscores, dots and hyphens',
};
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET: Naming = {
  form: /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
  says: '3 to 63 lowercase letters, digits, dots and hyphens, the first and the last a letter or a digit',
};
/** Of a DynamoDB table; KCL appends up to 18 characters to the names of some. */
const TABLE: Naming = {
  form: /^[A-Za-z0-9_.-]{3,237}$/,
  says: '3 to 237 letters, digits, underscores, dots and hyphens',
};
/** Of the embedded Kinesis. */
const MOST_SHARDS = 1000;

export function command(): Command {
  return new Command('local')
    .description(
      'Run an embedded Kinesis, DynamoDB and S3, until Ctrl-C or while a command runs, and print the environment variables that reach them.',
    )
    .argument(
      '[command...]',
      'run this command (after --) with the environment that reaches them, and stop when it exits',
    )
    .option('--data <dir>', 'the folder that holds their state', 'data')
    .option('--archive <dir>', 'run only S3, on the archive that an earlier run left in this folder')
    .option('--stream <name>', 'the stream', name(STREAM), 'weblogs')
    .option('--shards <n>', 'shards of a new stream', shards, 4)
    .option('--bucket <name>', 'the bucket', name(BUCKET), 'logs')
    .option('--application <name>', 'the KCL application whose tables are prepared', name(TABLE), 'tailrace')
    .option('--kinesis-port <n>', 'port; 0 picks a free one', port, 0)
    .option('--dynamodb-port <n>', 'port; 0 picks a free one', port, 0)
    .option('--s3-port <n>', 'port; 0 picks a free one', port, 0)
    .addHelpText(
      'after',
      '\nExit codes: 0 clean stop, or that of the command; 1 a service failed; 2 bad usage, or a port or the folder is in use.',
    )
    .action(run);
}

/** The argument parser of an option that is a name. */
function name({ form, says }: Naming): (text: string) => string {
  return (text) => {
    if (!form.test(text)) throw new InvalidArgumentError(`Expected ${says}.`);
    return text;
  };
}

function shards(text: string): number {
  const value = countArgument(text);
  if (value > MOST_SHARDS) throw new InvalidArgumentError(`Expected at most ${MOST_SHARDS} shards.`);
  return value;
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
  const stack = await started({
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

/** @throws TailraceError CHILD_FAILED also when a service refuses what it is asked to make */
async function started(options: StackOptions): Promise<Stack> {
  try {
    return await startStack(options);
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: object };
    if ($metadata === undefined) throw error;
    throw new TailraceError('CHILD_FAILED', `the embedded stack cannot be made: ${name}: ${message}`, {
      cause: error,
    });
  }
}
