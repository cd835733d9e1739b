/**
 * `npm run package:functions`: templates and zips of both stacks, without an account or a network.
 *
 *     dist/stack/     everything (serverless.yml)
 *     dist/attach/    the drain alone, for groups that exist (serverless.attach.yml)
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DUCKDB_VERSION } from '../archive/duckdb.ts';
import { TailraceError } from '../base/errors.ts';
import { bundle } from './bundle.ts';
import { type DrainTimes, parametersProblem, settingsProblem, type TemplateParameter } from './limits.ts';

const ROOT = join(import.meta.dirname, '..');
/** In the folder of each package. */
export const TEMPLATE = 'cloudformation-template-update-stack.json';

export const OSLS = join(ROOT, 'node_modules', '.bin', 'osls');

export const STACKS = { stack: 'serverless.yml', attach: 'serverless.attach.yml' } as const;

/**
 * osls works in files next to its configuration: each packaging has a folder of its own for them, so that several may
 * run at once.
 *
 * @param out the folder in which each stack gets its own
 * @param parameters values for the params of serverless.yml, as `--param` takes them
 * @param options of osls, such as `--stage`
 */
export async function packageFunctions(
  out = join(ROOT, 'dist'),
  parameters: Readonly<Record<string, string | number>> = {},
  stacks: readonly (keyof typeof STACKS)[] = ['stack', 'attach'],
  options: readonly string[] = [],
): Promise<void> {
  const service = mkdtempSync(join(tmpdir(), 'tailrace-functions-'));
  try {
    await buildFunctions(join(service, 'dist', 'functions'), parameters);
    for (const name of ['infra', ...Object.values(STACKS)]) {
      cpSync(join(ROOT, name), join(service, name), { recursive: true });
    }
    const params = Object.entries(parameters).map(([name, value]) => `--param=${name}=${value}`);
    for (const stack of stacks) {
      const args = [
        'package',
        '--config',
        STACKS[stack],
        '--package',
        resolve(out, stack),
        ...params,
        ...options,
      ];
      const { status, stdout, stderr } = spawnSync(OSLS, args, {
        cwd: service,
        encoding: 'utf8',
        env: { ...process.env, SLS_TELEMETRY_DISABLED: '1', SLS_NOTIFICATIONS_MODE: 'off', CI: '1' },
      });
      if (status !== 0) {
        throw new TailraceError(
          'PACKAGE_FUNCTIONS',
          `${STACKS[stack]} could not be packaged:\n${stdout}${stderr}`,
        );
      }
      assertSettings(resolve(out, stack));
    }
  } finally {
    rmSync(service, { recursive: true, force: true });
  }
}

/** The functions' code in `folder`, with what must be next to it. */
export async function buildFunctions(
  folder: string,
  parameters: Readonly<Record<string, string | number>>,
): Promise<void> {
  if (parameters['compact'] === 'hourly') installDuckDb(join(folder, 'compact'));
  await bundle(folder);
}

/** @param params `name=value`, as `--param` takes them */
export function parametersOf(params: readonly string[]): Record<string, string> {
  return Object.fromEntries(params.map((text) => [text.split('=')[0]!, text.slice(text.indexOf('=') + 1)]));
}

/** Puts DuckDB for Lambda's system, whatever this one is, next to the function that loads it. */
function installDuckDb(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const system = ['--os=linux', '--cpu=arm64', '--libc=glibc'];
  const args = [
    'install',
    '--prefix',
    folder,
    '--no-save',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    ...system,
  ];
  const { status, stdout, stderr } = spawnSync('npm', [...args, `@duckdb/node-api@${DUCKDB_VERSION}`], {
    encoding: 'utf8',
  });
  if (status !== 0)
    throw new TailraceError(
      'PACKAGE_FUNCTIONS',
      `DuckDB ${DUCKDB_VERSION}, which compact=hourly needs, could not be installed:\n${stdout}${stderr}`,
    );
}

/**
 * @param directory of a packaged stack
 * @throws TailraceError CONFIG when its settings cannot work
 */
export function assertSettings(directory: string): void {
  const { Parameters } = JSON.parse(readFileSync(join(directory, TEMPLATE), 'utf8')) as {
    Parameters: Record<string, TemplateParameter>;
  };
  const seconds = (name: string): number => Number(Parameters[name]!.Default);
  const times: DrainTimes = {
    heartbeatSeconds: seconds('HeartbeatSeconds'),
    flushSeconds: seconds('FlushSeconds'),
    deliverySeconds: seconds('DeliverySeconds'),
    budgetSeconds: seconds('BudgetSeconds'),
    maxSends: seconds('MaxSends'),
  };
  const problem = settingsProblem(times) ?? parametersProblem(Parameters);
  if (problem !== null) throw new TailraceError('CONFIG', problem);
}

/** Where a packaged template expects its zips: the bucket and the folder in it. */
function zipsOf(directory: string): string {
  const template = JSON.parse(readFileSync(join(directory, TEMPLATE), 'utf8')) as {
    Resources: Record<string, { Properties?: { Code?: { S3Bucket: string; S3Key: string } } }>;
  };
  const { S3Bucket, S3Key } = Object.values(template.Resources).flatMap(({ Properties }) =>
    Properties?.Code ? [Properties.Code] : [],
  )[0]!;
  return `s3://${S3Bucket}/${dirname(S3Key)}/`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      stage: { type: 'string', default: 'dev' },
      region: { type: 'string', default: 'us-east-1' },
      param: { type: 'string', multiple: true, default: [] },
    },
  });
  const parameters = parametersOf(values.param);
  const options = [`--stage=${values.stage}`, `--region=${values.region}`];
  await packageFunctions(join(ROOT, 'dist'), parameters, ['stack', 'attach'], options);
  for (const stack of Object.keys(STACKS)) {
    const directory = join('dist', stack);
    process.stdout.write(`${directory}: template and zips, for ${zipsOf(join(ROOT, directory))}\n`);
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (!(error instanceof TailraceError || code.startsWith('ERR_PARSE_ARGS'))) throw error;
    process.stderr.write(`${message}\n`);
    process.exitCode = 2;
  }
}
