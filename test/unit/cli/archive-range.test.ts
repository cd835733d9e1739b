/** Times on the command line: exact to the millisecond, and an end includes all that it names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hoursOf, requireWholeHours, tagFilter, timesOf } from '../../../cli/archive-range.ts';

const NOW = Date.parse('2026-11-23T12:34:56.789Z');
const range = (from?: string, to?: string, tz?: string): [string, string] | null => {
  const options = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  const times = timesOf({ ...options, ...(tz === undefined ? {} : { tz }) }, NOW);
  return times && [new Date(times.from).toISOString(), new Date(Math.min(times.to, 8e15)).toISOString()];
};

test('an end includes the day, hour, minute, second or millisecond that it names', () => {
  const cases: [string, string, string, string][] = [
    ['2026-11-23', '2026-11-23', '2026-11-23T00:00:00.000Z', '2026-11-23T23:59:59.999Z'],
    ['2026-11-23T07', '2026-11-23T07', '2026-11-23T07:00:00.000Z', '2026-11-23T07:59:59.999Z'],
    ['2026-11-23T11:03', '2026-11-23T11:04', '2026-11-23T11:03:00.000Z', '2026-11-23T11:04:59.999Z'],
    ['2026-11-23T11:03:05', '2026-11-23T11:03:05', '2026-11-23T11:03:05.000Z', '2026-11-23T11:03:05.999Z'],
    [
      '2026-11-23T11:03:05.25',
      '2026-11-23 11:03:05.250',
      '2026-11-23T11:03:05.250Z',
      '2026-11-23T11:03:05.250Z',
    ],
    ['2026-11-23T11:03+02:00', '2026-11-23T11Z', '2026-11-23T09:03:00.000Z', '2026-11-23T11:59:59.999Z'],
  ];
  for (const [from, to, first, last] of cases)
    assert.deepEqual(range(from, to), [first, last], `${from} ${to}`);
});

test('a duration is that long ago, to the millisecond', () => {
  assert.deepEqual(range('30m', '10m'), ['2026-11-23T12:04:56.789Z', '2026-11-23T12:24:56.789Z']);
  assert.equal(range('2h')![0], '2026-11-23T10:34:56.789Z');
});

test('times are those of the zone that is named, over a change of clocks as well', () => {
  const berlin = range('2026-10-25', '2026-10-25', 'Europe/Berlin');
  assert.deepEqual(berlin, ['2026-10-24T22:00:00.000Z', '2026-10-25T22:59:59.999Z']);
  assert.deepEqual(range('2026-11-23T07', '2026-11-23T07', '+05:30'), [
    '2026-11-23T01:30:00.000Z',
    '2026-11-23T02:29:59.999Z',
  ]);
});

test('a time, a zone or a range that cannot be is refused', () => {
  for (const from of ['noon', '2026-13-01', '2026-02-30', '2026-11-23T25', '2026-11-23T11:60', '2026', '7'])
    assert.throws(() => range(from), { code: 'CONFIG' }, from);
  assert.throws(() => range('2026-11-23', '2026-11-22'), /is after/);
  assert.throws(() => range('2026-11-23', undefined, 'Mars/Base'), /--tz Mars\/Base/);
  assert.equal(range(), null);
});

test('what counts whole hours refuses less', () => {
  const at = (from: string, to: string) => timesOf({ from, to }, NOW);
  requireWholeHours(null, '');
  requireWholeHours(at('2026-11-23', '2026-11-23T07'), '');
  requireWholeHours(timesOf({ from: '2026-11-23' }, NOW), '');
  assert.throws(() => requireWholeHours(at('2026-11-23T07:30', '2026-11-23T08'), 'x'), /whole hours/);
  assert.throws(() => requireWholeHours(at('2026-11-23T07', '2026-11-23T08:30'), 'x'), /whole hours/);
  assert.deepEqual(hoursOf(at('2026-11-23T07:59', '2026-11-23T08:00')), [498_727, 498_728]);
});

test('a star in a tag matches anything, everything else itself', () => {
  assert.ok(tagFilter('nginx.*')!('nginx.access'));
  assert.ok(!tagFilter('nginx.*')!('nginx_access'));
  assert.ok(tagFilter('*')!(''));
  assert.equal(tagFilter(undefined), undefined);
});
