/**
 * `npm run deploy`: packages a stack, refuses settings that cannot work, and deploys it; options are those of osls.
 * The region comes from --region or the environment, and its prefix lists from EC2 unless they are given.
 */
import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { DescribeManagedPrefixListsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { TailraceError } from '../base/errors.ts';
import { type DeployOptions, deployOptions, lookUpProblem } from './deploy-options.ts';
import { assertSettings, buildFunctions, OSLS, parametersOf } from './package.ts';

const ROOT = join(import.meta.dirname, '..');

/** Ends this command as osls ends when that fails. */
function osls(args: readonly string[]): void {
  const { status, signal, error } = spawnSync(OSLS, args, { cwd: ROOT, stdio: 'inherit' });
  if (status === 0) return;
  process.stderr.write(`osls ${args[0]} failed${error ? `: ${error.message}` : '; see above'}\n`);
  process.exit(status ?? (signal === null ? 1 : 128 + constants.signals[signal]));
}

/** The parameters that name the region's prefix lists of S3 and DynamoDB, those that were not given. */
async function prefixLists({ region, params, profile }: DeployOptions): Promise<string[]> {
  const ec2 = new EC2Client({ region, ...(profile === undefined ? {} : { profile }) });
  const parameters: string[] = [];
  for (const [service, parameter] of [
    ['s3', 's3PrefixListId'],
    ['dynamodb', 'dynamoDbPrefixListId'],
  ]) {
    if (params.some((one) => one.startsWith(`${parameter}=`))) continue;
    const name = `com.amazonaws.${region}.${service}`;
    const { PrefixLists = [] } = await ec2
      .send(
        new DescribeManagedPrefixListsCommand({ Filters: [{ Name: 'prefix-list-name', Values: [name] }] }),
      )
      .catch((error: unknown) => {
        throw new TailraceError('CONFIG', lookUpProblem(region, error), { cause: error });
      });
    const [list] = PrefixLists;
    if (!list) {
      throw new TailraceError('CONFIG', `no prefix list ${name}: give --param='${parameter}=pl-…'`);
    }
    parameters.push(`--param=${parameter}=${list.PrefixListId}`);
  }
  return parameters;
}

async function main(given: readonly string[]): Promise<void> {
  if (given.includes('--help') || given.includes('-h')) return osls(['deploy', '--help']);
  const options = deployOptions(given, process.env);
  const args = [...options.args];
  if (options.stack === 'stack') args.push(...(await prefixLists(options)));
  const directory = join('dist', options.stack);
  await buildFunctions(join(ROOT, 'dist', 'functions'), parametersOf(options.params));
  osls(['package', '--package', directory, ...args]);
  assertSettings(join(ROOT, directory));
  osls(['deploy', '--package', directory, ...args]);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof TailraceError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
