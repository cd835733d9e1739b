/** `npm run deploy`: what it reads of the options, in every form that osls takes them, and what it refuses. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deployOptions, lookUpProblem } from '../../../functions/deploy-options.ts';

const NO_ENVIRONMENT = {};

test('the region by its long and short name, or from the environment, which osls is then given', () => {
  const forms = [['--region', 'eu-west-1'], ['--region=eu-west-1'], ['-r', 'eu-west-1'], ['-reu-west-1']];
  for (const form of forms) {
    const { region, args } = deployOptions([...form, '--stage', 'prod'], { AWS_REGION: 'us-west-2' });
    assert.deepEqual([region, args], ['eu-west-1', [...form, '--stage', 'prod']]);
  }
  const { region, args } = deployOptions(['-s', 'prod'], { AWS_DEFAULT_REGION: 'us-west-2' });
  assert.deepEqual([region, args], ['us-west-2', ['-s', 'prod', '--region', 'us-west-2']]);
  assert.throws(() => deployOptions([], NO_ENVIRONMENT), /no region: give --region/);
});

test('the stack by the name of its file, wherever that is; params and profile', () => {
  const stackOf = (...args: string[]) => deployOptions(args, { AWS_REGION: 'us-east-1' }).stack;
  assert.equal(stackOf(), 'stack');
  assert.equal(stackOf('--config', 'serverless.attach.yml', '--param=group1=web'), 'attach');
  assert.equal(stackOf('-c', './serverless.attach.yml', '--param', 'group1=web'), 'attach');
  assert.equal(stackOf('--config=/repo/serverless.yml'), 'stack');
  assert.throws(() => stackOf('-c', 'other.yml'), /expected serverless\.yml or serverless\.attach\.yml/);
  const options = deployOptions(
    ['--param', 'shards=1', '--param=s3PrefixListId=pl-1', '--aws-profile', 'ops', '--verbose', '-r', 'x'],
    NO_ENVIRONMENT,
  );
  assert.deepEqual([options.params, options.profile], [['shards=1', 's3PrefixListId=pl-1'], 'ops']);
});

test('an option without its value is refused by its name', () => {
  for (const args of [
    ['--region'],
    ['--region', '--stage', 'prod'],
    ['--region='],
    ['--stage', 'prod', '--param'],
    ['-c'],
  ]) {
    assert.throws(
      () => deployOptions(args, { AWS_REGION: 'us-east-1' }),
      /^TailraceError: --(region|param|config) needs a value$/,
      args.join(' '),
    );
  }
  assert.throws(() => deployOptions(['-p', 'x'], { AWS_REGION: 'us-east-1' }), /--package is set/);
});

test('a param that is not there, or that chooses what is not there, is refused by its name', () => {
  const given = (param: string, ...args: string[]) =>
    deployOptions(['--param', param, '-r', 'eu-west-1', ...args], NO_ENVIRONMENT);
  const refused: [param: string, reason: RegExp][] = [
    ['maxsends=3', /--param='maxsends=3': there is no such param; did you mean maxSends\?$/],
    ['group1=web', /'group1=web': there is no such param/],
    ['sizeOfTheMoon=1', /no such param; all of them are at the head of the configuration$/],
    ['shards', /'shards': expected name=value$/],
    ['=4', /'=4': expected name=value$/],
    ['archiver=lambda', /'archiver=lambda': expected worker or function$/],
    ['compact=daily', /'compact=daily': expected none or hourly$/],
  ];
  for (const [param, reason] of refused) assert.throws(() => given(param), reason, param);
  given('group1=web', '-c', 'serverless.attach.yml');
  assert.throws(
    () => given('group2=web', '-c', 'serverless.attach.yml'),
    /no group is named: give --param='group1=…'/,
  );
  given('alertEmail=a=b@example.org');
});

test('a stage that no bucket can be named by is refused', () => {
  const at = (stage: string) => () => deployOptions(['-s', stage, '-r', 'ap-southeast-1'], NO_ENVIRONMENT);
  for (const stage of ['Prod', 'prod_1', 'pröd', 'prod.eu', 'a--b', 'prod-'])
    assert.throws(at(stage), /buckets are named by it/, stage);
  // A bucket's name of 63: tailrace-STAGE-archive-123456789012-ap-southeast-1.
  at('a'.repeat(18))();
  assert.throws(at('a'.repeat(19)), /at most 18 characters in ap-southeast-1/);
});

test('missing credentials and a missing right say what to do', () => {
  const failed = (name: string) => Object.assign(new Error('some text'), { name });
  assert.match(lookUpProblem('x', failed('CredentialsProviderError')), /no AWS credentials.*AWS_PROFILE/);
  const denied = lookUpProblem('eu-west-1', failed('UnauthorizedOperation'));
  assert.match(denied, /eu-west-1 .*UnauthorizedOperation: some text.*ec2:DescribeManagedPrefixLists/);
});

test('compact=hourly installs DuckDB for the function, whose code is not deployed without it', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-deploy-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'npm'), `#!/bin/sh\necho "$@" > ${folder}/asked; exit 1\n`, { mode: 0o755 });
  const params = ['compact=hourly', 's3PrefixListId=pl-1', 'dynamoDbPrefixListId=pl-2'];
  const args = ['--region', 'us-east-1', ...params.map((param) => `--param=${param}`)];
  const deploy = join(import.meta.dirname, '../../../functions/deploy.ts');
  const { status, stderr } = spawnSync(process.execPath, [deploy, ...args], {
    encoding: 'utf8',
    // Nothing else is found, osls neither.
    env: { PATH: folder },
  });
  assert.equal(status, 2, stderr);
  assert.match(stderr, /DuckDB .* could not be installed/);
  assert.match(readFileSync(join(folder, 'asked'), 'utf8'), /--os=linux --cpu=arm64 .*@duckdb\/node-api@/);
});
