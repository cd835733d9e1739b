/** The tarball for servers: it runs on its own Node, refuses an old glibc by name, and installs. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { stringify } from 'yaml';
import { VERSION } from '../../base/version.ts';
import { loadConfig } from '../../cli/config.ts';
import { type Arch, buildPackage } from '../../infra/package.ts';
import { agentConfig } from '../../producer/config.ts';
import { AWS_ENV, temporaryDirectory } from '../support/agent-process.ts';
import { buildImage, type Image } from '../support/dockerfile.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';

const UNIT = join(import.meta.dirname, '..', '..', 'infra', 'systemd');
/** Nothing of the development tree's Node or packages is in reach. */
const BARE_ENV = { PATH: '/usr/bin:/bin', ...AWS_ENV };

let folder = '';
let image: Image;

before(async (context) => {
  const directory = temporaryDirectory(context as never);
  await buildPackage({ archs: [arch() as Arch], out: directory, level: 1 });
  image = buildImage('agent', directory, join(directory, 'image'));
  folder = join(directory, 'image', 'opt', 'tailrace-0.1.0');
});

function tailrace(args: string[], env: Record<string, string> = BARE_ENV) {
  return spawnSync(join(folder, 'bin', 'tailrace'), args, { env, encoding: 'utf8' });
}

/** The same while this process goes on: it serves what the command waits for. */
async function tailraceAside(args: string[]) {
  const child = spawn(join(folder, 'bin', 'tailrace'), args, { env: BARE_ENV });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
    });
  }
  const [status] = await once(child, 'close');
  return { status, output };
}

async function running(child: ChildProcess): Promise<void> {
  let log = '';
  for await (const line of createInterface({ input: child.stderr! })) {
    log += line;
    if (!line.includes('"the agent is running"')) continue;
    setImmediate(() => child.stderr!.resume());
    return;
  }
  throw new Error(log);
}

