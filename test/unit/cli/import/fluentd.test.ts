/** `tailrace import` of fluentd's configuration: sources, filters and outputs become a valid one, and what is missing is listed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFluentd } from '../../../../cli/import/fluentd.ts';
import { imported, texts } from '../../../support/imported.ts';

const FLUENTD = `<source>
  @type tail
  path /var/log/nginx/access.log,/var/log/nginx/b.log
  pos_file /var/lib/fluentd/a.pos
  tag nginx.access # a comment
  read_from_head true
  refresh_interval 30
  <parse>
    @type nginx
  </parse>
</source>
<source>
  @type tail
  path "/var/log/app.log"
  tag app.*
  from_encoding ISO-8859-1
  <parse>
    @type regexp
    expression /^(?<level>\\w+) (?<message>.*)$/
    time_key at
  </parse>
</source>
<source>
  @type forward
  port 24225
  <security>
    self_hostname me
    shared_key secret
    <user>
      username u
      password p
    </user>
  </security>
</source>
<source>
  @type http
  port 9880
</source>
<filter nginx.**>
  @type grep
  <exclude>
    key path
    pattern /^\\/health/
  </exclude>
</filter>
<filter **>
  @type record_transformer
  enable_ruby
  <record>
    host "#{Socket.gethostname}"
    upper \${record["x"].upcase}
  </record>
  remove_keys a,b
</filter>
<match **>
  @type kinesis_streams
  stream_name "#{ENV['STREAM']}"
  region eu-west-1
  <buffer>
    flush_interval 1
  </buffer>
</match>
`;

test('fluentd: sources, parsers, filters by tag and the Kinesis output', () => {
  const { config, missing, needless } = imported(parseFluentd(FLUENTD));
  assert.deepEqual(config.stream, { name: `\${env:STREAM}`, region: 'eu-west-1' });
  const everywhere = { add: { host: `\${hostname}` }, remove: ['a', 'b'] };
  assert.deepEqual(config.inputs, [
    {
      type: 'tail',
      path: ['/var/log/nginx/access.log', '/var/log/nginx/b.log'],
      tag: 'nginx.access',
      format: 'nginx',
      read_from_head: true,
      take_over: { agent: 'fluentd', file: '/var/lib/fluentd/a.pos' },
      refresh_interval: '30s',
      exclude: [{ field: 'path', pattern: '^\\/health' }],
      ...everywhere,
    },
    {
      type: 'tail',
      path: '/var/log/app.log',
      tag: `app.\${path}`,
      format: { type: 'regexp', expression: '/^(?<level>\\w+) (?<message>.*)$/', time_key: 'at' },
      encoding: 'iso-8859-1',
      read_from_head: false,
      ...everywhere,
    },
    {
      type: 'forward',
      listen: '0.0.0.0:24225',
      security: { self_hostname: 'me', shared_key: 'secret', users: [{ username: 'u', password: 'p' }] },
      routes: [{ match: 'nginx.**', exclude: [{ field: 'path', pattern: '^\\/health' }] }],
      ...everywhere,
    },
  ]);
  assert.deepEqual(texts(missing), [
    '35: input http: has no counterpart',
    `51: upper \${record["x"].upcase}: not computed from the event`,
  ]);
  assert.deepEqual(texts(needless), [
    '48: enable_ruby: only for values that are computed',
    '59: <buffer>: the spool does this',
  ]);
});

test('fluentd: a filter is for the sources of its label, wherever they stand', () => {
  const source = (tag: string, more = '') =>
    `<source>\n@type tail\npath /${tag}\ntag ${tag}\n${more}<parse>\n@type none\n</parse>\n</source>\n`;
  const filter = (name: string) =>
    `<filter **>\n@type record_transformer\n<record>\nby ${name}\n</record>\n</filter> # here\n`;
  const { config, missing } = imported(
    parseFluentd(
      `${filter('root')}${source('a')}${source('b', '@label @B\n')}<label @B>\n${filter('label')}</label>\n`,
    ),
  );
  assert.deepEqual(
    config.inputs.map(({ tag, add }) => [tag, add]),
    [
      ['a', { by: 'root' }],
      ['b', { by: 'label' }],
    ],
  );
  assert.deepEqual(missing, []);
});

test('fluentd: what grep combines as tailrace does is carried over, the rest is listed', () => {
  const rule = (type: string, key: string) => `<${type}>\nkey ${key}\npattern /x/\n</${type}>\n`;
  const { config, missing } = imported(
    parseFluentd(
      '<source>\n@type forward\n<security>\nshared_key k\n<client>\nhost h\n</client>\n</security>\n</source>\n' +
        `<filter **>\n@type grep\n<and>\n${rule('regexp', 'a')}${rule('regexp', 'b')}</and>\n` +
        `<or>\n${rule('exclude', 'c')}${rule('exclude', 'd')}</or>\n` +
        `<or>\n${rule('regexp', 'e')}${rule('regexp', 'f')}</or>\n</filter>\n`,
    ),
  );
  const fields = (rules: unknown): string[] => (rules as { field: string }[]).map(({ field }) => field);
  assert.deepEqual(fields(config.inputs[0]!['include']), ['a', 'b']);
  assert.deepEqual(fields(config.inputs[0]!['exclude']), ['c', 'd']);
  const lost = texts(missing);
  assert.equal(lost[0], '32: <or>: events included when one matches have no counterpart');
  for (const text of ['6: host h', '34: key e', '38: key f']) assert.ok(lost.includes(text), lost.join('\n'));
});

test('fluentd: a tag for forwarded events, TLS, Ruby in a value and a second parser are listed', () => {
  const { missing } = imported(
    parseFluentd(`<source>
  @type forward
  tag all
  <transport tls>
  </transport>
</source>
<source>
  @type tail
  path /a
  tag "#{Socket.gethostname}.a"
  format nginx
  <parse>
    @type json
  </parse>
</source>
`),
  );
  assert.deepEqual(texts(missing), [
    '3: tag all',
    '4: <transport tls>',
    '11: format nginx',
    '10: tag #{Socket.gethostname}.a: not computed',
  ]);
});

test('fluentd: a section that is never closed, or closed by another, is an error with its line', () => {
  for (const [text, why] of [
    ['<source>\n@type tail\n', /line 1: <source> is never closed/],
    ['<source>\n<parse>\n</source>\n', /line 3: <\/source> although <parse> of line 2 is open/],
    ['</source>\n', /line 1: <\/source> although nothing is open/],
  ] as const) {
    assert.throws(() => parseFluentd(text), why);
  }
});

test('fluentd: types, events of several lines, TLS, and Kinesis among the stores of a copy', () => {
  const { config, missing } = imported(
    parseFluentd(`<source>
  @type tail
  path /a.log
  tag a
  <parse>
    @type regexp
    expression /^(?<code>\\d+) (?<ok>\\S+)/
    types code:integer,ok:bool,list:array
  </parse>
</source>
<source>
  @type tail
  path /b.log
  tag b
  format multiline
  format_firstline /^\\d{4}/
  format1 /^(?<time>\\S+) /
  format2 /(?<message>.*)/
</source>
<source>
  @type forward
  <transport tls>
    cert_path /c.pem
    private_key_path /k.pem
    ca_path /ca.pem
    client_cert_auth true
  </transport>
</source>
<filter a>
  @type parser
  key_name ok
  reserve_data true
  <parse>
    @type json
  </parse>
</filter>
<match **>
  @type copy
  <store>
    @type stdout
  </store>
  <store>
    @type kinesis_streams
    stream_name logs
    region eu-west-1
  </store>
</match>
`),
  );
  assert.deepEqual(config.stream, { name: 'logs', region: 'eu-west-1' });
  assert.deepEqual(
    config.inputs.map(({ format, multiline, tls }) => ({ format, multiline, tls })),
    [
      {
        format: {
          type: 'regexp',
          expression: '/^(?<code>\\d+) (?<ok>\\S+)/',
          types: { code: 'integer', ok: 'bool' },
          inner: 'json',
          inner_field: 'ok',
        },
        multiline: undefined,
        tls: undefined,
      },
      {
        format: { type: 'regexp', expression: '/^(?<time>\\S+) (?<message>.*)/m' },
        multiline: { start: '^\\d{4}' },
        tls: undefined,
      },
      {
        format: undefined,
        multiline: undefined,
        tls: { cert: '/c.pem', key: '/k.pem', ca: '/ca.pem', client_auth: true },
      },
    ],
  );
  assert.deepEqual(texts(missing), ['8: types list:array', '39: output stdout: events go to Kinesis only']);
});

test('fluentd: Ruby that names the environment, quotes in it, lists over lines, paths into records', () => {
  const { config, missing } = imported(
    parseFluentd(`<source>
  @type tail
  path ["/srv/a/*.log",
    "/srv/b/*.log"]
  tag "app.#{ENV["NAME"] || 'shop'}"
  pos_file "/var/#{ENV["NAME"]}.pos"
  multiline_flush_interval 5s
  <parse>
    @type multiline
    format_firstline /^\\d{4}/
    format1 /^(?<time>\\S+) (?<message>.*)/
    keep_time_key true
  </parse>
</source>
<filter {app,web}.**>
  @type record_transformer
  enable_ruby true
  <record>
    env \${ENV['RAILS_ENV']}
    host \${hostname}
    at \${time}
  </record>
  remove_keys user,$.kubernetes.labels,$['a']["b"]
</filter>
<filter app.**>
  @type grep
  <exclude>
    key $['request']['path']
    pattern ^/health
  </exclude>
</filter>
<match app.**>
  @type kinesis_streams
  stream_name "#{ENV.fetch('STREAM', 'weblogs')}"
  region "#{ENV['AWS_REGION']}"
</match>
`),
  );
  assert.deepEqual(config.stream, { name: `\${env:STREAM:-weblogs}`, region: `\${env:AWS_REGION}` });
  assert.deepEqual(config.inputs, [
    {
      type: 'tail',
      path: ['/srv/a/*.log', '/srv/b/*.log'],
      tag: `app.\${env:NAME:-shop}`,
      format: {
        type: 'regexp',
        expression: '/^(?<time>\\S+) (?<message>.*)/m',
        keep_time_key: true,
      },
      multiline: { start: '^\\d{4}', flush_interval: '5s' },
      read_from_head: false,
      take_over: { agent: 'fluentd', file: `/var/\${env:NAME}.pos` },
      add: { env: `\${env:RAILS_ENV}`, host: `\${hostname}` },
      remove: ['user', 'kubernetes.labels', 'a.b'],
      exclude: [{ field: 'request.path', pattern: '^/health' }],
    },
  ]);
  assert.deepEqual(texts(missing), [`21: at \${time}: not computed from the event`]);
});

test('fluentd: `*` is one part of a tag, and an input whose events went elsewhere is named', () => {
  const source = (tag: string): string =>
    `<source>\n@type tail\npath /${tag}\ntag ${tag}\n<parse>\n@type none\n</parse>\n</source>\n`;
  const filter = (match: string, key: string): string =>
    `<filter ${match}>\n@type record_transformer\n<record>\n${key} yes\n</record>\n</filter>\n`;
  const { config, missing } = imported(
    parseFluentd(
      `${source('a.b')}${source('a.b.c')}${filter('a.*', 'one')}${filter('a.** x', 'all')}${filter('/^a\\.b\\./', 'regular')}` +
        '<match a.*>\n@type kinesis_streams\nstream_name s\nregion r\n</match>\n' +
        '<label @ERROR>\n<match **>\n@type file\npath /e\n</match>\n</label>\n',
    ),
  );
  assert.deepEqual(
    config.inputs.map(({ add }) => add),
    [
      { one: 'yes', all: 'yes' },
      { all: 'yes', regular: 'yes' },
    ],
  );
  assert.deepEqual(texts(missing), [
    '9: input a.b.c: no output to Kinesis takes its events there, and all go to the stream here: remove the input if they should not',
  ]);
});

test('fluentd: filters for the same tags of clients become one route; of others the first applies alone, which is listed', () => {
  const filter = (match: string, key: string): string =>
    `<filter ${match}>\n@type record_transformer\n<record>\n${key} yes\n</record>\n</filter>\n`;
  const { config, missing } = imported(
    parseFluentd(
      `<source>\n@type forward\n</source>\n${filter('a.*', 'one')}${filter('a.*', 'two')}${filter('{b,c}.**', 'three')}${filter('a.b', 'four')}`,
    ),
  );
  assert.deepEqual(config.inputs[0]!['routes'], [
    { match: 'a.*', add: { one: 'yes', two: 'yes' } },
    { match: '{b,c}.**', add: { three: 'yes' } },
    { match: 'a.b', add: { four: 'yes' } },
  ]);
  assert.deepEqual(texts(missing), [
    '22: filter record_transformer: of the routes a.* and a.b an event takes the first that matches, alone',
  ]);
});

test('fluentd: a journal goes on behind the cursor of its storage', () => {
  const { config, missing } = imported(
    parseFluentd(
      '<source>\n@type systemd\ntag j\n<storage>\n@type local\npersistent true\npath /var/log/cursor.json\n</storage>\n</source>\n',
    ),
  );
  assert.deepEqual(config.inputs[0]!['take_over'], { agent: 'fluentd', file: '/var/log/cursor.json' });
  assert.deepEqual(texts(missing), []);
});

test('fluentd: a rule for a value that is computed keeps all events, one for another field does not', () => {
  const { config, missing } = imported(
    parseFluentd(`<source>
@type tail
path /a
tag a
<parse>
@type json
</parse>
</source>
<filter a>
@type record_transformer
enable_ruby
<record>
kind \${record["type"].upcase}
</record>
</filter>
<filter a>
@type grep
<regexp>
key kind
pattern /^A/
</regexp>
<regexp>
key level
pattern /warn/
</regexp>
</filter>
`),
  );
  assert.deepEqual(config.inputs[0]!['include'], [{ field: 'level', pattern: 'warn' }]);
  assert.deepEqual(texts(missing), [
    `13: kind \${record["type"].upcase}: not computed from the event`,
    '16: filter grep: events are kept whatever kind is, because what sets it is not carried over',
  ]);
});
