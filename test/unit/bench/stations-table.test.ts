import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderStations, type Station, verdict } from '../../../bench/stations-table.ts';

const around = (median: number, range = 0.02) => ({
  median,
  lowest: median - range,
  highest: median + range,
});

test('worse and better are differences beyond both ranges and the noise', () => {
  assert.equal(verdict(around(1.2), around(1)), 'worse');
  assert.equal(verdict(around(0.8), around(1)), 'better');
  assert.equal(verdict(around(1.2, 0.2), around(1)), 'same', 'the ranges meet');
  assert.equal(verdict(around(1.04, 0.001), around(1, 0.001)), 'same', 'less than the noise');
  assert.equal(verdict(around(1), undefined), 'new');
});

test('the table names what became worse, and has the peer where there is one', () => {
  const station = (name: string, ratio: number): Station => ({
    name,
    seconds: around(2),
    bare: 0.5,
    ratio: around(ratio),
  });
  const baseline = { node: 'v24', ratios: { slow: around(1), fast: around(3) } };
  const text = renderStations([station('slow', 1.5), { ...station('fast', 3), peer: around(5) }], baseline);
  assert.match(text, /^slow +2\.00 +1\.98 to 2\.02 +1\.50 +1\.00 +1\.50 worse/m);
  assert.match(text, /^fast +2\.00 +1\.98 to 2\.02 +3\.00 +3\.00 +1\.00 +5\.00 +2\.50$/m);
  assert.match(text, /Worse than the baseline by more than the noise: slow\.$/m);
  assert.match(renderStations([station('fast', 3)], baseline), /No station is worse/);
});
