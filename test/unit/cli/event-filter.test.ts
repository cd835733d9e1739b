/** Which events cat prints: by a text, a field, an address. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EventFilterOptions, eventFilter, eventTime } from '../../../cli/event-filter.ts';

const matches = (options: EventFilterOptions, line: string): boolean => {
  let event: Record<string, unknown> | null = null;
  try {
    event = JSON.parse(line) as Record<string, unknown>;
  } catch {}
  return eventFilter(options)!(line, event);
};

test('--grep looks at values, whatever their escapes, and takes a number as a whole', () => {
  const cases: [string, string, boolean][] = [
    ['code', '{"code":200}', false],
    ['200', '{"code":200}', true],
    ['200', '{"code":2001}', false],
    ['20', '{"path":"/page20/x"}', true],
    ['1.2', '{"v":"11.25"}', false],
    ['/a/b', String.raw`{"path":"\/a\/b"}`, true],
    ['é"x', String.raw`{"text":"caf\u00e9\"x"}`, true],
    ['deep', '{"a":{"b":["so deep"]}}', true],
    ['a.c', '{"v":"abc"}', false],
    ['raw', 'not JSON, but raw', true],
  ];
  for (const [grep, line, expected] of cases)
    assert.equal(matches({ grep }, line), expected, `${grep} in ${line}`);
});

test('an address is found as an address', () => {
  const cases: [string, string, boolean][] = [
    ['1.2.3.4', '{"remote":"1.2.3.4"}', true],
    ['1.2.3.4', '{"remote":"11.2.3.45"}', false],
    ['1.2.3.4', '{"remote":"1.2.3.4.5"}', false],
    ['1.2.3.4', '{"forwarded":"10.0.0.1, 1.2.3.4:8080"}', true],
    ['10.0.0.0/8', '{"forwarded":"10.250.0.1, 1.2.3.4"}', true],
    ['10.0.0.0/8', '{"remote":"11.0.0.1"}', false],
    ['2001:db8::/32', '{"client":"[2001:DB8:0:0::1]:443"}', true],
    ['2001:db8::1', '{"client":"2001:db8:0:0:0:0:0:1"}', true],
    ['2001:db8::1', '{"client":"2001:db8::11"}', false],
    ['1.2.3.4', '{"message":"from=1.2.3.4 denied"}', true],
  ];
  for (const [ip, line, expected] of cases) {
    assert.equal(matches({ ip: [ip] }, line), expected, `--ip ${ip} in ${line}`);
    if (!ip.includes('/')) assert.equal(matches({ grep: ip }, line), expected, `--grep ${ip} in ${line}`);
  }
  for (const ip of ['1.2.3', 'host', '1.2.3.4/33', '::1/129', '1.2.3.4/x'])
    assert.throws(() => eventFilter({ ip: [ip] }), { code: 'CONFIG' }, ip);
});

test('--where compares a field, as numbers where both are', () => {
  const line =
    '{"code":404,"path":"/x","user":{"email":"a@b"},"a.b":1,"t":"2026-11-23T07:00:00Z","ok":true,"none":null}';
  const cases: [string, boolean][] = [
    ['code=404', true],
    ['code=40', false],
    ['code!=200', true],
    ['code>=404', true],
    ['code>404', false],
    ['code<1000', true],
    ['path=/x', true],
    ['path>5', false],
    ['user.email=a@b', true],
    ['user.name=a', false],
    ['user.name!=a', true],
    ['a.b=1', true],
    ['t>=2026-11-23T06', true],
    ['ok=true', true],
    ['none=null', true],
    ['constructor=x', false],
  ];
  for (const [where, expected] of cases) assert.equal(matches({ where: [where] }, line), expected, where);
  assert.equal(matches({ where: ['code=404', 'path=/y'] }, line), false, 'all of them have to hold');
  assert.throws(() => eventFilter({ where: ['code'] }), { code: 'CONFIG' });
});

test('the time of an event is the one by which it was archived', () => {
  const hour = Math.floor(Date.parse('2026-11-23T07:00:00Z') / 3_600_000);
  const time = (event: Record<string, unknown>, keys = ['_time', 'time']) => eventTime(event, hour, keys);
  assert.equal(time({ time: '2026-11-23T07:00:00.250123456Z' }), Date.parse('2026-11-23T07:00:00.250Z'));
  assert.equal(time({ time: '2026-11-23T08:59:59+01:00' }), Date.parse('2026-11-23T07:59:59Z'));
  assert.equal(time({ time: 'x', _time: '2026-11-23T07:01:00Z' }), Date.parse('2026-11-23T07:01:00Z'));
  assert.equal(time({ time: '2026-11-23T08:00:00Z' }), null, 'another hour: absurd, archived by its arrival');
  assert.equal(time({ ts: 1795417200.5 }, ['ts']), 1795417200500);
  assert.equal(time({ ts: '1795417200500' }, ['ts']), 1795417200500);
  assert.equal(time({}), null);
});
