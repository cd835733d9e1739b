/** Each line of a bill is what its arithmetic says, recomputed here from the prices alone. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  billsOf,
  cheaperFrom,
  firehoseBill,
  functionBill,
  serversLine,
  workerBill,
} from '../../../cli/cost/model.ts';
import { readPrices } from '../../../cli/cost/prices.ts';
import { costText } from '../../../cli/cost/report.ts';
import { COST_FILE, costDocument, README_FILE, readmeWithAmounts } from '../../support/cost-document.ts';
import { alarmedMetrics, customMetrics } from '../../support/stack-metrics.ts';

const { prices } = readPrices('us-east-1');
const load = (gbPerDay: number) => ({ gbPerDay, servers: 4, tags: 2 });
const near = (actual: number, wanted: number, what: string): void =>
  assert.ok(Math.abs(actual - wanted) < 0.006, `${what}: ${actual}, not ${wanted}`);

/** The function's lines by hand: calls a month, then each position. */
function byHand(gb: number): Record<string, number> {
  const compressedADay = gb / 8;
  const shards = Math.max(1, Math.ceil((compressedADay * 1e9 * 4) / 86_400 / 1_048_576 / 0.6));
  const calls = Math.max(288 * shards, (compressedADay * 1e9) / 4.4e6) * 30.4;
  return {
    'shard hours': shards * 730 * 0.015,
    'put units': (Math.max((compressedADay * 30.4 * 1e9) / 25_600, 4 * 86_400 * 30.4) * 0.014) / 1e6,
    'archiving function': calls * (1.5 * 0.0000133 + 0.2 / 1e6),
    'its log': calls * 0.000002 * 0.5,
    'S3: puts and lists': (calls * 4.2 * 0.005) / 1000,
    'S3: gets': (calls * 36 * 0.0004) / 1000,
    'S3: last 30 days': compressedADay * 30 * 0.023,
    'S3: to Glacier IR': (calls * 2.2 * 0.02) / 1000,
    'S3: 11 further months there': compressedADay * 335 * 0.004,
    CloudWatch: customMetrics('function') * 0.3 + alarmedMetrics('function') * 0.1,
    KMS: 1.3,
    'drain functions': 43_800 * (0.125 * 0.0000133 + 0.2 / 1e6 + 2e-6 * 0.5),
  };
}

test("every line of the function's bill, and the sum", () => {
  for (const gb of [10, 50, 1000]) {
    const bill = functionBill(load(gb), prices, 'provisioned');
    const wanted = byHand(gb);
    assert.deepEqual(
      bill.lines.map(({ what }) => what),
      Object.keys(wanted),
    );
    for (const { what, usd } of bill.lines) near(usd, wanted[what]!, `${gb} GB: ${what}`);
    near(
      bill.usd,
      Object.values(wanted).reduce((sum, usd) => sum + usd, 0),
      `${gb} GB`,
    );
  }
});

test('beyond 64 shards there are more workers: what a GB costs does not grow with the volume', () => {
  const aGb = [10_000, 100_000, 1_000_000].map((gb) => workerBill(load(gb), prices, 'provisioned').usd / gb);
  assert.ok(Math.max(...aGb) < 1.1 * Math.min(...aGb), aGb.join(' '));
  const { lines } = workerBill(load(100_000), prices, 'provisioned');
  const { how, usd } = lines.find(({ what }) => what === 'worker')!;
  assert.equal(how, '15 larger instances');
  near(usd, 15 * 730 * prices.large_worker_hour, 'worker');
});

test('10 GB a day cost at most 25 dollars with the function, 50 GB at most 45', () => {
  assert.ok(functionBill(load(10), prices, 'provisioned').usd <= 25);
  assert.ok(functionBill(load(50), prices, 'provisioned').usd <= 45);
});

test("the worker's bill is the table of docs/deploy.md", () => {
  const totals = [10, 100, 1000].map((gb) => Math.round(workerBill(load(gb), prices, 'provisioned').usd));
  assert.deepEqual(totals, [132, 162, 701]);
});

test("the worker's metrics and alarms are those that the stack has", () => {
  const { how, usd } = workerBill(load(10), prices, 'provisioned').lines.find(
    ({ what }) => what === 'CloudWatch',
  )!;
  // Seven more are those of its instance's detailed monitoring.
  const metrics = customMetrics('worker') + 7;
  assert.equal(how, `${metrics} metrics, ${alarmedMetrics('worker')} alarmed metrics, a dashboard`);
  near(usd, metrics * 0.3 + alarmedMetrics('worker') * 0.1 + 3 + 0.438, 'CloudWatch');
});

test('web servers of the stack cost 2.98 each, whatever the archiver', () => {
  const { usd, how } = serversLine(load(10), prices);
  near(usd, 4 * (7 * 0.3 + 0.876), 'servers');
  assert.match(costText(load(10), prices), new RegExp(`web servers +11\\.90 +${how.slice(0, 1)} `));
});

test('a stream on demand has no keeper: neither its calls nor its metrics and alarm are charged', () => {
  const { lines } = workerBill(load(10), prices, 'on demand');
  assert.ok(!lines.some(({ what }) => what === 'shard keeper'));
  const metrics = customMetrics('worker', false) + 7;
  const alarmed = alarmedMetrics('worker', false);
  const { how, usd } = lines.find(({ what }) => what === 'CloudWatch')!;
  assert.equal(how, `${metrics} metrics, ${alarmed} alarmed metrics, a dashboard`);
  near(usd, metrics * 0.3 + alarmed * 0.1 + 3 + 0.438, 'CloudWatch');
});

test('the volume from which on one is cheaper is where their bills cross', () => {
  const from = cheaperFrom(
    (at) => functionBill(at, prices, 'provisioned'),
    (at) => firehoseBill(at, prices),
    load(10),
    2000,
  )!;
  const isCheaper = (gb: number): boolean =>
    functionBill(load(gb), prices, 'provisioned').usd < firehoseBill(load(gb), prices).usd;
  assert.ok(isCheaper(from) && !isCheaper(from - 1), String(from));
});

test('a region without prices is refused; a file of one’s own replaces them, and a wrong key in it is named', (t) => {
  assert.throws(() => readPrices('mars-north-1'), /no prices for mars-north-1, only for us-east-1/);
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-cost-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'prices.json');
  const mine = { date: '2026-01-01', regions: { 'mars-north-1': { ...prices, kms_month: 2 } } };
  writeFileSync(file, JSON.stringify(mine));
  assert.equal(readPrices('mars-north-1', file).prices.kms_month, 2);
  writeFileSync(
    file,
    JSON.stringify({ date: 'x', regions: { 'mars-north-1': { ...prices, kms_month: 'x' } } }),
  );
  assert.throws(() => readPrices('mars-north-1', file), /regions\.mars-north-1\.kms_month/);
});

test("README's comparison has the amounts of the arithmetic", () => {
  const readme = readFileSync(README_FILE, 'utf8');
  assert.equal(readme, readmeWithAmounts(readme), 'run `npm run docs`');
  const stale = readme.replace(/(?<=as a function \| )[\d., ]+(?= \|)/, '1');
  assert.notEqual(stale, readme);
  assert.equal(readmeWithAmounts(stale), readme);
});

test('docs/cost.md is what the arithmetic gives', () => {
  assert.equal(readFileSync(COST_FILE, 'utf8'), costDocument(), 'run `npm run docs`');
  assert.equal(billsOf(load(10), prices).length, 7);
});
