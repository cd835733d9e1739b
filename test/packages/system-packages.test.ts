/**
 * deb and rpm packages: what they hold, that two builds are equal byte by byte, and that an installation, an upgrade and a
 * removal keep what the agent has not sent.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { Arch } from '../../infra/package.ts';
import { buildSystemPackages } from '../../infra/system-packages.ts';
import { AWS_ENV } from '../support/agent-process.ts';
import { until } from '../support/consumer-process.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import { ThrowawayRoot } from '../support/throwaway-root.ts';

const SCRIPT = join(import.meta.dirname, '../../infra/system-packages.ts');
const folder = mkdtempSync(join(tmpdir(), 'packages-'));
after(() => rmSync(folder, { recursive: true }));

before(async () => {
  execFileSync(process.execPath, [SCRIPT, '--out', join(folder, 'one')]);
  await buildSystemPackages({
    of: 'agent',
    arch: arch() as Arch,
    out: join(folder, 'next'),
    version: '0.1.1',
  });
});

function built(build: 'one' | 'next', format: string): string {
  return join(build, readdirSync(join(folder, build)).find((name) => name.endsWith(`.${format}`))!);
}

test('two builds are equal byte by byte, and the sums are theirs', () => {
  execFileSync(process.execPath, [SCRIPT, '--out', join(folder, 'two')]);
  const names = readdirSync(join(folder, 'one')).sort();
  assert.deepEqual(
    names.map((name) => name.split('.').at(-1)),
    ['SHA256SUMS', 'rpm', 'json', 'deb'],
  );
  for (const name of names) {
    const [one, two] = ['one', 'two'].map((build) => readFileSync(join(folder, build, name)));
    assert.ok(one!.equals(two!), `${name} differs`);
  }
  const checked = execFileSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: join(folder, 'one') });
  assert.equal(String(checked).match(/: OK$/gm)?.length, 3);
});

test('the bill of materials names what is shipped, by version, and nothing of development', () => {
  const text = readFileSync(join(folder, 'one', 'tailrace.cdx.json'), 'utf8');
  const bill = JSON.parse(text) as { bomFormat: string; components: { name: string; version: string }[] };
  assert.equal(bill.bomFormat, 'CycloneDX');
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'),
  ) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
  const versions = new Map(bill.components.map(({ name, version }) => [name, version]));
  for (const [name, version] of Object.entries(dependencies)) assert.equal(versions.get(name), version, name);
  for (const name of Object.keys(devDependencies)) assert.ok(!versions.has(name), name);
});

test('the deb holds the program, its unit, configuration, manual pages and completion', (context) => {
  if (spawnSync('dpkg-deb', ['--version']).error) return context.skip('dpkg-deb is not installed');
  const deb = join(folder, built('one', 'deb'));
  const root = join(folder, 'root');
  execFileSync('dpkg-deb', ['-x', deb, root]);
  for (const file of [
    'usr/lib/systemd/system/tailrace.service',
    'etc/logrotate.d/tailrace',
    'usr/share/man/man1/tailrace-flush.1',
    'usr/share/bash-completion/completions/tailrace',
    'usr/share/tailrace/agent.schema.json',
  ])
    assert.ok(statSync(join(root, file)).isFile(), file);
  const config = join(root, 'etc/tailrace/agent.yaml');
  assert.equal(statSync(config).mode & 0o777, 0o640);
  const schema = /^# yaml-language-server: \$schema=(.*)\n/.exec(readFileSync(config, 'utf8'))?.[1];
  assert.ok(statSync(join(root, schema!)).isFile(), 'editors find the schema that the configuration names');
  const control = execFileSync('dpkg-deb', ['-I', deb, 'conffiles'], { encoding: 'utf8' });
  assert.deepEqual(control.trim().split('\n').sort(), [
    '/etc/logrotate.d/tailrace',
    '/etc/tailrace/agent.yaml',
  ]);
  assert.match(deb, /tailrace_0\.1\.0_(amd64|arm64)\.deb$/);
});

const STATE = '/var/lib/tailrace';
const CONFIG = '/etc/tailrace/agent.yaml';
/** The libraries of this machine serve, and rpm does not know of them where packages are debs. */
const FORMATS = {
  deb: { install: ['dpkg', '--install'], remove: ['dpkg', '--remove', 'tailrace'], leaves: CONFIG },
  rpm: {
    install: ['rpm', '--upgrade', '--nodeps'],
    remove: ['rpm', '--erase', '--nodeps', 'tailrace'],
    leaves: `${CONFIG}.rpmsave`,
  },
} as const;

