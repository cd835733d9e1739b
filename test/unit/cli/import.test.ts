/** `tailrace import`: configurations of fluentd, Fluent Bit and Vector become valid ones, and what is missing is listed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { command } from '../../../cli/commands/import.ts';
import { checkConfig } from '../../../cli/config.ts';
import { carryOver, type Imported } from '../../../cli/import/carry-over.ts';
import { parseFluentBit } from '../../../cli/import/fluent-bit.ts';
import { parseFluentd } from '../../../cli/import/fluentd.ts';
import type { Section } from '../../../cli/import/section.ts';
import { parseYaml } from '../../../cli/import/yaml.ts';
import { agentConfig } from '../../../producer/config.ts';
import { runCommand } from '../../support/run-command.ts';

/** What is made of sections, checked as an agent would. */
function imported(sections: readonly Section[]): Imported {
  const result = carryOver(sections);
  const stream = { name: 'weblogs', region: 'us-east-1', ...result.config.stream };
  checkConfig('agent.yaml', { state_dir: '/a', stream, inputs: result.config.inputs }, agentConfig);
  return result;
}

const texts = (notes: readonly { line: number; text: string }[]): string[] =>
  notes.map(({ line, text }) => `${line}: ${text}`);

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
      refresh_interval: '30s',
      exclude: [{ field: 'path', pattern: '/^\\/health/' }],
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
      routes: [{ match: 'nginx.**', exclude: [{ field: 'path', pattern: '/^\\/health/' }] }],
      ...everywhere,
    },
  ]);
  assert.deepEqual(texts(missing), [
    '35: input http: has no counterpart',
    `51: upper \${record["x"].upcase}: not computed from the event`,
    '48: enable_ruby',
  ]);
  assert.deepEqual(texts(needless), [
    '4: pos_file: the spool and the ledger do this',
    '59: <buffer>: the spool does this',
  ]);
});

test('Fluent Bit: both syntaxes give the same', () => {
  const classic = imported(
    parseFluentBit(`[SERVICE]
    Flush 1
[INPUT]
    Name   tail
    Path   /var/log/containers/*.log
    Parser docker
    Tag    kube.*
    DB     /var/log/flb.db
[INPUT]
    Name   tail
    Path   /var/log/mine.log
    Parser mine
    Tag    mine
[PARSER]
    Name   mine
    Format regex
    Regex  ^(?<a>\\d+)$
[FILTER]
    Name   grep
    Match  kube.*
    Exclude log ^debug
[FILTER]
    Name   kubernetes
    Match  kube.*
[OUTPUT]
    Name   kinesis_streams
    Match  *
    stream logs
    region \${AWS_REGION}
`),
  );
  const yaml = imported(
    parseYaml(`service:
  flush: 1
pipeline:
  inputs:
    - { name: tail, path: /var/log/containers/*.log, parser: docker, tag: kube.*, db: /var/log/flb.db }
    - { name: tail, path: /var/log/mine.log, parser: mine, tag: mine }
  filters:
    - { name: grep, match: kube.*, exclude: log ^debug }
    - { name: kubernetes, match: kube.* }
  outputs:
    - { name: kinesis_streams, match: '*', stream: logs, region: "\${AWS_REGION}" }
parsers:
  - { name: mine, format: regex, regex: '^(?<a>\\d+)$' }
`),
  );
  assert.deepEqual(yaml.config, classic.config);
  assert.equal(classic.config.inputs.length, 2);
  assert.equal(classic.config.stream['region'], `\${env:AWS_REGION}`);
  assert.deepEqual(classic.config.inputs[0]!['exclude'], [{ field: 'log', pattern: '^debug' }]);
  assert.deepEqual(classic.config.inputs[1]!['format'], { type: 'regexp', expression: '^(?<a>\\d+)$' });
  for (const { missing } of [classic, yaml])
    assert.deepEqual(
      missing.map(({ text }) => text),
      [
        'service: has no counterpart',
        'filter kubernetes: labels and annotations; namespace, pod and container come from the path',
      ],
    );
});

