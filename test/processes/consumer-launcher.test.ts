/** The launcher over a daemon that is a script: restarts, giving up, stopping, and what it refuses to start with. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { classArchive, makeClassArchive } from '../../consumer/kcl/class-archive.ts';
import { javaVersion } from '../../consumer/kcl/daemon.ts';
import { ShardStatus } from '../../consumer/shard/status.ts';
import type { WorkerStatus } from '../../consumer/status/board.ts';
import { freePorts } from '../../local/ports.ts';
import { until } from '../support/consumer-process.ts';
import { DynamoDbDouble } from '../support/dynamodb-double.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import { BUCKET, type LocalS3, startLocalS3 } from '../support/local-s3.ts';
import { runs } from '../support/process-tree.ts';

const CLI = path.join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');

let directory: string;
let kinesis: KinesisDouble;
let s3: LocalS3;
let count = 0;
/** Processes that a failed test leaves would keep this file from ending. */
const started: ChildProcess[] = [];

before(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-launcher-'));
  fs.mkdirSync(path.join(directory, 'jars'));
  fs.writeFileSync(path.join(directory, 'jars', 'amazon-kinesis-client-multilang-0.jar'), '');
  kinesis = await KinesisDouble.start(1);
  s3 = await startLocalS3();
});

after(async () => {
  for (const child of started) child.kill('SIGKILL');
  await kinesis.stop();
  await s3.stop();
  fs.rmSync(directory, { recursive: true });
});

/** What stands for Java: answers `-version`, and else does `body`. */
function daemon(body: string): string {
  const file = path.join(directory, `java-${count++}`);
  fs.writeFileSync(file, `#!/bin/sh\n[ "$1" = -version ] && exit 0\n${body}\n`, { mode: 0o755 });
  return file;
}

interface Run {
  readonly process: ChildProcess;
  readonly config: string;
  readonly ended: Promise<number | string>;
  log(): string;
}

function launch(changes: Record<string, unknown>, ...args: string[]): Run {
  const config = path.join(directory, `consumer-${count++}.yaml`);
  const whole = {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    archive: { bucket: 'logs', endpoint: 'http://127.0.0.1:9' },
    dynamodb: { endpoint: 'http://127.0.0.1:9' },
    http: { listen: '127.0.0.1:0' },
    ...changes,
  };
  fs.writeFileSync(config, JSON.stringify(whole));
  const child = spawn(process.execPath, [CLI, 'consumer', '--config', config, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 'b',
      TAILRACE_JARS: path.join(directory, 'jars'),
    },
  });
  started.push(child);
  let log = '';
  child.stderr!.setEncoding('utf8').on('data', (part: string) => {
    log += part;
  });
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal!));
  });
  return { process: child, config, ended, log: () => log };
}

