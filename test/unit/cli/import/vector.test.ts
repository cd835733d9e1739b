/** `tailrace import` of Vector's configuration: sources by name, programs and conditions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseYaml } from '../../../../cli/import/yaml.ts';
import { imported, texts } from '../../../support/imported.ts';

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
        take_over: { agent: 'vector', file: '/var/lib/vector/nginx/checkpoints.json' },
      },
      { type: 'forward', listen: '0.0.0.0:24224' },
    ],
  });
  assert.deepEqual(
    missing.map(({ text }) => text),
    [
      'remap: . = 1',
      'input fluent: no output to Kinesis takes its events there, and all go to the stream here: remove the input if they should not',
      'output console: events go to Kinesis only',
    ],
  );
});

test('Vector: a file that is read from its end', () => {
  const { config } = imported(parseYaml('sources: { a: { type: file, include: [/a], read_from: end } }'));
  assert.equal(config.inputs[0]!['read_from_head'], false);
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
      take_over: { agent: 'vector', file: '/var/lib/vector/web/checkpoints.json' },
    },
    {
      type: 'tail',
      path: '/a.log',
      tag: 'app',
      format: 'json',
      take_over: { agent: 'vector', file: '/var/lib/vector/app/checkpoints.json' },
    },
    {
      type: 'journald',
      tag: 'units',
      units: ['nginx.service'],
      format: { type: 'regexp', expression: '^(?<code>\\d+)' },
      take_over: { agent: 'vector', file: '/var/lib/vector/units/checkpoint.txt' },
    },
  ]);
  assert.deepEqual(texts(missing), [
    '17: remap: .size = to_int!(.size) * 2',
    '21: filter: condition .status >= 500',
  ]);
});

test('Vector: variables with texts in their place, and the modes of events of several lines', () => {
  const multilineOf = (mode: string): unknown =>
    imported(
      parseYaml(
        `sources: { a: { type: file, include: ["\${DIR:-/var/log}/*.log"], multiline: { start_pattern: '^\\S', condition_pattern: '^\\s', mode: ${mode}, timeout_ms: 500 } } }`,
      ),
    ).config.inputs[0];
  const take_over = { agent: 'vector', file: '/var/lib/vector/a/checkpoints.json' };
  const base = { type: 'tail', path: `\${env:DIR:-/var/log}/*.log`, tag: 'a', format: 'none', take_over };
  const flush_interval = '500ms';
  for (const [mode, multiline] of [
    ['continue_through', { continuation: '^\\s', flush_interval }],
    ['halt_before', { start: '^\\s', flush_interval }],
    ['halt_with', { end: '^\\s', flush_interval }],
    ['continue_past', { start: '^\\S', flush_interval }],
  ] as const)
    assert.deepEqual(multilineOf(mode), { ...base, multiline }, mode);
});

test('Vector: positions are where data_dir says, and of files known by their first line or inode', () => {
  const takeOverOf = (top: string, own: string): unknown =>
    imported(parseYaml(`${top}sources: { a: { type: file, include: [/a.log]${own} } }`)).config.inputs[0]![
      'take_over'
    ];
  const at = (file: string): unknown => ({ agent: 'vector', file });
  assert.deepEqual(takeOverOf('data_dir: /d\n', ''), at('/d/a/checkpoints.json'));
  assert.deepEqual(takeOverOf('data_dir: /d\n', ', data_dir: /own/'), at('/own/a/checkpoints.json'));
  const inode = ', fingerprint: { strategy: device_and_inode }';
  assert.deepEqual(takeOverOf('', inode), at('/var/lib/vector/a/checkpoints.json'));
  assert.equal(takeOverOf('', ', fingerprint: { lines: 2 }'), undefined);
});
