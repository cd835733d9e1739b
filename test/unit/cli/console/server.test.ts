/** The console's server over an archive in memory: what it says of hours, shards and producers, and whom it answers. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { TailraceError } from '../../../../base/errors.ts';
import type { Now, Past } from '../../../../cli/console/api.ts';
import type { Source } from '../../../../cli/console/sources.ts';
import { ChunkSource, type MadeChunk } from '../../../support/chunks.ts';
import { startConsole } from '../../../support/console-server.ts';
import { MemoryArchive } from '../../../support/memory-archive.ts';
import { archiveInto, archiveOf, HOUR, NOW } from '../../../support/small-archive.ts';

const MINUTE = 60_000;
const END = NOW + 60 * MINUTE;

/** Epochs are times of 48 bits and 16 more. */
const agentOf = (name: string): ChunkSource => new ChunkSource({ name, epoch: (NOW - 60 * MINUTE) * 65_536 });
const mark = (from: ChunkSource, until: number): MadeChunk =>
  from.next('', HOUR, 0, { firstTime: until, lastTime: until + 1000 });

async function get<T>(url: string): Promise<T> {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return (await response.json()) as T;
}

/** One with a Host header of the caller's choice, which fetch does not allow. */
function ask(url: string, headers: Record<string, string>, method = 'GET'): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, method }, (response) => {
      let body = '';
      response.on('data', (part) => {
        body += part;
      });
      response.on('end', () => resolve([response.statusCode!, body]));
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('an archive alone: the hour closes, the shard has its rates, the producer its last cut', async (t) => {
  const agent = agentOf('web');
  const times = [NOW + MINUTE, END + 14 * MINUTE];
  const archive = await archiveOf(
    [[agent.next('nginx.access', HOUR, 6)], [mark(agent, END + 12 * MINUTE)]],
    undefined,
    undefined,
    (n) => times[n]!,
  );
  const { url } = await startConsole(t, { archive, now: END + 15 * MINUTE });
  const now = await get<Now>(`${url}/api/now`);
  assert.deepEqual([now.story.complete.level, now.story.complete.text], ['good', 'Complete up to 09:00']);
  assert.equal(now.story.well.text, 'Nothing wrong in the archive');
  const [shard] = now.shards;
  assert.deepEqual([now.shards.length, shard!.shard, shard!.commits], [1, 'shard-0', 2]);
  const [producer] = now.producers;
  assert.deepEqual(
    [producer!.producer, producer!.state, producer!.until],
    [agent.producer, 'sending', END + 12 * MINUTE],
  );
  assert.deepEqual(
    now.tags.map(({ tag, events }) => [tag, events]),
    [['nginx.access', 6]],
  );
  assert.ok(now.blind.some(({ how }) => how.includes('--status')));
  const past = await get<Past>(`${url}/api/past`);
  const [before, bar, running] = past.hours.slice(-3);
  assert.deepEqual(
    [before!.state, bar!.state, bar!.events, running!.state],
    ['before', 'closed', 6, 'running'],
  );
});

test('chunks that do not come: red once they could have come, and named', async (t) => {
  const agent = agentOf('web');
  agent.next('t', HOUR, 1);
  const kept = agent.next('t', HOUR, 1);
  const batch = [kept, mark(agent, END + 12 * MINUTE)];
  const archive = await archiveOf([batch], undefined, undefined, () => END + 13 * MINUTE);
  const server = await startConsole(t, { archive, now: END + 11 * MINUTE });
  const stateAt = async (now: number): Promise<string> => {
    server.at(now);
    return (await get<Past>(`${server.url}/api/past`)).hours.find(({ hour }) => hour === HOUR)!.state;
  };
  assert.equal(await stateAt(END - MINUTE), 'running');
  assert.equal(await stateAt(END + 11 * MINUTE), 'open');
  assert.equal(await stateAt(END + 21 * MINUTE), 'holed');
  const { story } = await get<Now>(`${server.url}/api/now`);
  assert.deepEqual([story.complete.level, story.complete.text], ['bad', 'Chunks are missing in 1 hour']);
  assert.match(story.complete.details[0]!, /1 producer whose chunks are missing/);
});

test('what comes later is followed, with few requests', async (t) => {
  const agent = agentOf('web');
  const archive = new CountingArchive();
  await archiveOf([[agent.next('t', HOUR, 1)]], archive);
  const server = await startConsole(t, { archive, now: NOW + 5 * MINUTE });
  await get<Now>(`${server.url}/api/now`);
  archive.requests = 0;
  server.at(NOW + 6 * MINUTE);
  await get<Now>(`${server.url}/api/now`);
  // Folders of incarnations and of shards, and the newest commit of the one log.
  assert.equal(archive.requests, 3);
  await archiveInto(archive, [[agent.next('t', HOUR, 4)]], 'shard-1', () => NOW + 6 * MINUTE);
  server.at(NOW + 7 * MINUTE);
  const now = await get<Now>(`${server.url}/api/now`);
  assert.deepEqual([now.tags[0]!.events, now.shards.length], [5, 2]);
});

test('nothing is read while nobody looks', async (t) => {
  const archive = new CountingArchive();
  const { hub } = await startConsole(t, { archive, now: NOW });
  const stop = hub.watch(() => {});
  assert.ok(archive.requests > 0);
  stop();
  await hub.now();
  const { requests } = archive;
  t.mock.timers.enable({ apis: ['setInterval'] });
  t.mock.timers.tick(60_000);
  assert.deepEqual([hub.watchers, archive.requests], [0, requests]);
});

test('an empty archive says what to do next, and one that cannot be read says why', async (t) => {
  const archive = new CountingArchive();
  const server = await startConsole(t, { archive, now: NOW });
  const now = await get<Now>(`${server.url}/api/now`);
  assert.deepEqual([now.story.well.level, now.story.complete.text], ['unknown', 'Nothing is archived yet']);
  assert.match(now.blind[0]!.how, /start an agent/);
  archive.fault = new Error('Access Denied');
  server.at(NOW + MINUTE);
  const later = await get<Now>(`${server.url}/api/now`);
  assert.match(later.story.well.details[0]!, /the archive cannot be read: Access Denied/);
});

test('a source that was named and does not respond is a fault; a guess is not', async (t) => {
  const fail = async (): Promise<never> => {
    throw new Error('ECONNREFUSED');
  };
  const sources: Source[] = [
    { name: 'http://web-1:24280', ask: fail },
    { name: 'consumer.yaml', isGuess: true, ask: fail },
  ];
  const { url } = await startConsole(t, { archive: new MemoryArchive(), now: NOW, sources });
  const { story } = await get<Now>(`${url}/api/now`);
  assert.deepEqual(story.well.details, ['http://web-1:24280 does not respond: ECONNREFUSED']);
});

test('whatever a source throws, the console goes on and names it', async (t) => {
  const throwing = (error: unknown): Source['ask'] => {
    return async () => {
      throw error;
    };
  };
  const timeout = new DOMException('The operation was aborted due to timeout', 'TimeoutError');
  const sources: Source[] = [
    {
      name: 'a',
      ask: throwing(new TailraceError('NO_CONSUMER', 'no consumer responds', { cause: timeout })),
    },
    { name: 'b', ask: throwing(timeout) },
    { name: 'c', ask: throwing(new Error('fetch failed', { cause: { code: 'ENOTFOUND' } })) },
    { name: 'd', ask: throwing(undefined) },
  ];
  const { url } = await startConsole(t, { archive: new MemoryArchive(), now: NOW, sources });
  const { story } = await get<Now>(`${url}/api/now`);
  assert.equal(story.well.level, 'bad');
  assert.match(story.well.details.join('\n'), /unexpected error of the console/);
  sources.pop();
  const other = await startConsole(t, { archive: new MemoryArchive(), now: NOW, sources });
  assert.deepEqual((await get<Now>(`${other.url}/api/now`)).story.well.details, [
    'a does not respond: no consumer responds',
    'b does not respond: The operation was aborted due to timeout',
    'c does not respond: ENOTFOUND',
  ]);
});

test('more commits than fit into memory: fewer hours, and it says so', async (t) => {
  const agent = agentOf('web');
  const now = Date.now();
  const hour = Math.floor(now / 3_600_000);
  const batches = Array.from({ length: 6 }, (_, i) => [agent.next('t', hour - 5 + i, 1)]);
  const archive = await archiveOf(batches, undefined, undefined, (n) => now - (5 - n) * 60 * MINUTE);
  const { url } = await startConsole(t, { archive, now, mostCommits: 4 });
  const past = await get<Past>(`${url}/api/past`);
  assert.match(past.shortened!, /hours before .* are left out/);
  assert.ok(past.hours.length < 6);
});

test('it answers to localhost alone, to no other site, and only reads', async (t) => {
  const { url } = await startConsole(t, { archive: new MemoryArchive(), now: NOW });
  const now = `${url}/api/now`;
  assert.equal((await ask(now, { host: 'localhost:8080' }))[0], 200);
  assert.equal((await ask(now, { host: '[::1]' }))[0], 200);
  for (const host of ['evil.example', 'localhost.evil.example', '10.0.0.1', '127.0.0.1.evil.example:80'])
    assert.equal((await ask(now, { host }))[0], 421, host);
  for (const site of ['cross-site', 'same-site'])
    assert.equal((await ask(now, { host: 'localhost', 'sec-fetch-site': site }))[0], 403);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])
    assert.equal((await ask(now, { host: 'localhost' }, method))[0], 405, method);
  assert.equal((await ask(`${url}/../../package.json`, { host: 'localhost' }))[0], 404);
  const response = await fetch(now);
  assert.match(response.headers.get('content-security-policy')!, /default-src 'none'/);
  assert.equal(response.headers.get('access-control-allow-origin'), null);
});

