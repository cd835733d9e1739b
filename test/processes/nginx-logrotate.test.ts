import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { test } from 'node:test';
import { freePorts } from '../../local/ports.ts';
import { temporaryFolder } from '../support/numbered-log.ts';
import { TailHarness } from '../support/tail-harness.ts';

const REQUESTS = 4000;
/** Combined, and an id: ab's requests are alike, and generations that begin with the same bytes are taken for one. */
const FORMAT =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_id';
const ROUNDS = 5;

function installed(program: string): boolean {
  return ['/usr/bin', '/usr/sbin', '/bin', '/sbin'].some((folder) =>
    fs.existsSync(path.join(folder, program)),
  );
}

const missing = ['nginx', 'ab', 'logrotate'].filter((program) => !installed(program));
const skip =
  missing.length > 0
    ? `${missing.join(', ')} not installed (Debian: nginx-light apache2-utils logrotate)`
    : process.getuid?.() !== 0
      ? 'logrotate takes another owner of its configuration than root for an attack'
      : false;

/** nginx in the foreground with an access log of its own; the fields that the parser is compared with are next to it. */
async function startNginx(folder: string, port: number) {
  const config = path.join(folder, 'nginx.conf');
  fs.writeFileSync(
    config,
    `daemon off; worker_processes 2; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
     ${process.getuid?.() === 0 ? 'user root;' : ''}
     events { worker_connections 256; }
     http {
       client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
       uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
       log_format numbered '${FORMAT}'; access_log ${folder}/access.log numbered;
       server { listen 127.0.0.1:${port}; location / { return 200 "ok\\n"; } location /missing { return 404; } }
     }`,
  );
  const child = spawn('nginx', ['-c', config, '-p', folder], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    stdio: 'ignore',
  });
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (connected) return child;
    if (child.exitCode !== null)
      assert.fail(`nginx: ${fs.readFileSync(path.join(folder, 'error.log'), 'utf8')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** HTTP requests, each with a number in its path. */
async function load(port: number, mark: string): Promise<void> {
  const child = spawn(
    'ab',
    [
      '-q',
      '-k',
      '-n',
      String(REQUESTS),
      '-c',
      '20',
      '-H',
      `Referer: https://example.org/"${mark}"`,
      `http://127.0.0.1:${port}/${mark}?a=b`,
    ],
    { stdio: 'ignore' },
  );
  const [code] = await once(child, 'exit');
  assert.equal(code, 0, 'ab failed');
}

/** Every line of the log and its rotated files, compressed ones too. */
function allLines(folder: string): string[] {
  return fs
    .readdirSync(folder)
    .filter((name) => name.startsWith('access.log'))
    .flatMap((name) => {
      const file = path.join(folder, name);
      const text = name.endsWith('.gz')
        ? execFileSync('gzip', ['-dc', file], { maxBuffer: 2 ** 30 }).toString()
        : fs.readFileSync(file, 'utf8');
      return text.split('\n').slice(0, -1);
    });
}

const COMBINED = /^(\S+) - (.*) \[(.*)\] "(\S+) (.*) (\S+)" (\d+) (\d+) "(.*)" "(.*)" (\w+)$/;

/** The event of a line as a regular expression reads it: another way than the parser's. */
function expected(line: string): Record<string, unknown> {
  const [, remote, user, time, method, uri, protocol, code, size, referer, agent, id] = COMBINED.exec(line)!;
  const [, day, month, rest, zone] = /^(\d+)\/(\w+)\/(.{13}) (.*)$/.exec(time!)!;
  const text = (value: string) =>
    value.replace(/\\x([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  const fields = {
    remote,
    user,
    time: `${new Date(`${day} ${month} ${rest!.replace(':', ' ')} ${zone}`).toISOString().slice(0, 19)}Z`,
    method,
    path: text(uri!),
    protocol,
    code: Number(code),
    size: Number(size),
    referer: text(referer!),
    agent,
    request_id: id,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '-'));
}

for (const mode of ['create', 'copytruncate'] as const) {
  test(`nginx under load, logrotate with ${mode}: the events are the lines`, {
    skip,
    timeout: 120_000,
  }, async (t) => {
    const folder = temporaryFolder(t);
    const port = (await freePorts(1))[0]!;
    const nginx = await startNginx(folder, port);
    t.after(async () => {
      nginx.kill('SIGTERM');
      if (nginx.exitCode === null) await once(nginx, 'exit');
    });
    const config = path.join(folder, 'logrotate.conf');
    fs.writeFileSync(
      config,
      `su root root
       ${folder}/access.log {
         rotate 20
         missingok
         compress
         delaycompress
         ${mode === 'create' ? 'create' : 'copytruncate'}
         ${mode === 'create' ? `postrotate\n kill -USR1 $(cat ${folder}/nginx.pid)\n endscript` : ''}
       }`,
      { mode: 0o644 },
    );
    const rotate = () => {
      const result = spawnSync('/usr/sbin/logrotate', ['-f', '-s', path.join(folder, 'state'), config]);
      assert.equal(result.status, 0, String(result.stderr));
    };
    const tail = new TailHarness({
      path: path.join(folder, 'access.log'),
      format: { type: 'nginx', log_format: FORMAT },
      rotate_wait: '300ms',
    });
    t.after(() => tail.crash());
    await tail.start();
    tail.cut();
    for (let round = 0; round < ROUNDS; round++) {
      const loaded = load(port, `round-${round}`);
      // copytruncate itself loses what is written between its copy and its truncation: nothing may be.
      if (mode === 'copytruncate') await loaded;
      rotate();
      await loaded;
      tail.cut();
      if (round % 2 === 1) {
        await tail.crash();
        await load(port, 'down');
        rotate();
        await tail.start();
      }
    }
    await tail.settle();
    const lines = allLines(folder).map((line) => JSON.stringify(sorted(expected(line))));
    const events = tail.lines().map((line) => JSON.stringify(sorted(JSON.parse(line))));
    assert.ok(lines.length >= REQUESTS * ROUNDS);
    assert.equal(events.length, lines.length);
    assert.deepEqual(counted(events), counted(lines));
  });
}

function sorted(event: Record<string, unknown>): [string, unknown][] {
  return Object.entries(event).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** How often each comes. */
function counted(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
