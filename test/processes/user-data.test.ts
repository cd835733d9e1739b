/** The user data of the instances, run as it is packaged against a stub of the artifacts bucket. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { packageFunctions, TEMPLATE } from '../../functions/package.ts';
import { placeInstaller } from '../../infra/package.ts';
import { agentConfig } from '../../producer/config.ts';
import { Template } from '../simulation/template.ts';

const out = mkdtempSync(join(tmpdir(), 'tailrace-user-data-'));
let template: Template;

before(async () => {
  await packageFunctions(out, {}, ['stack']);
  template = new Template(join(out, 'stack', TEMPLATE), 'tailrace-dev');
});
after(() => rmSync(out, { recursive: true, force: true }));

interface Server {
  readonly root: string;
  readonly bucket: string;
  readonly calls: string;
  run(): { status: number | null; output: string };
}

/** A server under a folder: `aws` copies from a folder that stands for the bucket, `systemctl` notes its calls. */
function server(name: string, launchTemplate: string): Server {
  const home = join(out, name);
  const [root, bucket, bin] = ['root', 'bucket', 'bin'].map((folder) => join(home, folder)) as [
    string,
    string,
    string,
  ];
  for (const folder of [root, bucket, bin]) mkdirSync(folder, { recursive: true });
  const calls = join(home, 'calls');
  writeFileSync(calls, '');
  const stub = (command: string, body: string): void => {
    writeFileSync(join(bin, command), `#!/bin/sh\n${body}\n`);
    chmodSync(join(bin, command), 0o755);
  };
  stub(
    'aws',
    `echo "aws $*" >> ${calls}; key=\${4#s3://tailrace-artifacts/tailrace/}; cp ${bucket}/$key "$5" 2>/dev/null`,
  );
  stub('systemctl', `echo "systemctl $*" >> ${calls}`);
  stub('java', `echo 'openjdk version "21.0.5" 2024-10-15 LTS' >&2`);
  const script = template.one(launchTemplate)['LaunchTemplateData'].UserData as string;
  return {
    root,
    bucket,
    calls,
    run: () => {
      const env = { PATH: `${bin}:${process.env['PATH']}`, TAILRACE_ROOT: root };
      const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { env, encoding: 'utf8' });
      return { status, output: stdout + stderr };
    },
  };
}

/** A package as `npm run package` makes it, but with a program that only answers. */
function place(bucket: string, of: 'agent' | 'consumer'): void {
  const name = of === 'agent' ? 'tailrace' : 'tailrace-consumer';
  const folder = join(bucket, `${name}-0.1.0`);
  mkdirSync(join(folder, 'bin'), { recursive: true });
  placeInstaller(of, '0.1.0', folder);
  writeFileSync(join(folder, 'bin', 'tailrace'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const tarball = join(bucket, `${name}-0.1.0-linux-${arch}.tar.gz`);
  assert.equal(spawnSync('tar', ['-czf', tarball, '-C', bucket, `${name}-0.1.0`]).status, 0);
}

const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

test('a web server gets the agent, a configuration that the agent takes, and its own set-up last', () => {
  const web = server('web', 'WebTemplate');
  place(web.bucket, 'agent');
  writeFileSync(join(web.bucket, 'web.sh'), `echo "web.sh" >> ${web.calls}\n`);
  const { status, output } = web.run();
  assert.equal(status, 0, output);
  const config = agentConfig.parse(parse(read(web.root, 'etc/tailrace/agent.yaml')));
  assert.equal(config.stream.name, 'tailrace-dev');
  assert.equal(config.spill?.bucket, template.resolve({ Ref: 'SpillBucket' }));
  assert.equal(config.spill?.prefix, 'spill/');
  const calls = read(web.calls).trim().split('\n');
  assert.ok(
    calls.includes('systemctl enable --now tailrace.service tailrace-metrics.timer'),
    calls.join('\n'),
  );
  assert.equal(calls.at(-1), 'web.sh');
  assert.match(read(web.root, 'etc/systemd/system/tailrace.service'), /ExecStart=/);
});

test('a configuration of the user goes before the one that is made', () => {
  const web = server('own', 'WebTemplate');
  place(web.bucket, 'agent');
  writeFileSync(join(web.bucket, 'agent.yaml'), 'mine: true\n');
  assert.equal(web.run().status, 0);
  assert.equal(read(web.root, 'etc/tailrace/agent.yaml'), 'mine: true\n');
});

test('units made by the user data are sound', (context) => {
  const web = server('units', 'WebTemplate');
  place(web.bucket, 'agent');
  assert.equal(web.run().status, 0);
  const folder = join(web.root, 'etc/systemd/system');
  // The program that a unit starts must exist where it is verified.
  const unit = join(folder, 'tailrace-metrics.service');
  const script = join(web.root, 'usr/local/sbin/tailrace-metrics');
  writeFileSync(unit, read(unit).replace('/usr/local/sbin/tailrace-metrics', script));
  const { error, status, stderr } = spawnSync(
    'systemd-analyze',
    ['verify', '--man=no', join(folder, 'tailrace-metrics.timer'), unit],
    { encoding: 'utf8' },
  );
  if (error) context.skip('systemd-analyze is not installed');
  else {
    const ours = stderr.split('\n').filter((line) => line.includes(folder));
    assert.deepEqual(ours, [], stderr);
    assert.equal(status, 0, stderr);
  }
});

test('the worker gets the consumer; a launcher that gives up takes its instance with it', () => {
  const worker = server('worker', 'WorkerTemplate');
  place(worker.bucket, 'consumer');
  const { status, output } = worker.run();
  assert.equal(status, 0, output);
  const config = parse(read(worker.root, 'etc/tailrace/consumer.yaml')) as Record<
    string,
    { bucket?: string }
  >;
  assert.equal(config['archive']?.bucket, template.resolve({ Ref: 'ArchiveBucket' }));
  const folder = join(worker.root, 'etc/systemd/system/tailrace-consumer.service.d');
  assert.match(read(folder, 'replace.conf'), /OnFailure=poweroff\.target/);
  assert.match(read(worker.root, 'etc/systemd/system/tailrace-consumer.service'), /^Restart=on-failure$/m);
  assert.match(read(worker.calls), /systemctl enable --now tailrace-consumer\.service/);
});
