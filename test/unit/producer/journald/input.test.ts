/** The journal through a journalctl that plays a file of entries, and through the real one where it can be had. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import pino from 'pino';
import * as z from 'zod/mini';
import { Builders, DEFAULT_BUILDER_LIMITS } from '../../../../producer/builder.ts';
import { Counters } from '../../../../producer/counters.ts';
import type { Input } from '../../../../producer/input.ts';
import { compileEntry } from '../../../../producer/journald/entry.ts';
import { createJournaldInput } from '../../../../producer/journald/input.ts';
import { journaldOptions } from '../../../../producer/journald/options.ts';
import { type Json, StateMap } from '../../../../producer/state.ts';
import { NO_METADATA } from '../../../support/metadata-double.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';

/** Plays the lines of the file JOURNAL behind the cursor; follows until it is killed. */
const FAKE = `#!/usr/bin/env node
const fs = require('node:fs');
const args = process.argv.slice(2);
const value = (name) => args.find((arg) => arg.startsWith(name + '='))?.slice(name.length + 1);
let after = value('--after-cursor');
let lines = fs.readFileSync(process.env.JOURNAL, 'utf8').split('\\n').slice(0, -1);
if (after !== undefined) lines = lines.slice(lines.findIndex((line) => JSON.parse(line).__CURSOR === after) + 1);
const last = value('--lines');
if (last !== undefined) lines = Number(last) === 0 ? [] : lines.slice(-last);
if (args.includes('--follow')) lines = lines.slice(0, 2);
process.stdout.write(lines.map((line) => line + '\\n').join(''));
if (args.includes('--follow')) setInterval(() => {}, 1000);
`;

const entry = (n: number, more: object = {}) =>
  JSON.stringify({
    __CURSOR: `c${n}`,
    __REALTIME_TIMESTAMP: '1795465800250000',
    _HOSTNAME: 'web',
    SYSLOG_IDENTIFIER: 'nginx',
    _PID: '12',
    _SYSTEMD_UNIT: 'nginx.service',
    PRIORITY: '6',
    SYSLOG_FACILITY: '3',
    MESSAGE: `line ${n}`,
    ...more,
  });

/** An agent that keeps what was cut, and loses what was not. */
class Harness {
  readonly saved = new Map<string, Json>();
  readonly durable: Record<string, unknown>[] = [];
  readonly counters = new Counters();
  readonly options: unknown;
  input!: Input;
  #state!: StateMap;
  #builders!: Builders;

  constructor(options: object) {
    this.options = { type: 'journald', tag: 'journal', ...options };
  }

  async start(): Promise<void> {
    this.#state = new StateMap(this.saved);
    this.#builders = new Builders(DEFAULT_BUILDER_LIMITS, Date.now, new Counters(), () => undefined);
    this.input = createJournaldInput(z.parse(journaldOptions, this.options), {
      builders: this.#builders,
      state: this.#state,
      afterDurable: (done) => setImmediate(done),
      log: pino({ level: 'silent' }),
      now: Date.now,
      uptime: () => performance.now(),
      counters: this.counters,
      metadata: NO_METADATA,
    });
    await this.input.start();
  }

  cut(): void {
    for (const builder of this.#builders.filled()) {
      const lines = builder.buffer.toString('utf8', 0, builder.length).split('\n').slice(0, -1);
      this.durable.push(...lines.map((line) => JSON.parse(line) as Record<string, unknown>));
      builder.clear();
    }
    for (const [key, value] of Object.entries(this.#state.takeChanges())) {
      if (value !== null) this.saved.set(key, value);
    }
  }
}

function fakeJournalctl(t: TestContext, lines: readonly string[]): string {
  const folder = temporaryFolder(t);
  fs.writeFileSync(path.join(folder, 'journalctl'), FAKE, { mode: 0o755 });
  const journal = path.join(folder, 'journal');
  fs.writeFileSync(journal, lines.map((line) => `${line}\n`).join(''));
  const { PATH } = process.env;
  process.env['PATH'] = `${folder}:${path.dirname(process.execPath)}:${PATH}`;
  process.env['JOURNAL'] = journal;
  t.after(() => {
    process.env['PATH'] = PATH;
  });
  return journal;
}

test('each entry once: by a drain, after an agent that lost what it had read, and after a clean stop', async (t) => {
  const journal = fakeJournalctl(
    t,
    [1, 2, 3, 4].map((n) => entry(n)),
  );
  const agent = new Harness({});
  await agent.start();
  await agent.input.drain();
  await agent.input.stop();
  // Nothing was cut: it dies with what it has read.
  await agent.start();
  await agent.input.drain();
  agent.cut();
  await agent.input.stop();
  fs.appendFileSync(journal, `${entry(5)}\n`);
  await agent.start();
  await agent.input.drain();
  agent.cut();
  await agent.input.stop();
  assert.deepEqual(
    agent.durable.map(({ message }) => message),
    [1, 2, 3, 4, 5].map((n) => `line ${n}`),
  );
  assert.deepEqual(agent.durable[0], {
    time: '2026-11-23T20:30:00.250Z',
    host: 'web',
    ident: 'nginx',
    pid: '12',
    unit: 'nginx.service',
    facility: 'daemon',
    severity: 'info',
    message: 'line 1',
  });
});

test('goes on behind the cursor of another agent, and is not started with one that cannot be read', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'positions');
  const leave: Readonly<Record<string, () => void>> = {
    fluentd: () => fs.writeFileSync(file, '{"journal":"s=c2"}'),
    vector: () => fs.writeFileSync(file, 's=c2\n'),
    'fluent-bit': () => {
      const database = new DatabaseSync(file);
      database.exec('CREATE TABLE in_systemd_cursor (cursor TEXT NOT NULL, updated INTEGER)');
      database.exec("INSERT INTO in_systemd_cursor VALUES ('s=c2', 0)");
      database.close();
    },
  };
  fakeJournalctl(
    t,
    [1, 2, 3, 4].map((n) => entry(n, { __CURSOR: `s=c${n}` })),
  );
  for (const [agent, write] of Object.entries(leave)) {
    fs.rmSync(file, { force: true });
    write();
    const input = new Harness({ read_from_head: false, take_over: { agent, file } });
    await input.start();
    await input.input.drain();
    input.cut();
    await input.input.stop();
    assert.deepEqual(
      input.durable.map(({ message }) => message),
      ['line 3', 'line 4'],
      agent,
    );
    fs.writeFileSync(file, 'no cursor');
    await assert.rejects(new Harness({ take_over: { agent, file } }).start(), { code: 'TAKE_OVER' });
  }
});

