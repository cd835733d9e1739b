/** The user data of the instances, run as it is packaged against a stub of the artifacts bucket. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { checkConfig } from '../../cli/config.ts';
import { consumerSchema } from '../../consumer/config.ts';
import { Board } from '../../consumer/status/board.ts';
import { serveBoard } from '../../consumer/status/http.ts';
import { packageFunctions, TEMPLATE } from '../../functions/package.ts';
import { placeInstaller } from '../../infra/package.ts';
import { freePorts } from '../../local/ports.ts';
import { agentConfig } from '../../producer/config.ts';
import { Iam } from '../simulation/iam.ts';
import { REGION, Template } from '../simulation/template.ts';
import { startAgent, temporaryDirectory } from '../support/agent-process.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';

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
    `echo "aws $*" >> ${calls}; key=\${4#s3://tailrace-artifacts/tailrace/}
if [ -e ${bucket}/$key.unreachable ]; then
  rm ${bucket}/$key.unreachable
  echo 'fatal error: Could not connect to the endpoint URL' >&2; exit 1
fi
cp ${bucket}/$key "$5" 2>/dev/null && exit
echo 'fatal error: An error occurred (403) when calling the HeadObject operation: Forbidden' >&2; exit 1`,
  );
  // The stack's creation gets its signal; everything else is really asked.
  const curl = spawnSync('sh', ['-c', 'command -v curl'], { encoding: 'utf8' }).stdout.trim();
  stub(
    'curl',
    `case "$*" in *'-X PUT'*) echo "curl $*" >> ${calls} ;; *) exec ${curl || 'false'} "$@" ;; esac`,
  );
  stub('sleep', 'exit 0');
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

/** That the last call reports how the user data ended, to the URL of this handle. */
function assertSignal(calls: readonly string[], status: string, handle: string): void {
  const [, json, url] = /^curl .* (\{.*\}) (\S+)$/.exec(calls.at(-1)!) ?? [];
  const { Status, UniqueId, Reason } = JSON.parse(json!) as Record<string, string>;
  assert.equal(Status, status);
  assert.ok(UniqueId);
  assert.match(Reason!, /ended with \d+; see \/var\/log\/cloud-init-output\.log/);
  assert.equal(url, template.resolve({ Ref: handle }));
}

test('a set-up that fails is reported to the creation of the stack, whose servers each report once', () => {
  const web = server('broken', 'WebTemplate');
  place(web.bucket, 'agent');
  writeFileSync(join(web.bucket, 'web.sh'), 'exit 3\n');
  assert.equal(web.run().status, 3);
  const calls = read(web.calls).trim().split('\n');
  assertSignal(calls, 'FAILURE', 'WebReadyHandle');
  assert.equal(calls.filter((call) => call.startsWith('curl')).length, 1);
  const worker = server('working', 'WorkerTemplate');
  place(worker.bucket, 'consumer');
  assert.equal(worker.run().status, 0);
  assertSignal(read(worker.calls).trim().split('\n'), 'SUCCESS', 'WorkerReadyHandle');
});

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
  assert.deepEqual(calls.slice(-2), ['web.sh', calls.at(-1)]);
  assertSignal(calls, 'SUCCESS', 'WebReadyHandle');
  assert.match(read(web.root, 'etc/systemd/system/tailrace.service'), /ExecStart=/);
});

test('a configuration of the user goes before the one that is made', () => {
  const web = server('own', 'WebTemplate');
  place(web.bucket, 'agent');
  writeFileSync(join(web.bucket, 'agent.yaml'), 'mine: true\n');
  assert.equal(web.run().status, 0);
  assert.equal(read(web.root, 'etc/tailrace/agent.yaml'), 'mine: true\n');
});

test('a configuration that cannot be fetched at the first attempt is retried, and no other takes its place', () => {
  const web = server('retry', 'WebTemplate');
  place(web.bucket, 'agent');
  writeFileSync(join(web.bucket, 'agent.yaml'), 'mine: true\n');
  writeFileSync(join(web.bucket, 'agent.yaml.unreachable'), '');
  assert.equal(web.run().status, 0);
  assert.equal(read(web.root, 'etc/tailrace/agent.yaml'), 'mine: true\n');
  const worker = server('worker-retry', 'WorkerTemplate');
  place(worker.bucket, 'consumer');
  writeFileSync(join(worker.bucket, 'consumer.yaml'), 'mine: true\n');
  writeFileSync(join(worker.bucket, 'consumer.yaml.unreachable'), '');
  assert.equal(worker.run().status, 0);
  assert.equal(read(worker.root, 'etc/tailrace/consumer.yaml'), 'mine: true\n');
});