test('a daemon that dies is restarted, until the launcher gives up', async () => {
  const restart = { backoff: '1ms', give_up_after: 3 };
  const run = launch({ java: { command: daemon('exit 7') }, restart });
  assert.equal(await run.ended, 1);
  assert.equal(run.log().match(/the daemon died"/g)?.length, 3);
  assert.match(run.log(), /"code":7/);
  assert.match(run.log(), /giving up/);
});

test('a daemon whose heap runs out reads less at once the next time, and the log says what to do', async () => {
  const reads = path.join(directory, 'reads');
  const restart = { backoff: '1ms', give_up_after: 4 };
  const body = `for a; do case $a in *.properties) grep maxRecords "$a" >> "${reads}" ;; esac; done\nexit 3`;
  const run = launch({ java: { command: daemon(body), heap: '300MiB' }, restart });
  assert.equal(await run.ended, 1);
  const limits = fs.readFileSync(reads, 'utf8').match(/\d+/g);
  assert.deepEqual(limits, ['10000', '10', '2', '1']);
  assert.match(run.log(), /has run out of its heap of 300 MiB, and reads at most 10 records at once/);
});

test('a daemon that crashes with its archive of classes is started without it, and the archive is gone', async () => {
  const jars = path.join(directory, `jars-${count++}`);
  fs.cpSync(path.join(directory, 'jars'), jars, { recursive: true });
  const classPath = path.join(jars, 'amazon-kinesis-client-multilang-0.jar');
  const made = `for a; do case "$a" in -XX:ArchiveClassesAtExit=*) printf x > "\${a#*=}"; exit;; esac; done`;
  const crash = 'case "$*" in *SharedArchiveFile*) kill -ABRT $$ ;; esac; exit 7';
  const java = daemon(`${made}\n${crash}`);
  await makeClassArchive(java, javaVersion(java), classPath);
  const archive = classArchive(javaVersion(java), classPath)!;
  const run = launch({ java: { command: java, jars }, restart: { backoff: '1ms', give_up_after: 3 } });
  assert.equal(await run.ended, 1);
  assert.deepEqual(run.log().match(/"(?:code":7|signal":"SIGABRT")/g), [
    '"signal":"SIGABRT"',
    '"code":7',
    '"code":7',
  ]);
  assert.match(run.log(), /Java crashed: starting it without its archive of classes/);
  assert.ok(!fs.existsSync(archive));
});

test('SIGTERM goes to the daemon; its end in order is ours', async () => {
  const marker = path.join(directory, 'asked');
  const body = `trap 'echo yes > "${marker}"; exit 143' TERM\nwhile :; do sleep 0.05; done`;
  const run = launch({ java: { command: daemon(body) } });
  await until('the daemon runs', () => run.log().includes('the daemon runs'));
  run.process.kill('SIGTERM');
  assert.equal(await run.ended, 0);
  assert.ok(fs.existsSync(marker));
});

test('a stop does not wait for a stream that does not answer, and starts no daemon', async (t) => {
  const table = await DynamoDbDouble.start();
  t.after(() => table.stop());
  kinesis.onRequest = (operation) => (operation === 'ListShards' ? 'hang' : null);
  const before = kinesis.calls.get('ListShards') ?? 0;
  const run = launch({ java: { command: daemon('exit 7') }, dynamodb: { endpoint: table.endpoint } });
  await until('the stream is looked at', () => (kinesis.calls.get('ListShards') ?? 0) > before);
  run.process.kill('SIGTERM');
  assert.equal(await run.ended, 0);
  kinesis.onRequest = () => null;
  assert.doesNotMatch(run.log(), /the daemon runs/);
});

test('a daemon that does not end is killed after the stop time', async () => {
  const run = launch({
    java: { command: daemon('trap "" TERM\nwhile :; do sleep 0.05; done') },
    stop_timeout: '300ms',
  });
  await until('the daemon runs', () => run.log().includes('the daemon runs'));
  run.process.kill('SIGTERM');
  assert.equal(await run.ended, 4);
  assert.match(run.log(), /stop_timeout/);
});

test('a killed launcher leaves nobody behind', async () => {
  const pids = path.join(directory, 'pids');
  const body = `trap "" TERM INT HUP\nsleep 300 &\necho $$ $! > "${pids}.new"; mv "${pids}.new" "${pids}"\nwait; sleep 300`;
  const run = launch({ java: { command: daemon(body) } });
  await until('the daemon runs', () => fs.existsSync(pids));
  const all = fs.readFileSync(pids, 'utf8').trim().split(' ').map(Number);
  assert.equal(all.length, 2);
  assert.ok(all.every(runs));
  run.process.kill('SIGKILL');
  await until('daemon and child are gone', () => !all.some(runs));
  await run.ended;
});

test('a launcher that is killed in the moment in which the daemon begins leaves nobody behind', async () => {
  for (let i = 0; i < 5; i++) {
    const file = path.join(directory, `first-${i}`);
    const run = launch({ java: { command: daemon(`kill -9 $PPID\necho $$ > "${file}"\nsleep 300`) } });
    assert.equal(await run.ended, 'SIGKILL');
    const pid = fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) : 0;
    await until('the daemon is gone, too', () => pid === 0 || !runs(pid));
  }
});

/**
 * Plays a daemon with two shards: b joins after a got its share, and leaves after both got theirs. At a stop a archives
 * what it has, and the daemon does not end by itself.
 */
const SHARDS = `
import { connect } from 'node:net';
import { appendFileSync } from 'node:fs';
const report = (shard, phase) => JSON.stringify({ ...${JSON.stringify(new ShardStatus(0).report())}, shard, pid: shard.charCodeAt(0), phase }) + '\\n';
const open = (shard, onShare) => {
  const socket = connect(process.env.TAILRACE_REPORTS);
  let shares = 0;
  let text = '';
  socket.on('data', (part) => {
    const lines = (text + part).split('\\n');
    text = lines.pop();
    for (const line of lines) {
      appendFileSync(process.env.SHARES, shard + ' ' + JSON.parse(line).max_bytes + '\\n');
      onShare((shares += 1), socket);
    }
  });
  socket.write(report(shard, 'running'));
  return socket;
};
const a = open('a', (nth) => {
  if (nth === 1) open('b', (n, socket) => { if (n === 2) socket.end(report('b', 'lost')); });
});
process.on('SIGTERM', () => a.write(report('a', 'flushed')));
setInterval(() => {}, 1000);
`;

test('the memory for batches is divided by the shards that are here, whenever one comes or goes', async () => {
  const script = path.join(directory, 'shards.mjs');
  const shares = path.join(directory, 'shares');
  fs.writeFileSync(script, SHARDS);
  const run = launch({
    java: { command: daemon(`SHARES="${shares}" exec "${process.execPath}" "${script}"`) },
    batch: { memory: '64MiB', max_bytes: '64MiB' },
    stop_timeout: '10s',
  });
  const lines = (): string[] =>
    fs.existsSync(shares) ? fs.readFileSync(shares, 'utf8').trim().split('\n') : [];
  const of = (shard: string): number[] =>
    lines()
      .filter((line) => line.startsWith(shard))
      .map((line) => Number(line.split(' ')[1]) / 1024 / 1024);
  await until('a has all of it once more', () => of('a').length === 3);
  assert.deepEqual(of('a'), [64, 32, 64]);
  // The last one's earlier share is there until it has reported itself.
  assert.deepEqual(of('b').slice(0, 2), [64, 32]);
  run.process.kill('SIGTERM');
  assert.equal(await run.ended, 0, 'a daemon whose shards are flushed has nothing more to do');
});

test('a relay ends with its shard although its files were cleaned up meanwhile', async () => {
  const pipes = fs.mkdtempSync(path.join(directory, 'pipes-'));
  const body = `cd "${pipes}" && mkfifo in out
sh "$TAILRACE_RELAY" <in >out & relay=$!
exec 7>in 8<out
# By the relay, and by the process that serves the shard.
until [ "$(ls -l /proc/*/fd 2>/dev/null | grep -c "$TAILRACE_RELAYS/exit.$relay$")" -ge 2 ]; do sleep 0.1; done
rm "$TAILRACE_RELAYS/exit.$relay" "$TAILRACE_RELAYS/life.$relay"
exec 7>&-
wait $relay; echo $? > ended.new; mv ended.new ended
exit 7`;
  const ended = path.join(pipes, 'ended');
  const run = launch({ java: { command: daemon(body) }, restart: { give_up_after: 1 } });
  await until('the relay has ended', () => fs.existsSync(ended));
  assert.equal(fs.readFileSync(ended, 'utf8'), '0\n', run.log());
  assert.equal(await run.ended, 1);
});

test('status shows a worker, and says when there is none', async () => {
  const [port] = await freePorts(1);
  const run = launch({
    java: { command: daemon("trap 'exit 143' TERM\nwhile :; do sleep 0.05; done") },
    http: { listen: `127.0.0.1:${port}` },
    worker_id: 'worker-\u001b[2J',
  });
  await until('the daemon runs', () => run.log().includes('the daemon runs'));
  const status = (...args: string[]) =>
    promisify(execFile)(process.execPath, [CLI, 'status', '--config', run.config, ...args]);
  const text = (await status()).stdout;
  assert.match(text, /^consumer worker-\\u001b\[2J of tailrace on weblogs: running, daemon \d+, 0 shards\n/);
  assert.match(text, /total: 0 events in 0 chunks/);
  const json = JSON.parse((await status('--json')).stdout) as WorkerStatus;
  assert.deepEqual([json.phase, json.faults], ['running', []]);
  run.process.kill('SIGTERM');
  assert.equal(await run.ended, 0);
  await assert.rejects(status(), ({ code, stderr }: { code: number; stderr: string }) => {
    assert.equal(code, 1);
    assert.equal(stderr, `no consumer responds at http://127.0.0.1:${port}/status: ECONNREFUSED\n`);
    return true;
  });
});

test('what cannot work is refused in a line, with exit code 2', async (t) => {
  const java = { command: daemon('exit 0') };
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const port = (taken.address() as AddressInfo).port;
  t.after(() => taken.close());
  const stream = { name: 'weblogs', region: 'us-east-1' };
  const cases: [what: Record<string, unknown>, message: RegExp][] = [
    [
      { java: { command: '/nowhere/java' } },
      /\/nowhere\/java cannot be run: install a Java runtime, 17 or later/,
    ],
    [{ java: { ...java, jars: '/nowhere' } }, /java\.jars: \/nowhere does not contain/],
    [{ java, bach: {} }, /consumer-\d+\.yaml:\d+:\d+: bach: unknown key; did you mean batch\?/],
    [{ java, batch: { max_age: 'soon' } }, /batch\.max_age: expected a duration/],
    [{ java, batch: { max_bytes: '1GiB' } }, /batch\.max_bytes: is more than batch\.memory/],
    [
      { java, http: { listen: `127.0.0.1:${port}` } },
      new RegExp(`http.listen: 127.0.0.1:${port}: the port is in use`),
    ],
    [
      { java, stream: { ...stream, endpoint: 'http://127.0.0.1:9' } },
      /stream: http:\/\/127\.0\.0\.1:9 cannot be reached/,
    ],
  ];
  for (const [changes, message] of cases) {
    const run = launch(changes);
    assert.equal(await run.ended, 2, run.log());
    assert.match(run.log(), message);
    assert.equal(run.log().trim().split('\n').length, 1, run.log());
  }
});

test('--check refuses a worker that cannot hold its shards, and services that do not answer', async (t) => {
  const java = { command: daemon('exit 0') };
  const archive = { bucket: BUCKET, endpoint: s3.endpoint };
  const table = await DynamoDbDouble.start();
  t.after(() => table.stop());
  const dynamodb = { endpoint: table.endpoint };
  assert.equal(await launch({ java, archive, dynamodb }, '--check').ended, 0);
  const cases: [what: Record<string, unknown>, ...messages: RegExp[]][] = [
    [{ java: { ...java, heap: '64MiB' }, archive }, /java\.heap: 1 shards need 155MiB/],
    [
      { java, archive, batch: { memory: '1000KiB', max_bytes: '1000KiB' } },
      /batch\.memory: 1 shards would have less than 1 MiB/,
    ],
    [
      { java, archive: { ...archive, bucket: 'nowhere' } },
      // Nothing listens at the table's endpoint here: one line as well.
      /^.*table tailrace: dynamodb:DescribeTable, dynamodb:Scan, .*ECONNREFUSED.*\n.*archive\.bucket: there is no bucket nowhere at http:.*: create it, or correct its name\n$/,
    ],
  ];
  for (const [changes, ...messages] of cases) {
    const run = launch(changes, '--check');
    assert.equal(await run.ended, 2, run.log());
    for (const message of messages) assert.match(run.log(), message);
  }
  assert.equal(table.writes, 0, 'a check changes nothing');
});

test('a refused daemon and a stream that speaks no HTTP/2 are named', async (t) => {
  const denied =
    'software.amazon.awssdk.services.dynamodb.model.DynamoDbException: User: x is not authorized to perform: dynamodb:Scan';
  const body = `trap 'exit 143' TERM\necho "ERROR|Scheduler|Caught exception: ${denied}" >&2\necho "ERROR|AggregatorUtil|Unexpected exception during deaggregation, record was: Sequence number: 42" >&2\nwhile :; do sleep 0.05; done`;
  const [port] = await freePorts(1);
  const run = launch({ java: { command: daemon(body) }, http: { listen: `127.0.0.1:${port}` } });
  await until('the refusal is logged', () => run.log().includes('AWS refuses'));
  const answer = await fetch(`http://127.0.0.1:${port}/health`);
  assert.equal(answer.status, 503);
  assert.match(JSON.stringify(await answer.json()), /AWS refuses: .*dynamodb:Scan: allow this role/);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  assert.match(metrics, /tailrace_consumer_refused\{reason="access_denied"\} 1/);
  assert.match(metrics, /tailrace_consumer_deaggregation_failures_total 1/);
  run.process.kill('SIGTERM');
  assert.equal(await run.ended, 0);

  const old = createHttpServer((_request, response) => response.end('{}'));
  await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
  t.after(() => old.close());
  const endpoint = `http://127.0.0.1:${(old.address() as AddressInfo).port}`;
  const stream = { name: 'weblogs', region: 'us-east-1', endpoint };
  const refused = launch({ java: { command: daemon('exit 0') }, stream });
  assert.equal(await refused.ended, 2);
  assert.match(refused.log(), /stream\.endpoint: .* does not speak HTTP\/2, which the KCL needs/);
});
