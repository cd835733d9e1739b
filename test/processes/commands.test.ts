/** What the commands say and end with when they cannot do what they are asked for; `send` to an agent and to nobody. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import * as path from 'node:path';
import { test } from 'node:test';
import { freePorts } from '../../local/ports.ts';
import { startAgent, tailrace, temporaryDirectory } from '../support/agent-process.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const CLI = path.join(ROOT, 'cli', 'tailrace.ts');

test('each command tells its options and its exit codes', async () => {
  const { stdout } = await tailrace(['--help']);
  const names = [...stdout.slice(stdout.indexOf('On a web server:')).matchAll(/^ {2}(\w+) /gm)].map(
    ([, name]) => name!,
  );
  assert.ok(names.length >= 11, stdout);
  await Promise.all(
    names.map(async (name) => {
      const help = await tailrace(['help', name]);
      assert.equal(help.code, 0, name);
      assert.match(help.stdout, new RegExp(`^Usage: tailrace ${name} `));
      assert.match(help.stdout, /Exit codes: 0 /, name);
    }),
  );
});

test('the version is that of the package', async () => {
  const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  assert.deepEqual(await tailrace(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
});

test('what cannot be started ends with 2 and one line that names it', async (t) => {
  const directory = temporaryDirectory(t);
  const file = path.join(directory, 'file');
  fs.writeFileSync(file, '');
  const [nobody] = await freePorts(1);
  const archive = ['--bucket', 'logs', '--endpoint', `http://127.0.0.1:${nobody}`];
  const cases: readonly [readonly string[], RegExp][] = [
    [['nonsense'], /nonsense/],
    [['help', 'nonsense'], /nonsense/],
    [['flush', '--timeout', 'soon'], /soon/],
    [['cat', '--nonsense'], /--nonsense/],
    [['cat'], /--config/],
    [['cat', ...archive], new RegExp(`127\\.0\\.0\\.1:${nobody}`)],
    [['ls', '--folder', '/nowhere'], /--?folder|\/nowhere/],
    [['ls', ...archive], new RegExp(`127\\.0\\.0\\.1:${nobody}`)],
    [['verify', ...archive], new RegExp(`127\\.0\\.0\\.1:${nobody}`)],
    [['send', 'text'], /--tag/],
    [['send', '--tag', 'a', '--address', '127.0.0.1:99999', 'text'], /127\.0\.0\.1:99999/],
    [['send', '--tag', 'a', '--timeout', 'soon', 'text'], /soon/],
    [['local', '--shards', '0'], /--shards/],
    [['local', '--data', file], new RegExp(file)],
    [['local', '--data', '/proc/nothing'], /\/proc\/nothing cannot be used/],
    [['local', '--archive', directory], /contains no archive/],
  ];
  await Promise.all(
    cases.map(async ([args, named]) => {
      const { code, stdout, stderr } = await tailrace(args);
      assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
      assert.equal(stdout, '');
      assert.match(stderr, named);
      const fault = stderr
        .trimEnd()
        .replace(
          /\n\(tailrace (?:help \w+ lists its arguments and options|--help lists the commands)\)$/,
          '',
        );
      assert.equal(fault.split('\n').length, 1, stderr);
    }),
  );
});

test('a full disk behind stdout or stderr is one line and an exit code', () => {
  const full = fs.openSync('/dev/full', 'w');
  try {
    const command = [CLI, 'cost', '--gb-per-day', '5'];
    const stdout = spawnSync(process.execPath, command, {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    assert.equal(stdout.stderr, 'cannot write the output: ENOSPC: no space left on device, write\n');
    assert.equal(stdout.status, 1);
    const stderr = spawnSync(process.execPath, [CLI, 'nonsense'], { stdio: ['ignore', 'pipe', full] });
    assert.equal(stderr.status, 2);
  } finally {
    fs.closeSync(full);
  }
});

test('set-up names what the machine lacks, and what to install', async (t) => {
  const directory = temporaryDirectory(t);
  const setup = (): { status: number | null; stderr: string } =>
    spawnSync(process.execPath, [path.join(ROOT, 'local', 'setup.mjs')], {
      env: { PATH: directory },
      encoding: 'utf8',
    });
  const none = setup();
  assert.equal(none.status, 2);
  assert.match(none.stderr, /^Java is not installed.*: install a Java runtime, 17 or later .*\n$/);
  const java = path.join(directory, 'java');
  fs.writeFileSync(java, '#!/bin/sh\necho \'openjdk version "11.0.2" 2019-01-15\' >&2\n', { mode: 0o755 });
  const old = setup();
  assert.equal(old.status, 2);
  assert.match(old.stderr, /^Java 11 is too old: install a Java runtime, 17 or later .*\n$/);
});

test('send: the agent has each event when it says so', async (t) => {
  const directory = temporaryDirectory(t);
  const kinesis = await KinesisDouble.start();
  t.after(() => kinesis.stop());
  const [port] = await freePorts(1);
  const agent = await startAgent(directory, {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    inputs: [{ type: 'forward', listen: `127.0.0.1:${port}` }],
  });
  t.after(() => agent.child.kill('SIGKILL'));
  const to = ['send', '--tag', 'app', '--address', `127.0.0.1:${port}`];
  const given = await tailrace([...to, '{"n":1}', 'two']);
  assert.deepEqual([given.code, given.stderr], [0, '2 events sent and acknowledged\n']);
  const piped = await tailrace(to, `{"n":3}\n\n${'4\n'.repeat(1000)}`);
  assert.deepEqual([piped.code, piped.stderr], [0, '1,001 events sent and acknowledged\n']);
  agent.child.kill('SIGTERM');
  assert.equal(await agent.ended, 0, agent.log());
  const events = (kinesis.events() as Record<string, unknown>[]).map(({ time: _, ...fields }) => fields);
  assert.deepEqual(events.slice(0, 3), [{ n: 1 }, { message: 'two' }, { n: 3 }]);
  assert.equal(events.length, 1003);
});

test('send: whom nobody answers it ends with 1, though more may still come from stdin', async (t) => {
  const silent = createServer((socket) => void socket.resume()).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const [nobody] = await freePorts(1);
  const ways = [
    [nobody, 30_000, /ECONNREFUSED/],
    [(silent.address() as AddressInfo).port, 300, /ack response timeout/],
  ] as const;
  for (const [port, timeout, why] of ways) {
    const address = `127.0.0.1:${port}`;
    const child = spawn(
      process.execPath,
      [CLI, 'send', '--tag', 'app', '--address', address, '--timeout', `${timeout}ms`],
      { stdio: ['pipe', 'ignore', 'pipe'] },
    );
    t.after(() => child.kill('SIGKILL'));
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.stdin.write('one\n');
    const [code] = await once(child, 'close');
    assert.equal(code, 1, stderr);
    assert.match(stderr, why);
    assert.ok(stderr.startsWith(address), stderr);
  }
});

test('in a clone that is not set up the command says what to run', async (t) => {
  const clone = temporaryDirectory(t);
  fs.mkdirSync(path.join(clone, 'cli'));
  fs.copyFileSync(path.join(ROOT, 'cli', 'tailrace.mjs'), path.join(clone, 'cli', 'tailrace.mjs'));
  const { status, stderr } = spawnSync(
    process.execPath,
    [path.join(clone, 'cli', 'tailrace.mjs'), '--help'],
    {
      encoding: 'utf8',
    },
  );
  assert.deepEqual([status, stderr], [2, `tailrace is not set up yet: run "npm run setup" in ${clone}\n`]);
  const ready = spawnSync(
    process.execPath,
    [path.join(ROOT, 'cli', 'tailrace.mjs'), 'flush', '--state', clone],
    {
      encoding: 'utf8',
    },
  );
  assert.deepEqual([ready.status, /no agent is running/.test(ready.stderr)], [1, true], ready.stderr);
});

for (const [how, args] of [
  ['replaces itself', []],
  ['is an older Node, which cannot', ['--import', 'data:text/javascript,process.execve=undefined']],
] as const)
  test(`a signal sent to the launcher alone reaches the command: its Node ${how}`, async (t) => {
    const clone = temporaryDirectory(t);
    for (const folder of ['cli', 'base', 'node_modules/node/bin'])
      fs.mkdirSync(path.join(clone, folder), { recursive: true });
    fs.copyFileSync(path.join(ROOT, 'cli', 'tailrace.mjs'), path.join(clone, 'cli', 'tailrace.mjs'));
    fs.symlinkSync(process.execPath, path.join(clone, 'node_modules/node/bin/node'));
    fs.writeFileSync(path.join(clone, 'base', 'compile-cache.mjs'), '');
    fs.writeFileSync(
      path.join(clone, 'cli', 'tailrace.ts'),
      `process.on(process.argv[2], () => process.exit(5)); console.log('ready'); setInterval(() => {}, 1000);`,
    );
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      const child = spawn(process.execPath, [...args, path.join(clone, 'cli', 'tailrace.mjs'), signal], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      child.kill(signal);
      assert.deepEqual([signal, ...(await once(child, 'exit'))], [signal, 5, null]);
    }
  });
