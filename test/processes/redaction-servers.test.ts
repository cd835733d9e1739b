/** Real nginx and Apache under requests of any kind: no request makes a line on which a configured redaction does not act. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePorts } from '../../local/ports.ts';
import { format } from '../support/format-harness.ts';
import { temporaryFolder } from '../support/numbered-log.ts';
import { chance } from '../support/random.ts';

const REQUESTS = 600;
const CONNECTIONS = 16;
const MODULES = '/usr/lib/apache2/modules';

/** Each of these is written only where a redaction is to hide it. */
const TOKEN = 'T0KENVALUE';
const USER = 'U5ERNAME';
const FORWARDED = 'F0RWARDED';

const NGINX: Readonly<Record<string, string>> = {
  combined: '',
  main: '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"',
  port: '$remote_addr:$remote_port $remote_user [$time_local] "$request" $status "$http_referer"',
  forwarded:
    '$http_x_forwarded_for - $remote_user [$time_local] "$request" $status "$http_referer" $http_x_forwarded_for',
};
const APACHE: Readonly<Record<string, string>> = {
  combined: '%h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
  common: '%h %l %u %t "%r" %>s %b',
  vhost_combined: '%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"',
  forwarded: '%{X-Forwarded-For}i %l %u %t "%r" %>s %b "%{Referer}i"',
};

const redact = [
  { field: 'path', query: ['token'] },
  { field: 'referer', query: ['token'] },
  { field: 'user', mask: true },
  { field: 'http_x_forwarded_for', mask: true },
  { field: 'http_x_forwarded_for_2', mask: true },
  { field: 'remote', ip: 'truncate' },
  { field: 'host', ip: 'truncate' },
];

function installed(file: string): boolean {
  return fs.existsSync(file);
}

/** Requests made of what is known to confuse parsers of logs, as bytes of Latin-1. */
function requests(random: () => number): string[] {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const some = (values: readonly string[], most: number): string =>
    Array.from({ length: Math.floor(random() * (most + 1)) }, () => pick(values)).join('');
  const noise = [
    '"',
    '\\',
    ' ',
    '  ',
    '[',
    '] ',
    ' [',
    '-',
    '\t',
    '\xff',
    '\xc3\xa9',
    '\x01',
    "'",
    '%20',
    'a',
    '" ',
    '" 200 ',
    '\\x22',
    '\\"',
  ];
  const time = '[23/Nov/2026:20:30:00 +0000]';
  const header = [...noise, time, `${time} "GET / HTTP/1.1" 200 1`, ', ', '10.0.0.1', ' - ', '{', '}'].filter(
    (text) => text !== '\x01',
  );
  const methods = [
    'GET',
    'POST',
    'get',
    'M-SEARCH',
    'MY_METHOD',
    'VERSION-CONTROL',
    'G"T',
    '',
    '(x)',
    '-',
    '\x16\x03',
  ];
  const parameter = [
    `?token=${TOKEN}`,
    `?a=b&token=${TOKEN}`,
    `?%74oken=${TOKEN}`,
    `?a;token=${TOKEN};b`,
    `#token=${TOKEN}`,
  ];
  const protocols = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/1.1', 'HTTP/1.1 ', 'HTTP/9.9', 'HTTP', ''];
  return Array.from({ length: REQUESTS }, () => {
    const target = `${pick(['/', 'http://h/', '', '*', '/a'])}${some(noise, 2)}${pick(parameter)}${some(['&x=1', '&y="', '#z'], 1)}`;
    const line = `${pick(methods)}${pick([' ', ' ', ' ', '  '])}${target}${pick([' ', ' ', '  '])}${pick(protocols)}`;
    const user = Buffer.from(
      `${some(header, 3)}${USER}${some(header, 3)}${pick([':', ''])}x`,
      'latin1',
    ).toString('base64');
    const headers = [
      'Host: example.org',
      `Authorization: Basic ${pick([user, user, 'Og=='])}`,
      `Referer: ${some(header, 2)}/r?token=${TOKEN}`,
      `User-Agent: ${some(header, 4)}`,
      `X-Forwarded-For: ${some(header, 3)}${FORWARDED}${some(header, 2)}`,
    ].filter(() => random() < 0.8);
    return [line, ...headers, 'Connection: close', '', ''].join('\r\n');
  });
}

