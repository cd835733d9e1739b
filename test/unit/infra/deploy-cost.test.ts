/** The cost table of docs/deploy.md: its rows follow from its assumptions, and its totals from its rows. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { alarmedMetrics, customMetrics } from '../../support/stack-metrics.ts';

const text = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'deploy.md'), 'utf8');
const table = text.slice(text.indexOf('| | arithmetic |'), text.indexOf('- The retention of 7 days'));
const rows = new Map(
  table
    .trim()
    .split('\n')
    .slice(2)
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('*', '')))
    .map(([, name, , ...cells]) => [
      name!,
      cells.slice(0, 3).map((cell) => Number(cell.replace(/[ ,GB]/g, ''))),
    ]),
);
const MONTH_HOURS = 730;
const MONTH_DAYS = 30.4;

function column(gigabytesADay: number): Record<string, number> {
  const compressedADay = gigabytesADay / 8;
  const compressed = compressedADay * MONTH_DAYS;
  const peak = (compressedADay * 1e9 * 4) / 86_400;
  const shards = Math.max(2, Math.ceil(peak / 1024 ** 2 / 0.6));
  const batchBytes = Math.min(32, 256 / shards) * 1024 ** 2;
  const batches = Math.max(288, (compressedADay * 1e9) / shards / batchBytes) * shards * MONTH_DAYS;
  return {
    'compressed, a month': compressed,
    shards,
    'shard hours': shards * MONTH_HOURS * 0.015,
    'retention of 7 days': shards * MONTH_HOURS * 0.02,
    'put units': (Math.max((compressed * 1e9) / 25_600, 4 * 86_400 * MONTH_DAYS) * 0.014) / 1e6,
    'interface endpoints': 5 * MONTH_HOURS * 0.01,
    'their traffic': 2 * compressed * 0.01,
    worker: MONTH_HOURS * (gigabytesADay < 1000 ? 0.0336 : 0.0672),
    'its disk': 8 * 0.08,
    'S3: puts': (batches * 3.2 * 0.005) / 1000,
    'S3: last 30 days': compressedADay * 30 * 0.023,
    'S3: to Glacier IR': (batches * 2.2 * 0.02) / 1000,
    'S3: 11 further months there': compressedADay * 335 * 0.004,
    'lease table': (shards * ((MONTH_DAYS * 86_400) / 3.3) * 0.625) / 1e6,
    CloudWatch: customMetrics('worker') * 0.3 + alarmedMetrics('worker') * 0.1 + 3 + 7 * 0.3 + 43.8 * 0.01,
    'shard keeper': 131.4 * 0.01 + 0.1,
    KMS: 1.3,
    functions: 43_800 * (0.5 * 0.25 * 0.0000133 + 0.2 / 1e6 + (2e3 / 1e9) * 0.5),
  };
}

test('each row is what its arithmetic says, and the last their sum', () => {
  for (const [i, gigabytes] of [10, 100, 1000].entries()) {
    const wanted = column(gigabytes);
    for (const [name, value] of Object.entries(wanted)) {
      const written = rows.get(name)?.[i];
      assert.ok(
        written !== undefined && Math.abs(written - value) <= 0.0051,
        `${name}: ${written}, not ${value}`,
      );
    }
    const counted = Object.entries(wanted).filter(
      ([name]) => !['compressed, a month', 'shards'].includes(name),
    );
    const sum = counted.reduce((total, [, value]) => total + value, 0);
    assert.ok(Math.abs(rows.get('a month')![i]! - sum) <= 0.5, `${gigabytes} GB: ${sum}`);
    assert.equal(rows.size, Object.keys(wanted).length + 1);
  }
  const counted = `${customMetrics('worker')} metrics × 0.30 + ${alarmedMetrics('worker')} alarmed metrics × 0.10`;
  assert.ok(table.includes(counted), counted);
});
