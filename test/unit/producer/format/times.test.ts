/** Times of any kind in any format, and zones by their names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileTimeFormat } from '../../../../producer/format/time-format.ts';
import { events, format, NOW } from '../../../support/format-harness.ts';

const HOUR = NOW / 3_600_000;
const read = (text: string, pattern?: string, zone = 'UTC') => {
  const time = compileTimeFormat(pattern, zone)(text, NOW);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
};

test('a time without a format: whatever it looks like', () => {
  for (const text of [
    '1795465800',
    '1795465800.0',
    '1.7954658e9',
    '1795465800000',
    '1795465800000000',
    '1795465800000000000',
    '2026-11-23T20:30:00Z',
    '2026-11-23T21:30:00+01:00',
    '2026-11-23 21:30:00 +0100',
    '2026-11-23 20:30:00 +0000 UTC',
    '2026-11-23 20:30:00.000000001 +0000 UTC m=+0.1',
    '2026/11/23 20:30:00',
    '2026-11-23 20:30:00,000',
    '2026-11-23T20:30Z',
    '23/Nov/2026:21:30:00 +0100',
    '[23/Nov/2026:21:30:00 +0100]',
    'Mon, 23 Nov 2026 20:30:00 GMT',
    'Mon, 23 Nov 2026 15:30:00 EST',
    'Monday, 23-Nov-2026 20:30:00 UTC',
    '23-Nov-2026 20:30:00 UTC',
    '23-Nov-2026 21:30:00 Europe/Berlin',
    '23-Nov-2026 17:30:00 America/Argentina/Buenos_Aires',
    'Mon Nov 23 20:30:00 2026',
    'Mon Nov 23 20:30:00 UTC 2026',
    'Tue Nov 24 05:30:00 KST 2026',
    ' 2026-11-23T20:30:00Z ',
    '2026-11-23T21:30:00+01:00[Europe/Berlin]',
    '2026-11-23T20:30:00Z[Etc/GMT+0]',
    '2026-11-23_20:30:00.00000',
    '2026.11.23 20:30:00',
    '20261123T203000Z',
    '20261123T2030Z',
    '20261123T213000.000+0100',
    '20261123 20:30:00',
    'Monday, 23-Nov-26 20:30:00 GMT',
    'Nov 23, 2026 8:30:00 PM',
    'Nov 23, 2026, 8:30:00\u202fPM UTC',
    'Monday, November 23, 2026 20:30:00',
    '23.11.2026 20:30:00',
    '23/Nov/2026 08:30:00 PM',
    '2026-11-23 8:30:00 p.m.',
    '23.11.2026, 20:30:00,000',
  ]) {
    assert.equal(read(text), '2026-11-23T20:30:00.000Z', text);
  }
  for (const text of [
    '',
    'soon',
    '2026-13-01 00:00:00',
    '23/Nov/2026',
    '2026-11-23 20:30:00 QQQ',
    '23-Nov-2026 20:30:00 Europe/Nowhere',
    '1e999',
    '20261123T2460Z',
    'Nov 23, 2026 13:30:00 PM',
    'Nov 23, 2026 0:30:00 AM',
    '11/23/2026 20:30:00',
    '23.13.2026 20:30:00',
    '2026112320'.repeat(11),
  ]) {
    assert.equal(read(text), null, text);
  }
  assert.equal(read('2026/11/23 21:30:00', undefined, 'Europe/Berlin'), '2026-11-23T20:30:00.000Z');
  assert.equal(read('Nov 23, 2026 12:30:00 AM'), '2026-11-23T00:30:00.000Z');
  assert.equal(read('Nov 23, 2026 12:30:00 PM'), '2026-11-23T12:30:00.000Z');
  assert.equal(read('Sunday, 06-Nov-94 08:49:37 GMT'), '1994-11-06T08:49:37.000Z');
});

test('zones by name are the zone or no time, and a Z that the format spells is UTC', () => {
  assert.equal(read('2026-11-23 15:30:00 EST', '%F %T %Z'), '2026-11-23T20:30:00.000Z');
  assert.equal(read('2026-11-24 05:30:00 KST', '%F %T %Z'), '2026-11-23T20:30:00.000Z');
  assert.equal(read('2026-11-24 05:30:00 QQQ', '%F %T %Z'), null);
  assert.equal(
    read('2026-11-23T20:30:00.25Z', '%Y-%m-%dT%H:%M:%S.%NZ', 'Asia/Tokyo'),
    '2026-11-23T20:30:00.250Z',
  );
  assert.equal(read('2026-11-23T20:30:00Z', '%FT%TZ', 'Asia/Tokyo'), '2026-11-23T20:30:00.000Z');
  assert.equal(read('23 Nov 2026 20:30:00 GMT', '%d %b %Y %T GMT', 'Asia/Tokyo'), '2026-11-23T20:30:00.000Z');
  assert.equal(read('1795465800250000', 'unix_us'), '2026-11-23T20:30:00.250Z');
  assert.equal(read('1795465800250000000', 'unix_ns'), '2026-11-23T20:30:00.250Z');
});

test('json and ltsv: times of access logs and numbers of any unit give the hour of the event', () => {
  for (const value of [
    '"23/Nov/2026:20:30:00 +0000"',
    '1795465800000000',
    '1.7954658e9',
    '"Mon, 23 Nov 2026 20:30:00 GMT"',
  ])
    assert.equal(format('json', [`{"time":${value}}`]).lines[0]!.hour, HOUR - 1, value);
  assert.equal(format('ltsv', ['time:[23/Nov/2026:20:30:00 +0000]\ta:b']).lines[0]!.hour, HOUR - 1);
});

test('json: a time inside of an object', () => {
  const options = { type: 'json', time_key: 't.$date' };
  const lines = ['{"a":1,"t":{"$date":"2026-11-23T20:30:00Z"}}', '{"t":{"$date":{"x":1}}}', '{"t":1}'];
  const { lines: out, tally } = format(options, lines);
  assert.deepEqual(
    out.map(({ hour, json }) => [hour, json]),
    lines.map((line, i) => [HOUR - (i === 0 ? 1 : 0), line]),
  );
  assert.equal(tally.timeless, 2);
  assert.equal(
    format({ type: 'json', time_key: 't.$date', timezone: 'UTC' }, ['{"t.$date":1795465800}']).lines[0]!.hour,
    HOUR - 1,
  );
});

test('types of any format, time among them', () => {
  const types = { at: 'time', ok: 'bool', n: 'integer' };
  const expected = { at: '2026-11-23T20:30:00Z', ok: true, n: 7 };
  assert.deepEqual(events({ type: 'json', types }, ['{"at":1795465800,"ok":"yes","n":"7"}'])[0], expected);
  assert.deepEqual(events({ type: 'ltsv', types }, ['at:1795465800\tok:yes\tn:7'])[0], expected);
  const [line] = events({ type: 'syslog', types: { pid: 'integer' }, timezone: 'UTC' }, [
    'Nov 23 20:00:01 host cron[12]: a',
  ]);
  assert.equal(line!.pid, 12);
});
