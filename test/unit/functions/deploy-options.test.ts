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
  assert.equal(stackOf('--config', 'serverless.attach.yml'), 'attach');
  assert.equal(stackOf('-c', './serverless.attach.yml'), 'attach');
  assert.equal(stackOf('--config=/repo/serverless.yml'), 'stack');
  assert.throws(() => stackOf('-c', 'other.yml'), /expected serverless\.yml or serverless\.attach\.yml/);
  const options = deployOptions(
    ['--param', 'a=1', '--param=s3PrefixListId=pl-1', '--aws-profile', 'ops', '--verbose', '-r', 'x'],
    NO_ENVIRONMENT,
  );
  assert.deepEqual([options.params, options.profile], [['a=1', 's3PrefixListId=pl-1'], 'ops']);
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