test('the age that the alarm goes by is what the agent of this configuration says, by a call that its role may make', async (t) => {
  if (spawnSync('curl', ['--version']).error) return t.skip('curl is not installed');
  const web = server('metrics', 'WebTemplate');
  place(web.bucket, 'agent');
  assert.equal(web.run().status, 0);
  const config = parse(read(web.root, 'etc/tailrace/agent.yaml')) as { http: { listen: string } };
  const kinesis = await KinesisDouble.start();
  t.after(() => kinesis.stop());
  kinesis.onRecord = () => ({ ErrorCode: 'ProvisionedThroughputExceededException' });
  const [port] = await freePorts(1);
  const log = join(web.root, 'access.log');
  writeFileSync(log, '{"n":1}\n');
  const agent = await startAgent(temporaryDirectory(t), {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    inputs: [{ type: 'tail', path: log, tag: 'nginx.access', format: 'json', read_from_head: true }],
    instance: { watch: 'off' },
    stop_timeout: '1s',
    http: { listen: `127.0.0.1:${port}` },
  });
  const script = read(web.root, 'usr/local/sbin/tailrace-metrics');
  assert.ok(script.includes(`http://${config.http.listen}/metrics`), script);
  const measure = (): string[] => {
    writeFileSync(web.calls, '');
    const here = script.replace(config.http.listen, `127.0.0.1:${port}`);
    const env = { PATH: `${join(web.bucket, '..', 'bin')}:${process.env['PATH']}` };
    spawnSync('sh', ['-c', here], { env });
    return read(web.calls).trim().split('\n')[0]!.split(' ');
  };
  const option = (call: readonly string[], name: string): string => call[call.indexOf(name) + 1]!;
  // The chunk grows older as long as the stream takes nothing.
  let call = measure();
  while (option(call, '--value') === '0') call = measure();
  assert.ok(Number(option(call, '--value')) > 0, call.join(' '));
  const alarm = template.one('OldestUnsentAlarm');
  assert.deepEqual(call.slice(0, 3), ['aws', 'cloudwatch', 'put-metric-data']);
  assert.equal(option(call, '--namespace'), alarm['Namespace']);
  assert.equal(option(call, '--metric-name'), alarm['MetricName']);
  const [dimension] = alarm['Dimensions'];
  assert.equal(option(call, '--dimensions'), `${dimension.Name}=${dimension.Value}`);
  const context = { 'cloudwatch:namespace': option(call, '--namespace') };
  assert.ok(
    new Iam(template).allows('WebRole', { action: 'cloudwatch:PutMetricData', resource: '*', context }),
  );
  const trouble = read(web.calls).trim().split('\n')[1]!.split(' ');
  assert.equal(option(trouble, '--metric-name'), template.one('FormatAlarm')['MetricName']);
  assert.equal(option(trouble, '--value'), '0');
  agent.child.kill('SIGKILL');
  await agent.ended;
  assert.deepEqual(measure(), [''], 'no age of an agent that is not there');
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

test("the worker's faults go to its alarm every minute, and nothing when no consumer answers", async (t) => {
  const worker = server('worker-faults', 'WorkerTemplate');
  place(worker.bucket, 'consumer');
  assert.equal(worker.run().status, 0);
  const config = { stream: { name: 's', region: 'us-east-1' }, archive: { bucket: 'b' } };
  const board = new Board(checkConfig('test', config, consumerSchema));
  board.streamTrouble = 'AccessDeniedException';
  const http = await serveBoard('127.0.0.1:0', board);
  t.after(() => http.close());
  const script = read(worker.root, 'usr/local/sbin/tailrace-consumer-metrics');
  assert.ok(script.includes(`http://${consumerSchema.parse(config).http.listen}/metrics`), script);
  const measure = async (port: number): Promise<string> => {
    writeFileSync(worker.calls, '');
    const env = { PATH: `${join(worker.bucket, '..', 'bin')}:${process.env['PATH']}` };
    const run = spawn('sh', ['-c', script.replace('127.0.0.1:24281', `127.0.0.1:${port}`)], { env });
    await once(run, 'exit');
    return read(worker.calls).trim();
  };
  const alarm = template.one('WorkerAlarm');
  const [dimension] = alarm['Dimensions'];
  assert.equal(
    await measure((http.address() as AddressInfo).port),
    `aws cloudwatch put-metric-data --region ${REGION} --namespace ${alarm['Namespace']} --metric-name ${alarm['MetricName']} --unit Count --dimensions ${dimension.Name}=${dimension.Value} --value 1`,
  );
  assert.equal(await measure(1), '');
  const context = { 'cloudwatch:namespace': alarm['Namespace'] };
  assert.ok(
    new Iam(template).allows('WorkerRole', { action: 'cloudwatch:PutMetricData', resource: '*', context }),
  );
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
  assert.match(
    read(worker.calls),
    /systemctl enable --now tailrace-consumer\.service tailrace-consumer-metrics\.timer/,
  );
});
