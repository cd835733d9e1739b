/** The preset that lines look like, by lines that real servers wrote. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { recommendFormat } from '../../../../producer/format/recommend.ts';
import { tailOptions } from '../../../../producer/tail/options.ts';
import { sampleFit } from '../../../../producer/tail/sample-fit.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';

const SAMPLES = path.join(import.meta.dirname, '../../../samples');

test('samples look like what wrote them', () => {
  const looks = (name: string) => {
    const lines = fs
      .readFileSync(path.join(SAMPLES, `${name}.txt`), 'latin1')
      .split('\n')
      .slice(0, -1);
    return recommendFormat(
      lines.map((line) => Buffer.from(line, 'latin1')),
      lines,
    )?.name;
  };
  for (const [name, expected] of [
    ['nginx-combined', 'nginx or apache2 combined'],
    ['nginx-main', 'nginx main'],
    ['nginx-json', 'json'],
    ['nginx-error', 'nginx_error'],
    ['apache-common', 'apache2 common'],
    ['apache-combined', 'nginx or apache2 combined'],
    ['apache-vhost', 'apache2 vhost_combined'],
    ['haproxy-http', 'haproxy'],
    ['haproxy-clf', 'haproxy'],
    ['caddy-access', 'caddy'],
    ['envoy-access', 'envoy'],
    ['squid-native', 'squid'],
    ['squid-combined', 'squid'],
  ] as const) {
    assert.equal(looks(name), expected, name);
  }
  const of = (...lines: string[]) =>
    recommendFormat(
      lines.map((line) => Buffer.from(line)),
      lines,
    )?.name;
  assert.equal(of('Nov 23 20:30:00 h app[1]: x'), 'syslog');
  assert.equal(of('2026-11-23T20:30:00Z stdout F x'), 'cri');
  assert.equal(of('{"log":"x\\n","stream":"stdout","time":"2026-11-23T20:30:00Z"}'), 'docker');
  assert.equal(of('a=1 b="2"'), 'logfmt');
  assert.equal(of('a:1\tb:2'), 'ltsv');
  assert.equal(of('just words'), undefined);
  assert.equal(of('web-1|192.0.2.1|23:10:05|/a|n=1'), undefined);
});

test('the end of a file counts: the format may have been changed', (t) => {
  const file = path.join(temporaryFolder(t), 'a.log');
  const combined = fs.readFileSync(path.join(SAMPLES, 'nginx-combined.txt'), 'utf8');
  fs.writeFileSync(file, `${'{"a":1}\n'.repeat(20_000)}${combined.repeat(40)}`);
  const options = (format: string) => z.parse(tailOptions, { type: 'tail', path: file, tag: 't', format });
  const { events, unparsed, looksLike } = sampleFit(file, options('json'));
  assert.ok(events > 100);
  assert.equal(unparsed, events);
  assert.deepEqual(looksLike, {
    name: 'nginx or apache2 combined',
    format: { type: 'nginx', log_format: 'combined' },
  });
  const fits = { events, unparsed: 0, looksLike: null, timeless: 0, timeKey: null };
  assert.deepEqual(sampleFit(file, options('nginx')), fits);
});

test('events without a time: the field that seems to hold it is named', (t) => {
  const file = path.join(temporaryFolder(t), 'a.log');
  const found = (format: unknown, ...lines: string[]) => {
    fs.writeFileSync(file, `${lines.join('\n')}\n`);
    const { timeless, timeKey } = sampleFit(
      file,
      z.parse(tailOptions, { type: 'tail', path: file, tag: 't', format }),
    );
    return [timeless, timeKey];
  };
  const time = '2026-11-23T20:30:00Z';
  assert.deepEqual(found('json', `{"n":1,"@timestamp":"${time}"}`, `{"n":2,"@timestamp":"${time}"}`), [
    2,
    '@timestamp',
  ]);
  assert.deepEqual(found('json', `{"seen":"${time}","ts":1795465800.5}`), [1, 'ts']);
  assert.deepEqual(found('json', `{"t":{"$date":"${time}"},"n":5}`), [1, 't.$date']);
  assert.deepEqual(found('json', `{"seen":"${time}"}`, '{"n":1}'), [2, null]);
  assert.deepEqual(found('json', `{"n":5,"id":123456}`), [1, null]);
  assert.deepEqual(found('json', `{"time":"${time}"}`, `{"time":"${time}`), [0, null]);
  assert.deepEqual(found('logfmt', `ts=${time} msg=x`), [1, 'ts']);
  assert.deepEqual(found({ type: 'logfmt', time_key: 'ts' }, `ts=${time} msg=x`), [0, null]);
  const grok = { type: 'grok', pattern: '%{COMBINEDAPACHELOG}' };
  assert.deepEqual(found(grok, '192.0.2.1 - - [23/Nov/2026:20:30:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x"'), [
    1,
    'timestamp',
  ]);
  assert.deepEqual(found('none', `{"ts":"${time}"}`), [0, null]);
});
