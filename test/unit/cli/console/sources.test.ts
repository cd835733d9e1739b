/** Where statuses come from: endpoints, files and folders of them, and what is none. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sourceOf } from '../../../../cli/console/sources.ts';
import { StatusWatch } from '../../../../cli/console/status-watch.ts';
import { zeroCounters } from '../../../../consumer/status/report.ts';

const folder = mkdtempSync(join(tmpdir(), 'tailrace-sources-'));
after(() => rmSync(folder, { recursive: true }));

const chunks = { chunks: 1, events: 1000, bytes: 30_000 };
const agent = {
  ...{
    pid: 1,
    version: '0.1.0',
    host: 'web-1',
    state: 'ready',
    reasons: [],
    producer: 'a'.repeat(32),
    epoch: '0',
  },
  ...{
    uptime_ms: 1,
    inputs: {},
    troubled_inputs: [],
    sealed: chunks,
    acknowledged: { ...chunks, records: 1 },
  },
  events: { in: 1, open: 0, spooled: 0, acknowledged: 1, quarantined: 0 },
  spool: { bytes: 0, segments: 1, chunks: 0, quarantined: 0, blocked: null, oldest_age_ms: 0 },
  stream: { condition: 'ok', requests: 1, failed_requests: 0, retried_records: 0 },
  ...{ lanes: [], shards: {}, instance: { id: null, lifecycle: null, interruption: null, rebalance: null } },
};
const worker = { worker_id: 'w', application: 'tailrace', shards: {}, unread_ms: {}, totals: zeroCounters() };

before(() => {
  mkdirSync(join(folder, 'statuses'));
  writeFileSync(join(folder, 'statuses', 'web-1.json'), JSON.stringify(agent));
  writeFileSync(join(folder, 'statuses', 'worker.json'), JSON.stringify(worker));
  writeFileSync(join(folder, 'statuses', 'README'), 'not a status');
  writeFileSync(join(folder, 'other.json'), '{"ok":true}');
});

test('a folder of statuses: agents and consumers by what they say, as old as their files', async () => {
  const then = new Date('2026-11-23T07:00:00Z');
  utimesSync(join(folder, 'statuses', 'web-1.json'), then, then);
  const answers = await sourceOf(join(folder, 'statuses')).ask();
  assert.deepEqual(answers.map(({ kind }) => kind).sort(), ['agent', 'consumer']);
  assert.equal(answers.find(({ kind }) => kind === 'agent')!.at, then.getTime());
});

test('an endpoint, by its address alone or with a path; redirects are not followed', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/elsewhere') response.writeHead(302, { location: '/status' }).end();
    else if (request.url === '/status') response.end(JSON.stringify(agent));
    else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [answer] = await sourceOf(url).ask();
  assert.equal(answer!.kind, 'agent');
  await assert.rejects(sourceOf(`${url}/elsewhere`).ask());
  await assert.rejects(sourceOf(`${url}/nothing`).ask(), /HTTP status 404/);
});

test('what is none is refused by name: at once where it does not exist, else when it is asked', async () => {
  assert.throws(() => sourceOf(join(folder, 'nowhere')), /no such file or folder: give a URL such as/);
  await assert.rejects(
    sourceOf(join(folder, 'other.json')).ask(),
    /is not the status of an agent or a consumer/,
  );
});

test('rates are those between two answers; a counter that starts over is not a negative rate', async () => {
  let events = 1000;
  let at = 0;
  const watch = new StatusWatch([
    {
      name: 'web-1',
      ask: async () => [
        { kind: 'agent', source: 'web-1', at, agent: { ...agent, sealed: { ...chunks, events } } as never },
      ],
    },
  ]);
  await watch.look();
  assert.equal(watch.agents()[0]!.rate, null);
  [events, at] = [1600, 2000];
  await watch.look();
  assert.equal(watch.agents()[0]!.rate!.events, 300);
  [events, at] = [5, 4000];
  await watch.look();
  assert.equal(watch.agents()[0]!.rate!.events, 0);
});
