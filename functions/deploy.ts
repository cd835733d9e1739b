/**
 * `npm run deploy`: packages a stack, refuses settings that cannot work, and deploys it; options are those of osls.
 * The region comes from --region or the environment, and its prefix lists from EC2 unless they are given.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DescribeManagedPrefixListsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { TailraceError } from '../base/errors.ts';
import { bundle } from './bundle.ts';
import { assertSettings, OSLS } from './package.ts';

const ROOT = join(import.meta.dirname, '..');

function osls(args: readonly string[]): void {
  const { status } = spawnSync(OSLS, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new TailraceError('PACKAGE_FUNCTIONS', `osls ${args[0]} failed; see above`);
}

/** The parameters that name the region's prefix lists of S3 and DynamoDB, those that were not given. */
async function prefixLists(region: string, given: readonly string[]): Promise<string[]> {
  const ec2 = new EC2Client({ region });
  const parameters: string[] = [];
  for (const [service, parameter] of [
    ['s3', 's3PrefixListId'],
    ['dynamodb', 'dynamoDbPrefixListId'],
  ]) {
    if (given.some((one) => one.startsWith(`${parameter}=`))) continue;
    const name = `com.amazonaws.${region}.${service}`;
    const { PrefixLists = [] } = await ec2.send(
      new DescribeManagedPrefixListsCommand({ Filters: [{ Name: 'prefix-list-name', Values: [name] }] }),
    );
    const [list] = PrefixLists;
    if (!list) {
      throw new TailraceError('CONFIG', `no prefix list ${name}: give --param='${parameter}=pl-…'`);
    }
    parameters.push(`--param=${parameter}=${list.PrefixListId}`);
  }
  return parameters;
}

async function main(given: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...given],
    options: {
      config: { type: 'string', default: 'serverless.yml' },
      region: { type: 'string' },
      param: { type: 'string', multiple: true, default: [] },
    },
    strict: false,
  });
  const { AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  const region = (values.region as string | undefined) ?? AWS_REGION ?? AWS_DEFAULT_REGION;
  if (region === undefined) throw new TailraceError('CONFIG', 'no region: give --region, or set AWS_REGION');
  const attach = values.config === 'serverless.attach.yml';
  const args = [...given];
  if (values.region === undefined) args.push('--region', region);
  if (!attach) args.push(...(await prefixLists(region, values.param as string[])));
  const directory = join('dist', attach ? 'attach' : 'stack');
  await bundle();
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