test('the agent of the package reads, sends and flushes', async (context) => {
  const directory = temporaryDirectory(context);
  const kinesis = await KinesisDouble.start();
  context.after(() => kinesis.stop());
  const log = join(directory, 'app.log');
  writeFileSync(log, '');
  const state = join(directory, 'state');
  writeFileSync(
    join(directory, 'agent.yaml'),
    stringify({
      state_dir: state,
      stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
      compression: 'zstd',
      inputs: [
        { type: 'tail', path: log, tag: 'app', format: 'none' },
        { type: 'forward', listen: '127.0.0.1:0' },
      ],
      instance: { watch: 'off' },
    }),
  );
  const agent = spawn(join(folder, 'bin', 'tailrace'), ['agent', '--config', join(directory, 'agent.yaml')], {
    env: BARE_ENV,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(agent, 'exit');
  context.after(() => agent.kill('SIGKILL'));
  await running(agent);
  appendFileSync(log, 'line 1\nline 2\n');
  const flushed = await tailraceAside(['flush', '--state', state, '--timeout', '20s']);
  assert.equal(flushed.status, 0, flushed.output);
  assert.deepEqual(
    kinesis.events().map((event) => (event as { message: string }).message),
    ['line 1', 'line 2'],
  );
  const status = await tailraceAside(['status', '--state', state]);
  assert.equal(status.status, 0, status.output);
  assert.match(status.output, /acknowledged 2/);
  agent.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
});

test("logrotate by the package's rule: the agent's own log goes on in a new file", async (context) => {
  if (!existsSync('/usr/sbin/logrotate') || process.getuid?.() !== 0) {
    context.skip('no logrotate here, or not root, whose configurations alone it trusts');
    return;
  }
  const directory = temporaryDirectory(context);
  const kinesis = await KinesisDouble.start();
  context.after(() => kinesis.stop());
  const source = join(directory, 'app.log');
  writeFileSync(source, '');
  const log = join(directory, 'log', 'agent.log');
  writeFileSync(
    join(directory, 'agent.yaml'),
    stringify({
      state_dir: join(directory, 'state'),
      stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
      inputs: [{ type: 'tail', path: source, tag: 'app', format: 'none' }],
      instance: { watch: 'off' },
      log_file: log,
    }),
  );
  const agent = spawn(join(folder, 'bin', 'tailrace'), ['agent', '--config', join(directory, 'agent.yaml')], {
    env: BARE_ENV,
    stdio: 'ignore',
  });
  const ended = once(agent, 'exit');
  context.after(() => agent.kill('SIGKILL'));
  const logged = async (file: string, text: string): Promise<void> => {
    while (!existsSync(file) || !readFileSync(file, 'utf8').includes(text)) await nextTurn();
  };
  await logged(log, 'the agent is running');
  // What systemd does with the rule's command, for the one process that is meant.
  writeFileSync(
    join(directory, 'systemctl'),
    `#!/bin/sh\n[ "$*" = 'kill --kill-who=main --signal=HUP tailrace.service' ] && kill -HUP ${agent.pid}\n`,
    { mode: 0o755 },
  );
  const rule = readFileSync(join(UNIT, 'tailrace.logrotate'), 'utf8');
  writeFileSync(
    join(directory, 'rule'),
    rule.replace('/var/log/tailrace/*.log', join(directory, 'log', '*.log')),
    { mode: 0o644 },
  );
  const args = ['-f', '-s', join(directory, 'rotated'), join(directory, 'rule')];
  const { status, stderr } = spawnSync('/usr/sbin/logrotate', args, {
    env: { PATH: `${directory}:/usr/bin:/bin` },
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  await logged(log, 'configuration reloaded');
  assert.match(readFileSync(`${log}.1`, 'utf8'), /the agent is running/);
  agent.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
});

test("the image's entry point is the agent of the package, of this version", () => {
  const run = (...args: string[]) => spawnSync(image.program, args, { env: BARE_ENV, encoding: 'utf8' });
  assert.equal(run('--version').stdout.trim(), VERSION);
  assert.deepEqual(image.args, ['agent', '--config', '/etc/tailrace/agent.yaml']);
  const { status, stdout } = run(...image.args, '--help');
  assert.equal(status, 0);
  assert.match(stdout, /tailrace agent \[options\]/);
  assert.deepEqual(image.run, []);
});

test('commands that a server cannot run say so', () => {
  const { status, stderr } = tailrace(['local']);
  assert.equal(status, 2);
  assert.match(stderr, /^this command is not part of the server package/);
});

for (const [libc, message] of [
  ['glibc 2.17', /^tailrace: glibc 2\.17 is too old, 2\.28 or later is needed/],
  ['', /^tailrace: this system has no glibc/],
] as const) {
  test(`a system with ${libc || 'musl'} is refused by name`, (context) => {
    const directory = temporaryDirectory(context);
    writeFileSync(join(directory, 'getconf'), `#!/bin/sh\n[ -n '${libc}' ] && echo '${libc}'\n`, {
      mode: 0o755,
    });
    const { status, stderr } = tailrace(['--help'], { PATH: `${directory}:/usr/bin:/bin` });
    assert.equal(status, 2);
    assert.match(stderr, message);
  });
}

test('the install script puts all in place, and keeps a configuration that is there', (context) => {
  const root = temporaryDirectory(context);
  const install = () =>
    spawnSync(join(folder, 'install.sh'), ['--root', root], {
      env: { PATH: '/usr/bin:/bin' },
      encoding: 'utf8',
    });
  const first = install();
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stdout, /wrote \/etc\/tailrace\/agent\.yaml/);
  const config = join(root, 'etc', 'tailrace', 'agent.yaml');
  writeFileSync(config, '# mine\n');
  assert.equal(statSync(config).mode & 0o777, 0o640);
  const second = install();
  assert.equal(second.status, 0, second.stderr);
  assert.equal(execFileSync('cat', [config], { encoding: 'utf8' }), '# mine\n');
  assert.equal(readlinkSync(join(root, 'opt', 'tailrace')), 'tailrace-0.1.0');
  assert.ok(existsSync(join(root, 'opt', 'tailrace', 'bin', 'tailrace')));
  assert.ok(existsSync(join(root, 'etc', 'systemd', 'system', 'tailrace.service')));
});

test('the default configuration is a right one', () => {
  const config = loadConfig(join(UNIT, 'agent.yaml'), agentConfig);
  assert.equal(config.state_dir, '/var/lib/tailrace');
  assert.equal(config.inputs.length, 2);
});

test('systemd takes the unit, which gives a flush more time than the agent takes', (context) => {
  const text = execFileSync('cat', [join(UNIT, 'tailrace.service')], { encoding: 'utf8' });
  const [, seconds] = /^TimeoutStopSec=(\d+)s$/m.exec(text)!;
  const { stop_timeout: stop } = loadConfig(join(UNIT, 'agent.yaml'), agentConfig);
  assert.ok(Number(seconds) * 1000 > stop);
  // A process that SIGHUP ends counts as ended well: with on-failure it would stay away.
  assert.match(text, /^Restart=always$/m);
  const [, before] = /^Before=(.*)$/m.exec(text)!;
  for (const service of ['nginx', 'apache2', 'httpd'])
    assert.ok(before!.split(' ').includes(`${service}.service`));
  if (spawnSync('systemd-analyze', ['--version']).status !== 0) {
    context.skip('no systemd-analyze here');
    return;
  }
  const root = temporaryDirectory(context);
  mkdirSync(join(root, 'opt'));
  const file = join(root, 'tailrace.service');
  writeFileSync(file, text.replace('/opt/tailrace/bin/tailrace', join(folder, 'bin', 'tailrace')));
  const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
  assert.doesNotMatch(stderr, /tailrace\.service:\d+|Unknown|Failed to parse/, stderr);
});