test('with a token, requests without it are refused; it comes by cookie or header', async (t) => {
  const token = 'a-token-of-sixteen-or-more';
  const { url } = await startConsole(t, { archive: new MemoryArchive(), now: NOW, token });
  const now = `${url}/api/now`;
  assert.equal((await ask(now, { host: 'worker-1.internal' }))[0], 401);
  assert.equal((await ask(now, { host: 'worker-1.internal', authorization: 'Bearer wrong' }))[0], 401);
  assert.equal((await ask(now, { host: 'worker-1.internal', authorization: `Bearer ${token}` }))[0], 200);
  assert.equal((await fetch(`${url}/?token=wrong`, { redirect: 'manual' })).status, 401);
  const entry = await fetch(`${url}/?token=${token}`, { redirect: 'manual' });
  const cookie = entry.headers.get('set-cookie')!;
  assert.deepEqual([entry.status, entry.headers.get('location')], [303, '/']);
  assert.match(cookie, /; HttpOnly; SameSite=Lax/);
  assert.ok(!cookie.includes(token));
  assert.equal((await ask(now, { host: 'worker-1.internal', cookie: cookie.split(';')[0]! }))[0], 200);
});

test('a line of JSON after another: bounded, ended with its reader, and an error is a line', async (t) => {
  const begun = Promise.withResolvers<AbortSignal>();
  const { url } = await startConsole(t, {
    archive: new MemoryArchive(),
    now: NOW,
    answerers: {
      '/api/slow': {
        most: 1,
        answer: async (_parameters, say, signal) => {
          await say({ first: 1 });
          begun.resolve(signal);
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        },
      },
      '/api/broken': {
        most: 1,
        answer: async () => {
          throw new Error('out of order');
        },
      },
    },
  });
  const reader = new AbortController();
  const slow = await fetch(`${url}/api/slow`, { signal: reader.signal });
  const signal = await begun.promise;
  const second = await fetch(`${url}/api/slow`);
  assert.deepEqual([second.status, Object.keys((await second.json()) as object)], [429, ['error']]);
  reader.abort();
  await assert.rejects(slow.text());
  await new Promise((resolve) =>
    signal.aborted ? resolve(null) : signal.addEventListener('abort', resolve),
  );
  assert.match(await (await fetch(`${url}/api/broken`)).text(), /"error":"unexpected error.*out of order"/);
});

/** Counts what it is asked. */
class CountingArchive extends MemoryArchive {
  requests = 0;
  fault: Error | null = null;

  override async get(key: string): Promise<Buffer | null> {
    this.#count();
    return super.get(key);
  }

  override async head(key: string): Promise<number | null> {
    this.#count();
    return super.head(key);
  }

  override async first(prefix: string): Promise<string | null> {
    this.#count();
    return super.first(prefix);
  }

  override async folders(prefix: string): Promise<string[]> {
    this.#count();
    return super.folders(prefix);
  }

  #count(): void {
    this.requests += 1;
    if (this.fault) throw this.fault;
  }
}