test('from now on: what was in the journal before the first start is not read', async (t) => {
  const journal = fakeJournalctl(t, [entry(1), entry(2)]);
  const agent = new Harness({ read_from_head: false });
  await agent.start();
  agent.cut();
  await agent.input.stop();
  fs.appendFileSync(journal, `${entry(3)}\n`);
  await agent.start();
  await agent.input.drain();
  agent.cut();
  await agent.input.stop();
  assert.deepEqual(
    agent.durable.map(({ message }) => message),
    ['line 3'],
  );
});

test('messages with a format of their own, redactions, and fields of any form', async (t) => {
  fakeJournalctl(t, [entry(1, { MESSAGE: '{"a":1,"token":"x"}' }), entry(2, { MESSAGE: 'text' })]);
  const agent = new Harness({ format: 'json', redact: [{ field: 'token', mask: true }] });
  await agent.start();
  await agent.input.drain();
  agent.cut();
  await agent.input.stop();
  assert.deepEqual(
    [agent.durable[0]!['a'], agent.durable[0]!['token'], agent.durable[0]!['unit']],
    [1, '***', 'nginx.service'],
  );
  assert.deepEqual([agent.durable[1]!['message'], agent.durable[1]!['_unparsed']], ['***', true]);
  const read = compileEntry(true);
  assert.equal(read(entry(1, { MESSAGE: [104, 195, 169, 255] }))!.record['message'], 'hé\ufffd');
  assert.equal(read(entry(1, { MESSAGE: ['a', 'b'] }))!.record['message'], 'a\nb');
  assert.equal(read(entry(1, { MESSAGE: null }))!.record['message'], '');
  assert.equal(read(entry(1, { _UID: '0', CODE_LINE: '7' }))!.record['uid'], '0');
  assert.equal(read('no entry'), null);
});

test('a host without journalctl is refused with what to do', async (t) => {
  const { PATH } = process.env;
  process.env['PATH'] = temporaryFolder(t);
  t.after(() => {
    process.env['PATH'] = PATH;
  });
  const agent = new Harness({ read_from_head: false });
  await assert.rejects(agent.start(), /journalctl is not installed; run the agent/);
});

const REMOTE = '/lib/systemd/systemd-journal-remote';
const real = fs.existsSync(REMOTE) && fs.existsSync('/usr/bin/journalctl');

test('the real journalctl', {
  skip: real ? false : 'not installed (Debian: systemd-journal-remote)',
}, async (t) => {
  const directory = temporaryFolder(t);
  const write = (name: string, from: number, to: number): void => {
    let text = '';
    for (let n = from; n <= to; n++) {
      text += `__REALTIME_TIMESTAMP=${1795465800000000 + n}\n__MONOTONIC_TIMESTAMP=${n}\n_BOOT_ID=0123456789abcdef0123456789abcdef\n_HOSTNAME=web\nPRIORITY=3\nMESSAGE=line ${n}\n\n`;
    }
    execFileSync(REMOTE, ['-o', path.join(directory, name), '-'], {
      input: text,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  };
  write('a.journal', 1, 20);
  const agent = new Harness({ directory });
  await agent.start();
  await agent.input.drain();
  agent.cut();
  await agent.input.stop();
  write('b.journal', 21, 25);
  await agent.start();
  await agent.input.drain();
  agent.cut();
  await agent.input.stop();
  assert.deepEqual(
    agent.durable.map(({ message }) => message),
    Array.from({ length: 25 }, (_, i) => `line ${i + 1}`),
  );
  assert.equal(agent.durable[0]!['severity'], 'err');
});

test('a saved cursor that is not one is refused, and does not have the whole journal read once more', async () => {
  const agent = new Harness({});
  agent.saved.set('cursor', 5);
  await assert.rejects(agent.start(), { code: 'STATE_INVALID' });
});

test('a line that is not an entry is counted, and those around it are read', async (t) => {
  fakeJournalctl(t, [entry(1), '{"MESSAGE":"a line without a place"}', entry(2)]);
  const agent = new Harness({});
  await agent.start();
  await agent.input.drain();
  agent.cut();
  await agent.input.stop();
  assert.deepEqual(
    agent.durable.map(({ message }) => message),
    ['line 1', 'line 2'],
  );
  assert.equal(agent.counters.total('tailrace_agent_journald_dropped_lines_total'), 1);
});
