/** Types what docs/getting-started.md says, in its order, and looks at what it promises. `npm run test:getting-started` */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { codeOf, ROOT, readDocument } from '../support/documents.ts';

const blocks = codeOf(readDocument('docs/getting-started.md').text)
  .blocks.filter(({ language }) => language === 'sh')
  .map(({ text }) => text);
const [start, read, files, local, run, send, look, plain] = blocks as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];

function bash(script: string, timeout = 300_000): string {
  const { status, stdout, stderr } = spawnSync('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout,
  });
  assert.equal(status, 0, `${script}\n${stdout}${stderr}`);
  return stdout;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('the demo, and the commands that read its archive', () => {
  assert.equal(blocks.length, 8);
  assert.equal(start, 'npm start\n');
  assert.match(bash(`${start.trim()} -- --events 2000 --exit`), /lost 0 repeated 0/);
  const said = bash(read);
  assert.match(said, /"code":503/);
  assert.match(said, /OK: nothing is missing, nothing is repeated/);
});

test('a log of one’s own', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'first-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const address = `127.0.0.1:${await freePort()}`;
  const here = (text: string): string =>
    text
      .replaceAll('/tmp/first', folder)
      .replaceAll('127.0.0.1:24224', address)
      .replaceAll('tailrace send ', `tailrace send --address ${address} `);
  bash(here(files));
  const archived = here('npx tailrace cat --config /tmp/first/consumer.yaml --count');
  const script = [
    here(run),
    // A reader of the page looks at the status; KCL takes its time.
    `until npx tailrace status --config ${folder}/agent.yaml > /dev/null 2>&1; do sleep 1; done`,
    here(send),
    `until [ "$(${archived} 2> /dev/null)" = 3 ]; do sleep 1; done`,
    here(look),
    'kill $(jobs -p); wait',
  ];
  writeFileSync(join(folder, 'shell.sh'), script.join('\n'));
  assert.ok(local.trimEnd().endsWith(' -- bash'));
  const said = bash(`${here(local).trimEnd()} -e ${folder}/shell.sh`);
  assert.match(said, /"path":"\/nothing","protocol":"HTTP\/1\.1","code":404/);
  assert.match(said, /consumer\.yaml: fine/);
  assert.match(said, /acks 1, events 1/);
  assert.match(said, /"order":17/);
  assert.match(said, /OK: nothing is missing, nothing is repeated/);
  assert.equal(bash(here(plain)).trim().split('\n').length, 3);
});
