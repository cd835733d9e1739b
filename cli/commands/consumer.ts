/** `tailrace consumer`: archives the stream until a signal stops it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Command } from 'commander';
import { pino } from 'pino';
import { describeStream, streamClient } from '../../archive/kinesis-stream.ts';
import { TailraceError } from '../../base/errors.ts';
import { whenNpmIsGone } from '../../base/npm-parent.ts';
import { missingRights } from '../../consumer/check.ts';
import { type ConsumerConfig, consumerSchema } from '../../consumer/config.ts';
import { classArchive } from '../../consumer/kcl/class-archive.ts';
import { javaVersion } from '../../consumer/kcl/daemon.ts';
import { Launcher } from '../../consumer/kcl/launcher.ts';
import { heapFor, heapOf, machineMemory } from '../../consumer/kcl/memory.ts';
import { ConfigError, loadConfig } from '../config.ts';
import { configOption } from '../options.ts';

const MiB = 1024 * 1024;

export function command(): Command {
  return consumerCommand();
}

/** @param child what serves the shards, instead of the consumer's own: for tests */
export function consumerCommand(child?: string): Command {
  return new Command('consumer')
    .description('Read the stream with the KCL and archive every chunk in S3 exactly once.')
    .addOption(configOption('consumer.yaml').makeOptionMandatory())
    .option('--check', 'check the configuration and what it needs, and exit')
    .addHelpText(
      'after',
      '\nLogs go to stderr as JSON. On SIGTERM or SIGINT the consumer commits what it has read and exits.\nExit codes: 0 clean stop, 1 the daemon died too often, 2 bad configuration, 4 killed at stop_timeout.',
    )
    .action((options) => run(options, child));
}

async function run(options: { config: string; check?: boolean }, child?: string): Promise<void> {
  const config = loadConfig(options.config, consumerSchema);
  if (config.batch.max_bytes > config.batch.memory) {
    throw new ConfigError(
      `${options.config}: batch.max_bytes: is more than batch.memory, which all shards share`,
    );
  }
  const java = checkJava(config);
  const classPath = await findJars(config);
  const stream = await checkStream(options.config, config);
  if (options.check) {
    checkFit(options.config, config, stream.openShards);
    const missing = await missingRights(config);
    if (missing.length > 0)
      throw new ConfigError(missing.map((line) => `${options.config}: ${line}`).join('\n'));
    process.stdout.write(`${options.config}: fine\n`);
    return;
  }
  // Everything it and the daemon write is private to its user, a JVM crash dump included.
  process.umask(0o077);
  const log = pino(
    { level: config.log_level, base: { pid: process.pid } },
    pino.destination({ fd: 2, sync: true }),
  );
  const launcher = new Launcher({
    config,
    classPath,
    classArchive: classArchive(java, classPath),
    log,
    child,
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => launcher.stop());
  whenNpmIsGone(() => launcher.stop());
  const code = await launcher.run();
  // A request that is never answered would keep this process alive.
  process.exit(code);
}

function checkJava({ java }: ConsumerConfig): string {
  try {
    return javaVersion(java.command);
  } catch (error) {
    throw new ConfigError((error as Error).message, error);
  }
}

/** KCL's jars: from java.jars, or TAILRACE_JARS, or downloaded by set-up. */
async function findJars({ java }: ConsumerConfig): Promise<string> {
  const directory = java.jars ?? process.env.TAILRACE_JARS;
  if (directory === undefined) {
    const { ensureJars } = await import('../../consumer/kcl/jars.ts');
    return (await ensureJars()).classPath;
  }
  const jars = fs.existsSync(directory)
    ? fs.readdirSync(directory).filter((name) => name.endsWith('.jar'))
    : [];
  if (!jars.some((name) => name.startsWith('amazon-kinesis-client-multilang-'))) {
    throw new ConfigError(
      `java.jars: ${directory} does not contain amazon-kinesis-client-multilang: run the set-up, or name the folder that does`,
    );
  }
  // In one order wherever the folder is: Java takes its archive of classes for this very path alone.
  return jars
    .sort()
    .map((name) => path.join(directory, name))
    .join(':');
}

async function checkStream(file: string, { stream }: ConsumerConfig): Promise<{ openShards: number }> {
  const client = streamClient(stream, 3);
  try {
    return await describeStream(client, stream);
  } catch (error) {
    if (error instanceof TailraceError)
      throw new ConfigError(`${file}: stream.name: ${error.message}`, error);
    const where = stream.endpoint ?? `Kinesis in ${stream.region}`;
    const { name, message, code, $metadata } = error as NodeJS.ErrnoException & {
      readonly $metadata?: { readonly httpStatusCode?: number };
    };
    if (code === 'ERR_HTTP2_ERROR' && stream.endpoint !== undefined) {
      throw new ConfigError(
        `${file}: stream.endpoint: ${where} does not speak HTTP/2, which the KCL needs (agents use HTTP/1.1): put an HTTP/2 front before it`,
        error,
      );
    }
    const what = $metadata?.httpStatusCode === undefined ? 'cannot be reached' : `answers ${name}`;
    throw new ConfigError(`${file}: stream: ${where} ${what}: ${message || name}`, error);
  } finally {
    client.destroy();
  }
}

/** Rejects settings too small for a worker that gets every shard. */
function checkFit(file: string, config: ConsumerConfig, openShards: number): void {
  const shards = Math.min(openShards, config.kcl.max_leases ?? openShards);
  const perShard = config.batch.memory / Math.max(1, shards);
  if (perShard < MiB) {
    throw new ConfigError(
      `${file}: batch.memory: ${shards} shards would have less than 1 MiB each: raise it, or set kcl.max_leases`,
    );
  }
  const heapNeeded = heapFor(shards);
  if (heapOf(config, machineMemory()) < heapNeeded) {
    throw new ConfigError(
      `${file}: java.heap: ${shards} shards need ${Math.ceil(heapNeeded / MiB)}MiB: raise it, or set kcl.max_leases`,
    );
  }
}
