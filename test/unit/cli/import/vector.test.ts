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

/** What a program makes of an input, and what is listed. */
function program(source: string, more = ''): { input: Record<string, unknown>; listed: string[] } {
  const text = `sources: { a: { type: file, include: [/a.log] } }\ntransforms:\n  p:\n    type: remap\n    inputs: [a]\n    source: |\n${source.replaceAll(/^/gm, '      ')}\n${more}`;
  const { config, missing } = imported(parseYaml(text));
  const { take_over: _, type: _type, path: _path, tag: _tag, ...input } = config.inputs[0]!;
  return { input, listed: missing.map(({ text: said }) => said) };
}

test('Vector: JSON that is parsed into a variable and merged, as its documentation has it', () => {
  for (const source of [
    'parsed, err = parse_json(.message)\nif err == null {\n  . = merge(., object!(parsed))\n}',
    'parsed = parse_json(.message) ?? {}\n. = merge!(., parsed)',
    'structured = parse_json(string!(.message)) ?? {}\n. |= structured',
    '. = object!(parse_json!(string!(.message)))',
  ])
    assert.deepEqual(program(source), { input: { format: 'json' }, listed: [] }, source);
});

test('Vector: what a block does is for some events, and not done for all', () => {
  const { input, listed } = program(
    'parsed, err = parse_json(.message)\nif err == null {\n  . |= object!(parsed)\n} else {\n  .failed = true\n}\nif .level == "x" {\n  .severity = "high"\n  del(.level)\n}\n.a = 1; .b = "x;y"',
  );
  assert.deepEqual(input, { format: 'json', add: { a: 1, b: 'x;y' } });
  assert.deepEqual(listed, [
    'remap: .failed = true',
    'remap: if .level == "x" {',
    'remap: .severity = "high"',
    'remap: del(.level)',
  ]);
});

test('Vector: a rule for a field that nothing sets here keeps all events, and is listed', () => {
  const filter = (condition: string): string =>
    `  f: { type: filter, inputs: [p], condition: '${condition}' }\n`;
  const unknown = program(
    '.level = upcase(string!(.severity))',
    filter('.level == "ERROR" && .path != "/x"'),
  );
  assert.deepEqual(unknown.input, { format: 'none', exclude: [{ field: 'path', pattern: '^\\/x$' }] });
  assert.deepEqual(unknown.listed, [
    'remap: .level = upcase(string!(.severity))',
    'filter filter: events are kept whatever level is, because what sets it is not carried over',
  ]);
  const other = program('.x = upcase(string!(.y))', filter('.level == "ERROR"'));
  assert.deepEqual(other.input['include'], [{ field: 'level', pattern: '^ERROR$' }]);
  const whole = program('. = parse_aws_alb_log!(.message)', filter('.level == "ERROR"'));
  assert.equal((whole.input['include'] as unknown[] | undefined)?.length ?? 0, 0);
});

test('Vector: fields that the sink leaves out are left out here; matches of the journal', () => {
  const { config, missing } = imported(
    parseYaml(
      'sources:\n  a: { type: file, include: [/a.log], glob_minimum_cooldown_ms: 500 }\n  j: { type: journald, include_matches: { _TRANSPORT: [kernel] } }\nsinks: { k: { type: aws_kinesis_streams, inputs: [a, j], stream_name: s, region: r, encoding: { codec: json, except_fields: [secret, .b.c] }, batch: { max_events: 5 } } }\n',
    ),
  );
  assert.deepEqual(texts(missing), []);
  assert.deepEqual(
    config.inputs.map(({ remove }) => remove),
    [
      ['secret', 'b.c'],
      ['secret', 'b.c'],
    ],
  );
  assert.equal(config.inputs[0]!['refresh_interval'], '500ms');
  assert.deepEqual(config.inputs[1]!['matches'], ['_TRANSPORT=kernel']);
});
