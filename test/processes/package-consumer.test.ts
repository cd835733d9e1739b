/** The consumer's tarball: it archives with the Node, the jars and the bundles that came with it, and installs. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { loadConfig } from '../../cli/config.ts';
import { consumerSchema } from '../../consumer/config.ts';
import { type Arch, buildPackage, placeInstaller } from '../../infra/package.ts';
import { startStack } from '../../local/stack.ts';
import { temporaryDirectory } from '../support/agent-process.ts';
import { ChunkSource } from '../support/chunks.ts';
import { assertArchivedOnce, ConsumerProcess, putChunks, writeConfig } from '../support/consumer-process.ts';
import { buildImage, type Image } from '../support/dockerfile.ts';

const SYSTEMD = join(import.meta.dirname, '..', '..', 'infra', 'systemd');
/** Nothing of the development tree's Node or packages is in reach; Java is the system's. */
const BARE_PATH = `/usr/bin:/bin:${dirname(execFileSync('sh', ['-c', 'command -v java'], { encoding: 'utf8' }).trim())}`;

let folder = '';
let image: Image;

before(async (context) => {
  const directory = temporaryDirectory(context as never);
  const tarball = await buildPackage({ of: 'consumer', archs: [arch() as Arch], out: directory, level: 1 });
  assert.ok(tarball.endsWith(`/tailrace-consumer-0.1.0-linux-${arch()}.tar.gz`), tarball);
  image = buildImage('consumer', directory, join(directory, 'image'));
  folder = join(directory, 'image', 'opt', 'tailrace-consumer-0.1.0');
});

function tailrace(args: string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(join(folder, 'bin', 'tailrace'), args, {
    env: { PATH: BARE_PATH, ...env },
    encoding: 'utf8',
  });
}

function install(source: string, root: string, path = BARE_PATH) {
  return spawnSync(join(source, 'install.sh'), ['--root', root], { env: { PATH: path }, encoding: 'utf8' });
}

/** The words of its command line. */
function commandLine(pid: number): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
}

test('the consumer of the package archives, and ends in order', async (context) => {
  const directory = temporaryDirectory(context);
  const stack = await startStack({ dataDir: join(directory, 'data'), shards: 1 });
  context.after(() => stack.stop());
  Object.assign(process.env, stack.env);

  const checked = tailrace(
    ['consumer', '--check', '--config', writeConfig(stack, directory, 'worker-1')],
    stack.env,
  );
  assert.equal(checked.status, 0, checked.stderr);
  assert.match(checked.stdout, /: fine\n$/);

  const consumer = new ConsumerProcess({
    stack,
    directory,
    workerId: 'worker-1',
    env: { PATH: BARE_PATH },
    tailrace: [join(folder, 'bin', 'tailrace')],
  });
  context.after(() => consumer.kill('SIGKILL'));
  await consumer.start();
  const client = new KinesisClient({ endpoint: stack.kinesisEndpoint, region: stack.region });
  context.after(() => client.destroy());
  const source = new ChunkSource({ name: 'agent' });
  const hour = Math.floor(Date.now() / 3_600_000);
  const made = Array.from({ length: 6 }, (_, i) => source.next(i % 2 ? 'app' : 'nginx.access', hour, 5));
  await putChunks(client, stack, made);
  await assertArchivedOnce(stack, made);

  const { daemon_pid: daemon, host_pid: host } = await consumer.running(1);
  const java = commandLine(daemon!);
  const jars = java[java.indexOf('-cp') + 1]!.split(':');
  assert.deepEqual(
    jars.sort(),
    readdirSync(join(folder, 'jars'))
      .map((name) => join(folder, 'jars', name))
      .sort(),
  );
  const child = commandLine(host!);
  assert.equal(child[0], join(folder, 'node', arch(), 'node'));
  assert.equal(child.at(-1), join(folder, 'lib', 'child.js'));
  assert.equal(await consumer.stop(), 0, consumer.log);
});

test("the image's entry point is the consumer of the package; only Java comes from elsewhere", () => {
  assert.equal(image.program, join(folder, 'bin', 'tailrace'));
  assert.equal(tailrace([...image.args, '--help']).status, 0);
  assert.deepEqual(image.args, ['consumer', '--config', '/etc/tailrace/consumer.yaml']);
  assert.equal(image.run.length, 1);
  const wanted = readFileSync(join(SYSTEMD, 'install.sh'), 'utf8');
  assert.match(wanted, new RegExp(`apt-get install ${/openjdk-\S+/.exec(image.run[0]!)![0]} .*Debian 13`));
});

test('it has the commands that look into the archive, and no stack', () => {
  const help = tailrace(['--help']);
  assert.equal(help.status, 0, help.stderr);
  assert.match(help.stdout, /consumer +run the consumer/);
  assert.equal(tailrace(['verify', '--help']).status, 0);
  const local = tailrace(['local']);
  assert.equal(local.status, 2);
  assert.match(local.stderr, /^this command is not part of the server package/);
});

