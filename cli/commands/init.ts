/** `tailrace init`: writes a configuration from what it finds on this host. */
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Argument, Command } from 'commander';
import { TailraceError } from '../../base/errors.ts';
import { systemReason } from '../../base/system-error.ts';
import { agentConfig } from '../../producer/config.ts';
import { Metadata } from '../../producer/instance/metadata.ts';
import { loadConfig } from '../config.ts';
import { agentYaml, consumerYaml, type FoundLog, PHP_LOG } from '../init-config.ts';
import {
  accessLogs,
  errorLogs,
  includes,
  inputFormat,
  type LeftOut,
  leftOut,
  tagsOf,
} from '../nginx-conf.ts';

interface Options {
  readonly output?: string;
  readonly stream: string;
  readonly bucket: string;
  readonly region?: string;
  readonly nginx?: string;
  readonly stateDir: string;
}

/** Logs of other servers, and of PHP, where distributions put them. */
const USUAL: readonly Omit<FoundLog, 'from'>[] = [
  { path: '/var/log/apache2/access.log', tag: 'apache.access', format: 'apache2' },
  { path: '/var/log/httpd/access_log', tag: 'apache.access', format: 'apache2' },
  { path: '/var/log/apache2/error.log', tag: 'apache.error', format: 'apache_error' },
  { path: '/var/log/httpd/error_log', tag: 'apache.error', format: 'apache_error' },
  { path: '/var/log/nginx/error.log', tag: 'nginx.error', format: 'nginx_error' },
  { path: '/var/log/php*-fpm.log', tag: 'php.fpm', ...PHP_LOG },
  { path: '/var/log/php-fpm/error.log', tag: 'php.fpm', ...PHP_LOG },
  { path: '/var/log/php-fpm/www-error.log', tag: 'php.error', ...PHP_LOG },
];
const NGINX = '/etc/nginx/nginx.conf';
const METADATA = 'http://169.254.169.254';

export function command(): Command {
  return new Command('init')
    .description(
      "Write a commented agent.yaml from nginx's, Apache's and PHP's logs on this host, or a consumer.yaml.",
    )
    .addArgument(
      new Argument('[kind]', 'which configuration').choices(['agent', 'consumer']).default('agent'),
    )
    .option('-o, --output <file>', 'write it to this file, which must not exist, and check it')
    .option('--stream <name>', 'the stream', 'weblogs')
    .option('--bucket <name>', 'the bucket of the archive, for consumer.yaml', 'my-log-archive')
    .option('--region <name>', 'the region (default: AWS_REGION, or where this instance is)')
    .option('--nginx <file>', `nginx's configuration (default: ${NGINX}, where it exists)`)
    .option('--state-dir <dir>', 'the state directory of the agent', '/var/lib/tailrace')
    .addHelpText(
      'after',
      '\nExit codes: 0 written, 1 it could not be written, 2 bad usage, or the file exists.',
    )
    .action(run);
}

async function run(kind: 'agent' | 'consumer', options: Options): Promise<void> {
  const { output, stream, bucket } = options;
  if (output !== undefined && existsSync(output))
    throw new TailraceError('CONFIG', `${output} exists: move it, or choose another name`);
  const [region, regionFrom] = await regionOf(options.region);
  const text =
    kind === 'agent'
      ? agentYaml({
          stateDir: resolve(options.stateDir),
          stream,
          region,
          regionFrom,
          ...foundLogs(options.nginx),
        })
      : consumerYaml({ stream, region, regionFrom, bucket });
  if (output === undefined) {
    process.stdout.write(text);
    return;
  }
  // An agent's may come to hold secrets of forward clients.
  writeFileSync(output, text, { mode: 0o640, flag: 'wx' });
  process.stderr.write(`wrote ${output}\n`);
  if (kind === 'consumer') {
    process.stderr.write(`next: tailrace consumer --check --config ${output}\n`);
    return;
  }
  const { checkAgent } = await import('../agent-check.ts');
  await checkAgent(loadConfig(output, agentConfig));
  process.exitCode = 0;
}

/** @returns the region, and where it comes from */
async function regionOf(named: string | undefined): Promise<readonly [string, string]> {
  if (named !== undefined) return [named, 'as given'];
  const fromEnvironment = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
  if (fromEnvironment) return [fromEnvironment, 'from AWS_REGION'];
  const region = await new Metadata(METADATA).get('placement/region').catch(() => null);
  return region ? [region, 'where this instance is'] : ['us-east-1', 'not found on this host: set it'];
}

/** @param given nginx's configuration where it was named: then it must be one */
function foundLogs(given: string | undefined): { logs: FoundLog[]; leftOut: LeftOut[] } {
  const nginx = given ?? NGINX;
  if (given !== undefined && !existsSync(given))
    throw new TailraceError('CONFIG', `--nginx ${given}: no such file`);
  const text = readWithIncludes(nginx);
  const access = accessLogs(text);
  const errors = errorLogs(text);
  const accessTags = tagsOf(
    access.map(({ path }) => path),
    'access',
  );
  const errorTags = tagsOf(errors, 'error');
  const logs: FoundLog[] = [
    ...access.map(({ path, format }, i) => ({
      path,
      tag: accessTags[i]!,
      format: inputFormat(format),
      from: `access_log of ${nginx}`,
    })),
    ...errors.map((path, i) => ({
      path,
      tag: errorTags[i]!,
      format: 'nginx_error',
      from: `error_log of ${nginx}`,
    })),
  ];
  for (const log of USUAL) {
    const isKnown = logs.some(({ path, tag }) => path === log.path || tag === log.tag);
    if (!isKnown && globSync(log.path).length > 0) logs.push({ ...log, from: 'found on this host' });
  }
  return { logs, leftOut: leftOut(text) };
}

/** nginx.conf with the files that it includes behind it; empty where there is none. */
function readWithIncludes(file: string, depth = 0): string {
  if (!existsSync(file) || depth > 5) return '';
  const text = read(file);
  const files = includes(text).flatMap((pattern) =>
    globSync(join(pattern.startsWith('/') ? '' : dirname(file), pattern)),
  );
  return [text, ...files.map((each) => readWithIncludes(each, depth + 1))].join('\n');
}

/** @throws TailraceError CONFIG when it is a directory, or may not be read */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new TailraceError(
      'CONFIG',
      `nginx's configuration ${file} cannot be read: ${systemReason(cause)}`,
      { cause },
    );
  }
}
