/** Logs of containers, and formats inside of others. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { events, format } from '../../../support/format-harness.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

const AT = '2026-11-23T20:30:00.123456789Z';
const cri = (tag: string, text: string, stream = 'stdout') => `${AT} ${stream} ${tag} ${text}`;
const docker = (log: string, stream = 'stdout') => JSON.stringify({ log, stream, time: AT });
const ACCESS = '192.0.2.1 - - [23/Nov/2026:20:30:00 +0000] "GET /a?token=secret HTTP/1.1" 200 12 "-" "curl"';

/** The events of a file, read by an agent that crashes between each piece. */
async function read(
  t: { after(f: () => unknown): void },
  options: object,
  name: string,
  pieces: readonly string[],
) {
  const file = path.join(temporaryFolder(t as never), name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, '');
  const tail = new TailHarness({ path: file, ...options });
  t.after(() => tail.crash());
  for (const piece of pieces) {
    await tail.start();
    fs.appendFileSync(file, piece);
    if (piece === pieces.at(-1)) await tail.settle();
    await tail.crash();
  }
  return tail.events().map(({ tag: _, hour: __, ...event }) => event);
}

test('cri: parts are joined by stream, whatever lies between them and wherever the agent dies', async (t) => {
  const name = 'shop_web-1_01234567-89ab-cdef-0123-456789abcdef/nginx/0.log';
  const text = [
    cri('P', 'one '),
    cri('F', 'err', 'stderr'),
    cri('P', 'and '),
    cri('F', 'two'),
    cri('F', 'three'),
  ]
    .map((line) => `${line}\n`)
    .join('');
  const kubernetes = {
    namespace: 'shop',
    pod: 'web-1',
    container: 'nginx',
    pod_uid: '01234567-89ab-cdef-0123-456789abcdef',
  };
  const time = '2026-11-23T20:30:00.123Z';
  const whole = [
    { time, stream: 'stderr', kubernetes, message: 'err' },
    { time, stream: 'stdout', kubernetes, message: 'one and two' },
    { time, stream: 'stdout', kubernetes, message: 'three' },
  ];
  assert.deepEqual(await read(t, { format: 'cri' }, name, [text]), whole);
  assert.deepEqual(
    await read(t, { format: 'cri' }, name, [text.slice(0, 60), text.slice(60, 200), text.slice(200)]),
    whole,
  );
});

test('container: lines of either, each as its own format takes it', () => {
  const lines = [cri('F', 'one'), docker('two\n'), 'neither', '{"neither":1}'];
  const either = events('container', lines);
  assert.deepEqual(either, [...events('cri', lines.slice(0, 1)), ...events('docker', lines.slice(1))]);
  assert.equal(either.filter((event) => event['_unparsed'] === true).length, 2);
});

test('docker: parts are joined, the line inside is parsed, the container is named', async (t) => {
  const id = 'a'.repeat(64);
  const lines = [
    docker(ACCESS.slice(0, 30)),
    docker(`${ACCESS.slice(30)}\n`),
    docker('oops\r\n', 'stderr'),
    'junk',
  ];
  const parsed = await read(t, { format: { type: 'docker', inner: 'nginx' } }, `${id}/${id}-json.log`, [
    `${lines.join('\n')}\n`,
  ]);
  assert.deepEqual(parsed, [
    {
      time: '2026-11-23T20:30:00Z',
      stream: 'stdout',
      docker: { container_id: id },
      remote: '192.0.2.1',
      method: 'GET',
      path: '/a?token=secret',
      protocol: 'HTTP/1.1',
      code: 200,
      size: 12,
      agent: 'curl',
    },
    {
      time: '2026-11-23T20:30:00.123Z',
      stream: 'stderr',
      docker: { container_id: id },
      message: 'oops',
      _unparsed: true,
    },
    { message: 'junk', _unparsed: true },
  ]);
});

test('containers: redactions act on the inner fields, and on the text that the inner format does not take', () => {
  const options = { type: 'cri', inner: 'nginx' };
  const redact = [{ field: 'path', query: ['token'] }];
  const lines = [cri('F', ACCESS), cri('F', 'odd /?token=secret')];
  const [first, second] = events(options, lines, { redact });
  assert.equal(first!.path, '/a?token=***');
  assert.deepEqual([second!.message, second!._unparsed], ['odd /?token=***', true]);
  assert.equal(format(options, lines).tally.unparsed, 1);
  assert.equal(events(options, lines, { redact: [{ field: 'user', mask: true }] })[1]!.message, '***');
});

test('a part whose rest does not come is an event that is marked', () => {
  const [event] = events('cri', [cri('P', 'half')]);
  assert.deepEqual([event!.message, event!._truncated], ['half', true]);
});

test('JSON in syslog and in a field of JSON', () => {
  const syslog = { type: 'syslog', timezone: 'UTC', inner: 'json' };
  assert.deepEqual(
    events(syslog, ['Nov 23 20:30:00 h app[1]: {"a":1,"b":{"c":2}}', 'Nov 23 20:30:00 h app[1]: text']),
    [
      { time: '2026-11-23T20:30:00Z', host: 'h', ident: 'app', pid: '1', a: 1, b: { c: 2 } },
      { time: '2026-11-23T20:30:00Z', host: 'h', ident: 'app', pid: '1', message: 'text', _unparsed: true },
    ],
  );
  const json = { type: 'json', inner: 'nginx', inner_field: 'log' };
  const [event] = events(json, [JSON.stringify({ log: `${ACCESS}\n`, x: 1 })]);
  assert.deepEqual([event!.remote, event!.x, event!.log], ['192.0.2.1', 1, undefined]);
  assert.throws(() => events({ type: 'json', inner: 'cri' }, []), /cri holds other formats/);
});