async function send(port: number, texts: readonly string[]): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < texts.length) {
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => socket.destroy());
      socket.resume();
      socket.end(Buffer.from(texts[next++]!, 'latin1'));
      await new Promise((resolve) => socket.once('close', resolve));
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
}

async function listening(server: ChildProcess, port: number, errors: string): Promise<void> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (connected) return;
    if (server.exitCode !== null) assert.fail(fs.readFileSync(errors, 'utf8'));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs a server, sends the requests, and ends it, so that its logs are whole. */
async function serve(
  t: TestContext,
  command: readonly string[],
  folder: string,
  port: number,
  texts: readonly string[],
) {
  const server = spawn(command[0]!, command.slice(1), { stdio: 'ignore' });
  t.after(() => server.kill('SIGKILL'));
  await listening(server, port, path.join(folder, 'error.log'));
  await send(port, texts);
  server.kill('SIGTERM');
  await once(server, 'exit');
}

function check(folder: string, type: string, formats: Readonly<Record<string, string>>): void {
  for (const [name, log_format] of Object.entries(formats)) {
    const text = fs.readFileSync(path.join(folder, `${name}.log`), 'latin1');
    const lines = text.split('\n').slice(0, -1);
    assert.ok(lines.length >= REQUESTS / 2, `${name}: ${lines.length} lines`);
    const options = log_format === '' ? type : { type, log_format };
    const bytes = lines.map((line) => Buffer.from(line, 'latin1'));
    const { lines: out, tally } = format(options, bytes, { redact }, Date.now());
    const unparsed = lines[out.findIndex(({ json }) => json.includes('"_unparsed":true'))];
    assert.equal(tally.unparsed, 0, `${type} ${name}: ${unparsed}`);
    out.forEach(({ json }, i) => {
      for (const secret of [TOKEN, USER, FORWARDED, '127.0.0.1'])
        assert.ok(!json.includes(secret), `${type} ${name}: ${secret} of ${lines[i]} is in ${json}`);
    });
  }
}

test('nginx', {
  skip: installed('/usr/sbin/nginx') ? false : 'nginx is not installed (Debian: nginx-light)',
}, async (t) => {
  const folder = temporaryFolder(t);
  const [port] = await freePorts(1);
  const logs = Object.entries(NGINX).map(([name, text]) =>
    text === ''
      ? `access_log ${folder}/${name}.log combined;`
      : `log_format ${name}_ '${text}'; access_log ${folder}/${name}.log ${name}_;`,
  );
  fs.writeFileSync(
    path.join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log; user root;
     events {}
     http {
       client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
       uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
       ${logs.join('\n')}
       server { listen 127.0.0.1:${port}; location / { return 200 ok; } }
     }`,
  );
  const command = ['/usr/sbin/nginx', '-p', folder, '-c', path.join(folder, 'nginx.conf')];
  await serve(t, command, folder, port!, requests(chance(t)));
  check(folder, 'nginx', NGINX);
});

test('Apache', {
  skip: installed(MODULES) ? false : 'Apache is not installed (Debian: apache2-bin)',
}, async (t) => {
  const folder = temporaryFolder(t);
  const [port] = await freePorts(1);
  const modules = ['mpm_event', 'authn_core', 'authn_file', 'authz_core', 'authz_user', 'auth_basic'];
  const config = path.join(folder, 'httpd.conf');
  fs.writeFileSync(path.join(folder, 'users'), '');
  fs.writeFileSync(
    config,
    [
      'ServerName example.org',
      `Listen 127.0.0.1:${port}`,
      `PidFile ${folder}/pid`,
      `DefaultRuntimeDir ${folder}`,
      ...modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`),
      `ErrorLog ${folder}/error.log`,
      ...Object.entries(APACHE).map(
        ([name, text]) => `CustomLog ${folder}/${name}.log "${text.replaceAll('"', '\\"')}"`,
      ),
      `DocumentRoot ${folder}`,
      // An unknown user's name is logged as it was sent.
      '<Location />',
      'AuthType Basic',
      'AuthName x',
      `AuthUserFile ${folder}/users`,
      'Require valid-user',
      '</Location>',
      '',
    ].join('\n'),
  );
  await serve(t, ['/usr/sbin/apache2', '-X', '-f', config], folder, port!, requests(chance(t)));
  check(folder, 'apache2', APACHE);
});