test('Vector: file sources and a Kinesis sink; remap is listed', () => {
  const { config, missing } = imported(
    parseYaml(`data_dir: /var/lib/vector
sources:
  nginx:
    type: file
    include: [/var/log/nginx/*.log]
    exclude: [/var/log/nginx/error.log]
  fluent: { type: fluent, address: "0.0.0.0:24224" }
transforms:
  parse: { type: remap, inputs: [nginx], source: ". = 1" }
sinks:
  out: { type: aws_kinesis_streams, inputs: [parse], stream_name: logs, region: eu-west-1, compression: gzip, encoding: { codec: json } }
  print: { type: console, inputs: [parse] }
`),
  );
  assert.deepEqual(config, {
    stream: { name: 'logs', region: 'eu-west-1' },
    inputs: [
      {
        type: 'tail',
        path: '/var/log/nginx/*.log',
        exclude_path: '/var/log/nginx/error.log',
        tag: 'nginx',
        format: 'none',
      },
      { type: 'forward', listen: '0.0.0.0:24224' },
    ],
  });
  assert.deepEqual(
    missing.map(({ text }) => text),
    ['data_dir: has no counterpart', 'remap: . = 1', 'output console: events go to Kinesis only'],
  );
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

test('Fluent Bit: what a parser has further, a second parser and an endpoint without a scheme', () => {
  const { config, missing } = imported(
    parseFluentBit(`[INPUT]
  Name tail
  Path /a
  Parser mine
  multiline.parser cri
[PARSER]
  Name mine
  Format json
  Time_Offset +0200
[PARSER]
  Name unused
  Format ltsv
  Time_Offset +0200
[OUTPUT]
  Name kinesis_streams
  stream logs
  endpoint kinesis.example
`),
  );
  assert.deepEqual(config.stream, { name: 'logs', endpoint: 'https://kinesis.example' });
  assert.deepEqual(config.inputs[0]!['format'], { type: 'json', timezone: '+0200' });
  assert.deepEqual(texts(missing), ['5: multiline.parser cri']);
});

test('Fluent Bit: a filter for some events only does not become one for all', () => {
  const inputOf = (filter: string) =>
    imported(parseFluentBit(`[INPUT]\n Name tail\n Path /a\n Tag a\n[FILTER]\n${filter}`));
  for (const filter of [
    'Name grep\nMatch a\nLogical_Op OR\nRegex level warn\nRegex level error',
    'Name grep\nMatch a\nLogical_Op and\nExclude level debug\nExclude path /health',
    'Name modify\nMatch a\nCondition Key_exists x\nRemove y',
    'Name grep\nMatch_Regex ^b\nRegex level warn',
  ]) {
    const { config, missing } = inputOf(filter);
    assert.deepEqual(Object.keys(config.inputs[0]!), ['type', 'path', 'tag', 'format', 'read_from_head']);
    assert.equal(missing.length, 1, filter);
  }
  for (const [filter, key] of [
    ['Name grep\nMatch a\nLogical_Op OR\nExclude level debug\nExclude path /health', 'exclude'],
    ['Name grep\nMatch a\nLogical_Op AND\nRegex level warn\nRegex path /a', 'include'],
    ['Name grep\nMatch a\nLogical_Op OR\nRegex level warn', 'include'],
    ['Name grep\nMatch a\nLogical_Op legacy\nRegex level warn\nRegex path /a', 'include'],
  ] as const) {
    const { config, missing } = inputOf(filter);
    assert.ok(config.inputs[0]![key], filter);
    assert.deepEqual(missing, []);
  }
});

test('Vector: a file that is read from its end', () => {
  const { config } = imported(parseYaml('sources: { a: { type: file, include: [/a], read_from: end } }'));
  assert.equal(config.inputs[0]!['read_from_head'], false);
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

test('the command: a region that nobody names is asked for, and a broken file is one line', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-import-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'fluent.conf');
  const source = '<source>\n@type tail\npath /a\ntag a\n<parse>\n@type none\n</parse>\n</source>\n';
  const outputs: readonly [string, number, RegExp, RegExp][] = [
    ['stream_name s\nregion eu-west-1', 0, /^$/, /name: s\n {2}region: eu-west-1\n/],
    [
      'stream_name s',
      3,
      /output to Kinesis names no region: set stream\.region/,
      /region: \$\{env:AWS_REGION\}\n/,
    ],
    ['', 3, /no output names a Kinesis stream/, /name: weblogs\n/],
  ];
  for (const [output, code, stderr, stdout] of outputs) {
    writeFileSync(file, `${source}<match **>\n@type kinesis_streams\n${output}\n</match>\n`);
    const said = await runCommand(t, command(), file);
    assert.equal(said.code, code, said.stderr);
    assert.match(said.stderr, stderr);
    assert.match(said.stdout, stdout);
  }
  writeFileSync(file, source.slice(0, -11));
  await assert.rejects(runCommand(t, command(), file), {
    code: 'CONFIG',
    message: `${file}: line 1: <source> is never closed`,
  });
});

test('odd input does not crash: broken sections, unknown parsers, nothing at all', () => {
  const odd = carryOver(parseYaml('pipeline:\n  inputs: tail\n  filters: [grep]\n')).missing;
  assert.deepEqual(texts(odd), ['2: input: has no counterpart', '3: filter: has no counterpart']);
  assert.deepEqual(carryOver(parseFluentBit('key value\n[INPUT]\n')).config.inputs, []);
  assert.deepEqual(carryOver(parseYaml('- a\n')).config.inputs, []);
  assert.throws(() => parseYaml('a: b: c'));
  const { missing, config } = imported(
    parseFluentd('<source>\n@type tail\npath /a\ntag b\nformat multiline\n</source>\n'),
  );
  assert.equal(config.inputs[0]!['format'], 'none');
  assert.match(missing[0]!.text, /parser multiline: lines are kept as text/);
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
        multiline: { start: '/^\\d{4}/' },
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

test('Fluent Bit: systemd, what kubernetes merges, a parser of a field, excluded names in any folder', () => {
  const { config, missing } = imported(
    parseFluentBit(`[INPUT]
  Name tail
  Path /var/log/containers/*.log
  Exclude_Path *_kube-system_*.log
  multiline.parser docker, cri
  Tag kube.*
[INPUT]
  Name systemd
  Tag host.*
  Systemd_Filter _SYSTEMD_UNIT=nginx.service
  Systemd_Filter _UID=0
  Read_From_Tail On
[INPUT]
  Name tail
  Path /b.log
  Tag b
[FILTER]
  Name kubernetes
  Match kube.*
  Merge_Log On
[FILTER]
  Name parser
  Match b
  Key_Name log
  Parser web
[PARSER]
  Name web
  Format regex
  Regex ^(?<code>\\d+)
  Types code:integer
`),
  );
  assert.deepEqual(config.inputs, [
    {
      type: 'tail',
      path: '/var/log/containers/*.log',
      exclude_path: '/var/log/containers/*_kube-system_*.log',
      tag: `kube.\${path}`,
      format: { type: 'cri', inner: 'json' },
      read_from_head: false,
    },
    {
      type: 'journald',
      tag: 'host',
      units: ['nginx.service'],
      matches: ['_UID=0'],
      read_from_head: false,
    },
    {
      type: 'tail',
      path: '/b.log',
      tag: 'b',
      format: { type: 'regexp', expression: '^(?<code>\\d+)', types: { code: 'integer' } },
      read_from_head: false,
    },
  ]);
  assert.deepEqual(texts(missing), [
    '17: filter kubernetes: labels and annotations; namespace, pod and container come from the path',
  ]);
});

test('Vector: programs and conditions that have a counterpart, for the sources that they are wired to', () => {
  const { config, missing } = imported(
    parseYaml(`sources:
  web: { type: file, include: [/w.log] }
  app: { type: file, include: [/a.log] }
  units: { type: journald, include_units: [nginx] }
transforms:
  parse:
    type: remap
    inputs: [web]
    source: |
      . = parse_nginx_log!(.message, "combined")
      # a comment
      .env = "prod"
      .level = 3
      .host = get_hostname!()
      .ip = del(.client)
      del(.status)
      .size = to_int!(.size) * 2
  errors:
    type: filter
    inputs: [parse]
    condition: '.status >= 500'
  some:
    type: filter
    inputs: [parse]
    condition: '.status != 200 && !starts_with(string!(.path), "/health.") && match!(.agent, r''^curl'')'
  json:
    type: remap
    inputs: ["a*"]
    source: ". |= object!(parse_json!(string!(.message)))"
  regex:
    type: remap
    inputs: [units]
    source: ". |= parse_regex!(.message, r'^(?P<code>\\\\d+)')"
sinks:
  out: { type: aws_kinesis_streams, inputs: ["*"], stream_name: logs, region: eu-west-1 }
`),
  );
  assert.deepEqual(config.inputs, [
    {
      type: 'tail',
      path: '/w.log',
      tag: 'web',
      format: 'nginx',
      add: { env: 'prod', level: 3, host: `\${hostname}` },
      rename: { remote: 'ip' },
      remove: ['code'],
      include: [{ field: 'agent', pattern: '^curl' }],
      exclude: [
        { field: 'code', pattern: '^200$' },
        { field: 'path', pattern: '^\\/health\\.' },
      ],
    },
    { type: 'tail', path: '/a.log', tag: 'app', format: 'json' },
    {
      type: 'journald',
      tag: 'units',
      units: ['nginx.service'],
      format: { type: 'regexp', expression: '^(?<code>\\d+)' },
    },
  ]);
  assert.deepEqual(texts(missing), [
    '17: remap: .size = to_int!(.size) * 2',
    '21: filter: condition .status >= 500',
  ]);
});
