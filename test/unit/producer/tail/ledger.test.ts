/** What the ledger forgets: generations that nothing is left of, sooner where logs rotate without end. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { StateMap } from '../../../../producer/state.ts';
import { Follower } from '../../../../producer/tail/follower.ts';
import type { Generation } from '../../../../producer/tail/generation.ts';
import { identityOf, Ledger } from '../../../../producer/tail/ledger.ts';
import { PlainSource } from '../../../../producer/tail/source.ts';
import { temporaryDirectory } from '../../../support/agent-process.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MANY = 20_000;

/** A log, and generations of it that were read to their end and of which no file is left. */
function ledgerOf(left: number, log: 'there' | 'away'): { ledger: Ledger; first: Generation } {
  const ledger = new Ledger(new StateMap());
  const current = ledger.create('/logs/a.log', '/logs/a.log');
  if (log === 'there') current.names.add('/logs/a.log');
  const generations = Array.from({ length: left }, () => ledger.create('/logs/a.log', '/logs/a.log.1'));
  for (const generation of generations) generation.ended = true;
  return { ledger, first: generations[0]! };
}

test('a few generations without a file are remembered for a week, wherever their log is', () => {
  for (const log of ['there', 'away'] as const) {
    const { ledger } = ledgerOf(100, log);
    for (const now of [0, HOUR, 6 * DAY]) ledger.prune(now);
    assert.equal(ledger.size, 101);
    ledger.prune(8 * DAY);
    assert.equal(ledger.size, log === 'there' ? 1 : 0);
  }
});

test('of many whose log is there the oldest go, but not within the first minutes', () => {
  const { ledger, first } = ledgerOf(1, 'there');
  ledger.prune(0);
  for (let i = 0; i < MANY + 5000; i++) ledger.create('/logs/a.log', '/logs/a.log.1').ended = true;
  ledger.prune(MINUTE);
  assert.equal(ledger.size, MANY + 5002);
  ledger.prune(2 * MINUTE + 1);
  assert.equal(ledger.size, MANY + 5001, 'only the first has been without a file for so long');
  assert.ok(![...ledger.all()].includes(first));
  ledger.prune(3 * MINUTE + 1);
  assert.equal(ledger.size, MANY + 1);
});

test('of many whose log is not there none goes for an hour: their volume may be away', () => {
  const { ledger } = ledgerOf(MANY + 5000, 'away');
  for (const now of [0, HOUR]) ledger.prune(now);
  assert.equal(ledger.size, MANY + 5001);
  ledger.prune(HOUR + 1);
  assert.equal(ledger.size, 0);
});

test('one that was not read to its end is kept: it is still looked for', () => {
  const { ledger, first } = ledgerOf(MANY + 5000, 'there');
  first.ended = false;
  for (const now of [0, 3 * MINUTE]) ledger.prune(now);
  assert.ok([...ledger.all()].includes(first));
  assert.equal(ledger.size, MANY + 1);
});

test('a file that is open is the same whatever its birth: its inode cannot have been given to another', (t) => {
  const file = path.join(temporaryDirectory(t), 'a.log');
  fs.writeFileSync(file, 'line\n');
  const ledger = new Ledger(new StateMap());
  const generation = ledger.create(file, file);
  const stats = fs.statSync(file, { bigint: true });
  ledger.bind(generation, { ...identityOf(stats), born: '1' });
  const splitter = { skipping: false, take: () => 0 };
  const source = new PlainSource(fs.openSync(file, 'r'));
  t.after(() => source.close());
  generation.follower = new Follower({
    ...{ file, source, splitter, offset: 0, check: null, head: Buffer.from('line\n'), now: 0 },
  });
  assert.equal(ledger.inFile(stats, file), generation);
  assert.equal(generation.file.born, String(stats.birthtimeNs));

  fs.renameSync(file, `${file}.1`);
  fs.writeFileSync(file, 'other\n');
  const other = fs.statSync(file, { bigint: true });
  ledger.bind(generation, { ...identityOf(other), born: '1' });
  assert.equal(ledger.inFile(other, file), null, 'it has another file open');
});
