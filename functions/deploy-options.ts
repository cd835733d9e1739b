/** What `npm run deploy` reads of the options that it passes on to osls. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { TailraceError } from '../base/errors.ts';
import { paramsProblem, stageProblem } from './deploy-params.ts';
import { STACKS } from './package.ts';

const ROOT = join(import.meta.dirname, '..');

export interface DeployOptions {
  readonly region: string;
  /** Which stack the configuration makes. */
  readonly stack: keyof typeof STACKS;
  /** `name=value` of each `--param`. */
  readonly params: readonly string[];
  /** Of the credentials, where one is named. */
  readonly profile: string | undefined;
  /** All options for osls, the region among them. */
  readonly args: readonly string[];
}

/** Of both configurations. */
const DEFAULT_STAGE = 'dev';
const WITH_VALUE = ['config', 'region', 'stage', 'package', 'param', 'aws-profile'] as const;

/** @throws TailraceError CONFIG for an option without its value, a param or a stage that cannot work, and when no region is named anywhere */
export function deployOptions(
  given: readonly string[],
  { AWS_REGION, AWS_DEFAULT_REGION }: Readonly<Record<string, string | undefined>>,
): DeployOptions {
  const { values } = parseArgs({
    args: [...given],
    options: {
      config: { type: 'string', short: 'c', default: STACKS.stack },
      region: { type: 'string', short: 'r' },
      stage: { type: 'string', short: 's' },
      package: { type: 'string', short: 'p' },
      param: { type: 'string', multiple: true, default: [] },
      'aws-profile': { type: 'string' },
    },
    // Options of osls that nothing here needs are passed on as they are.
    strict: false,
  });
  for (const name of WITH_VALUE) {
    for (const value of [values[name]].flat()) {
      // Where nothing follows, the parser says true.
      const isValue = value === undefined || (typeof value === 'string' && /^[^-]/.test(value));
      if (!isValue) throw new TailraceError('CONFIG', `--${name} needs a value`);
    }
  }
  if (values.package !== undefined)
    throw new TailraceError(
      'CONFIG',
      '--package is set by this command: leave it out, or call npx osls deploy',
    );
  const region = (values.region as string | undefined) ?? AWS_REGION ?? AWS_DEFAULT_REGION;
  if (!region) throw new TailraceError('CONFIG', 'no region: give --region, or set AWS_REGION');
  const config = basename(values.config as string);
  const stack = (Object.keys(STACKS) as (keyof typeof STACKS)[]).find((name) => STACKS[name] === config);
  if (stack === undefined)
    throw new TailraceError('CONFIG', `--config ${config}: expected ${Object.values(STACKS).join(' or ')}`);
  const params = values.param as string[];
  const problem =
    paramsProblem(params, readFileSync(join(ROOT, STACKS[stack]), 'utf8')) ??
    stageProblem((values.stage as string | undefined) ?? DEFAULT_STAGE, region);
  if (problem !== null) throw new TailraceError('CONFIG', problem);
  return {
    region,
    stack,
    params,
    profile: values['aws-profile'] as string | undefined,
    args: values.region === undefined ? [...given, '--region', region] : [...given],
  };
}

/** Why the prefix lists of a region could not be looked up, and what helps. */
export function lookUpProblem(region: string, error: unknown): string {
  const { name, message } = error as Error;
  const instead = `or name them with --param='s3PrefixListId=pl-…' and --param='dynamoDbPrefixListId=pl-…'`;
  if (name === 'CredentialsProviderError')
    return `no AWS credentials were found: set AWS_PROFILE or log in, so that aws sts get-caller-identity answers, ${instead}`;
  return `the prefix lists of ${region} cannot be looked up (${name}: ${message}): allow ec2:DescribeManagedPrefixLists, ${instead}`;
}