test('the install script puts all in place, and keeps a configuration that is there', (context) => {
  const root = temporaryDirectory(context);
  const first = install(folder, root);
  assert.equal(first.status, 0, first.stderr);
  assert.match(
    first.stdout,
    /wrote \/etc\/tailrace\/consumer\.yaml: set stream\.name, stream\.region and archive/,
  );
  const config = join(root, 'etc', 'tailrace', 'consumer.yaml');
  writeFileSync(config, '# mine\n');
  const second = install(folder, root);
  assert.equal(second.status, 0, second.stderr);
  assert.equal(readFileSync(config, 'utf8'), '# mine\n');
  assert.equal(readlinkSync(join(root, 'opt', 'tailrace-consumer')), 'tailrace-consumer-0.1.0');
  assert.ok(existsSync(join(root, 'opt', 'tailrace-consumer', 'lib', 'child.js')));
  assert.ok(existsSync(join(root, 'etc', 'systemd', 'system', 'tailrace-consumer.service')));
  assert.deepEqual(readdirSync(join(root, 'etc', 'tailrace')), ['consumer.yaml']);
});

test('next to the agent the command stays the one that has all', (context) => {
  const directory = temporaryDirectory(context);
  const agent = join(directory, 'agent');
  mkdirSync(join(agent, 'bin'), { recursive: true });
  writeFileSync(join(agent, 'bin', 'tailrace'), '#!/bin/sh\n', { mode: 0o755 });
  placeInstaller('agent', '0.1.0', agent);
  const root = join(directory, 'root');
  const link = join(root, 'usr', 'local', 'bin', 'tailrace');
  for (const [source, expected] of [
    [agent, '/opt/tailrace/bin/tailrace'],
    [folder, '/opt/tailrace-consumer/bin/tailrace'],
    [agent, '/opt/tailrace-consumer/bin/tailrace'],
  ] as const) {
    const { status, stderr } = install(source, root);
    assert.equal(status, 0, stderr);
    assert.equal(readlinkSync(link), expected);
  }
});

for (const [version, has] of [
  ['', 'none'],
  ['java version "1.8.0_392"', 'only 8'],
  ['openjdk version "11.0.21" 2023-10-17', 'only 11'],
] as const) {
  test(`the install script says what to install where there is ${version || 'no Java'}`, (context) => {
    const directory = temporaryDirectory(context);
    writeFileSync(
      join(directory, 'java'),
      `#!/bin/sh\n${version === '' ? 'exit 127' : `echo '${version}' >&2`}\n`,
      {
        mode: 0o755,
      },
    );
    const path = `${directory}:/usr/bin:/bin`;
    const root = join(directory, 'root');
    const { status, stderr } = install(folder, root, path);
    assert.equal(status, 2);
    assert.ok(stderr.includes(`needs Java 17 or later, and this system has ${has};`), stderr);
    assert.match(stderr, /dnf install java-17-amazon-corretto-headless/);
    assert.match(stderr, /apt-get install openjdk-17-jre-headless/);
    assert.ok(!existsSync(root), 'nothing was changed');

    // An image's Java need not be the one that runs here.
    mkdirSync(join(root, 'usr', 'bin'), { recursive: true });
    symlinkSync('/etc/alternatives/java', join(root, 'usr', 'bin', 'java'));
    assert.equal(install(folder, root, path).status, 0);
  });
}

test('the default configuration is a right one', () => {
  const config = loadConfig(join(SYSTEMD, 'consumer.yaml'), consumerSchema);
  assert.equal(config.http.listen, '127.0.0.1:24281');
});

test('systemd takes the unit, which gives a stop more time than the launcher takes', (context) => {
  const text = readFileSync(join(SYSTEMD, 'tailrace-consumer.service'), 'utf8');
  const [, seconds] = /^TimeoutStopSec=(\d+)s$/m.exec(text)!;
  const { stop_timeout: stop } = loadConfig(join(SYSTEMD, 'consumer.yaml'), consumerSchema);
  assert.ok(Number(seconds) * 1000 > stop);
  assert.match(text, /^Restart=on-failure$/m);
  if (spawnSync('systemd-analyze', ['--version']).status !== 0) {
    context.skip('no systemd-analyze here');
    return;
  }
  const file = join(temporaryDirectory(context), 'tailrace-consumer.service');
  writeFileSync(file, text.replace('/opt/tailrace-consumer/bin/tailrace', join(folder, 'bin', 'tailrace')));
  const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
  assert.doesNotMatch(stderr, /tailrace-consumer\.service:\d+|Unknown|Failed to parse/, stderr);
});