for (const [format, { install, remove, leaves }] of Object.entries(FORMATS))
  test(`${format}: installed, upgraded with events unsent, which the new release sends, and removed`, async (context) => {
    const [tool] = install;
    if (spawnSync(tool, ['--version']).error) return context.skip(`${tool} is not installed`);
    const root = await ThrowawayRoot.create(context, folder);
    if (root === null) return context.skip('no overlay in a mount namespace here');
    const double = await KinesisDouble.start(1);
    context.after(() => double.stop());

    root.run(...(install as [string, string]), `/mnt/${built('one', format)}`);
    assert.equal(root.run('tailrace', '--version'), '0.1.0\n');
    assert.match(root.run('stat', '-c', '%a %G', CONFIG), /^640 tailrace$/m);
    assert.equal(spawnSync('getent', ['passwd', 'tailrace']).status, 2, 'this machine is left alone');

    const config = JSON.stringify(configOf(double.endpoint));
    root.run('rm', CONFIG);
    root.write(CONFIG, config);
    root.write('/var/log/shop.log', '{"n":1}\n{"n":2}\n');
    const first = startAgent(context, root);
    await until('the first events are sent', () => double.events().length === 2);
    let refused = 0;
    double.onRecord = () => {
      refused++;
      return { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'full' };
    };
    root.write('/var/log/shop.log', '{"n":3}\n{"n":4}\n{"n":5}\n');
    await until('more events are in the spool, because the stream refuses them', () => refused > 0);
    first.kill('SIGKILL');
    await once(first, 'exit');
    const spool = root.run('sh', '-c', `cd ${STATE} && find . -type f | sort | xargs sha256sum`);

    root.run(...(install as [string, string]), `/mnt/${built('next', format)}`);
    assert.equal(root.run('cat', CONFIG), config);
    assert.equal(root.run('sh', '-c', `cd ${STATE} && find . -type f | sort | xargs sha256sum`), spool);
    double.onRecord = () => null;
    const second = startAgent(context, root);
    await until('all events are sent', () => double.events().length === 5);
    second.kill('SIGTERM');
    assert.deepEqual(await once(second, 'exit'), [0, null]);
    assert.deepEqual((double.events() as { n: number }[]).map(({ n }) => n).sort(), [1, 2, 3, 4, 5]);

    root.run(...(remove as unknown as [string, string]));
    for (const path of ['/usr/bin/tailrace', '/opt/tailrace/bin', '/usr/share/man/man1/tailrace.1'])
      assert.ok(!root.has(path), `${path} is gone`);
    assert.equal(root.run('cat', leaves), config);
    assert.ok(root.has(STATE), 'what was not sent outlives the package');
  });

function configOf(endpoint: string): object {
  return {
    state_dir: STATE,
    stream: { name: 'weblogs', region: 'us-east-1', endpoint },
    inputs: [{ type: 'tail', path: '/var/log/shop.log', tag: 'shop', format: 'json' }],
    seal: { idle_interval: '200ms' },
  };
}

/** As the unit does it. */
function startAgent(context: TestContext, root: ThrowawayRoot): ChildProcess {
  const agent = root.start(AWS_ENV, '/opt/tailrace/bin/tailrace', 'agent', '--config', CONFIG);
  agent.stderr!.resume();
  context.after(() => agent.kill('SIGKILL'));
  return agent;
}
