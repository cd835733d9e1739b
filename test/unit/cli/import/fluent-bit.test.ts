/** `tailrace import` of Fluent Bit's configuration in both of its syntaxes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFluentBit } from '../../../../cli/import/fluent-bit.ts';
import { parseFluentd } from '../../../../cli/import/fluentd.ts';
import { parseYaml } from '../../../../cli/import/yaml.ts';
import { imported, texts } from '../../../support/imported.ts';

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
  assert.deepEqual(classic.config.inputs[0]!['exclude'], [{ field: 'message', pattern: '^debug' }]);
  assert.deepEqual(classic.config.inputs[1]!['format'], { type: 'regexp', expression: '^(?<a>\\d+)$' });
  for (const { missing } of [classic, yaml])
    assert.deepEqual(
      missing.map(({ text }) => text),
      ['filter kubernetes: labels and annotations; namespace, pod and container come from the path'],
    );
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
  assert.deepEqual(config.inputs[0]!['format'], 'cri');
  assert.deepEqual(texts(missing), [
    "1: parser mine: Fluent Bit does not apply it with multiline.parser either: set format, or inner of a container's, to have it parsed",
  ]);
});

test('Fluent Bit: a filter for some events only does not become one for all', () => {
  const inputOf = (filter: string) =>
    imported(parseFluentBit(`[INPUT]\n Name tail\n Path /a\n Tag a\n[FILTER]\n${filter}`));
  for (const filter of [
    'Name grep\nMatch a\nLogical_Op OR\nRegex level warn\nRegex path error',
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
    ['Name grep\nMatch a\nLogical_Op legacy\nExclude path /b\nRegex level warn', 'include'],
    ['Name grep\nMatch a\nLogical_Op or\nRegex level warn\nRegex level error', 'include'],
  ] as const) {
    const { config, missing } = inputOf(filter);
    assert.ok(config.inputs[0]![key], filter);
    assert.deepEqual(missing, []);
  }
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
      format: { type: 'container', inner: 'json' },
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

test('Fluent Bit: variables of its own, regular expressions for tags, paths into records, the line that is called log', () => {
  const { config, missing } = imported(
    parseFluentBit(`@SET env=prod
@INCLUDE nowhere.conf
[INPUT]
  Name tail
  Path /\${env}/*.log
  Tag app.<file>
  Tag_Regex (?<file>[a-z]+)\\.log$
  Skip_Empty_Lines On
[INPUT]
  Name forward
  Tag_Prefix fw.
[FILTER]
  Name record_modifier
  Match *
  Record env \${env}
  Record zone \${zone}
  Record tag $TAG
[FILTER]
  Name grep
  Match_Regex ^(app|web)\\.
  Exclude log ^DEBUG
  Exclude $request['path'] ^/health
[FILTER]
  Name modify
  Match fw.web.*
  Rename a b
[FILTER]
  Name modify
  Match fw.w*
  Condition Key_exists x
  Rename a b
[FILTER]
  Name rewrite_tag
  Match app.*
  Rule $level ^error$ errors true
[OUTPUT]
  Name kinesis_streams
  Match_Regex ^fw
  stream logs
  region r
`),
  );
  const add = { env: 'prod', zone: `\${env:zone}` };
  assert.deepEqual(config.inputs, [
    {
      type: 'tail',
      path: '/prod/*.log',
      tag: `app.\${name}`,
      format: 'none',
      exclude: [
        { field: 'message', pattern: '^$' },
        { field: 'message', pattern: '^DEBUG' },
        { field: 'request.path', pattern: '^/health' },
      ],
      read_from_head: false,
      add,
    },
    {
      type: 'forward',
      listen: '0.0.0.0:24224',
      tag_prefix: 'fw',
      add,
      routes: [{ match: 'fw.web.**', rename: { a: 'b' } }],
    },
  ]);
  assert.deepEqual(texts(missing).sort(), [
    '17: tag $TAG: not computed from the event',
    '27: filter modify: it is for events that meet a condition',
    '2: @INCLUDE nowhere.conf: no such file',
    '32: filter rewrite_tag: tags do not depend on fields: select by the field when you read the archive',
    `3: input app.\${name}: no output to Kinesis takes its events there, and all go to the stream here: remove the input if they should not`,
    `3: tag_regex (?<file>[a-z]+)\\.log$: the tag is app.\${name}, with the file's name without its ending`,
  ]);
});

test('Fluent Bit: events of several lines, by states, by a first line, and by what is built in', () => {
  const states = (text: string): string =>
    `[INPUT]\nName tail\nPath /a\nTag a\nmultiline.parser mine\n[MULTILINE_PARSER]\nname mine\ntype regex\nflush_timeout 1000\n${text}`;
  const first = 'rule "start_state" "/^\\d{4} /" "cont"\n';
  for (const [text, multiline, listed] of [
    [
      states(`${first}rule "cont" "/^\\s+at/" "cont"\n`),
      { continuation: '^\\s+at', flush_interval: '1000ms' },
      0,
    ],
    [states(first), { start: '^\\d{4} ', flush_interval: '1000ms' }, 0],
    [
      states(`${first}rule "a" "/^ a/" "b"\nrule "b" "/^ b/" "a"\n`),
      { continuation: '(?:^ a)|(?:^ b)', flush_interval: '1000ms' },
      1,
    ],
    ['[INPUT]\nName tail\nPath /a\nTag a\nmultiline.parser nowhere\n', undefined, 1],
    [
      '[INPUT]\nName tail\nPath /a\nTag a\nMultiline On\nMultiline_Flush 5\nParser_Firstline one\n[PARSER]\nName one\nFormat regex\nRegex ^(?<time>\\d{4}) (?<message>.*)\n',
      { start: '^(?<time>\\d{4}) (?<message>.*)', flush_interval: '5s' },
      0,
    ],
    [
      '[INPUT]\nName tail\nPath /a\nTag a\n[FILTER]\nName multiline\nMatch a\nmultiline.key_content log\nmultiline.parser java\n',
      {
        continuation:
          '^[\\t ]+(?:eval )?at |^[\\t ]*(?:Caused by|Suppressed):|^[\\t ]*\\.\\.\\. \\d+ (?:more|common frames omitted)|^[\\t ]*nested exception is:|^[\\t ]*--- End of (?:inner exception )?stack trace',
      },
      0,
    ],
  ] as const) {
    const { config, missing } = imported(parseFluentBit(text));
    assert.deepEqual(config.inputs[0]!['multiline'], multiline, text);
    assert.equal(missing.length, listed, text);
  }
});

test('Fluent Bit: a parser of its own parsers.conf is the preset of that name, another of the same name is not', () => {
  const formatOf = (parser: string): unknown => {
    const { config, missing } = imported(
      parseFluentBit(
        `[INPUT]\nName tail\nPath /a\nTag a\nParser ${/Name (\S+)/.exec(parser)![1]}\n[PARSER]\n${parser}\n`,
      ),
    );
    assert.deepEqual(missing, []);
    return config.inputs[0]!['format'];
  };
  const stock = 'Format regex\nRegex ^(?<remote>[^ ]*) (?<host>[^ ]*) (?<user>[^ ]*) (?<code>[^ ]*)$';
  assert.equal(formatOf(`Name nginx\n${stock}\nTime_Key time\nTime_Format %d`), 'nginx');
  assert.equal(formatOf('Name docker\nFormat json\nTime_Key time\nTime_Keep On'), 'docker');
  assert.equal(formatOf('Name json\nFormat json\nTime_Key time\nTime_Format %d/%b/%Y:%H:%M:%S %z'), 'json');
  assert.deepEqual(formatOf('Name nginx\nFormat regex\nRegex ^(?<vhost>\\S+)\nTime_Keep On'), {
    type: 'regexp',
    expression: '^(?<vhost>\\S+)',
    keep_time_key: true,
  });
});

test('Fluent Bit in YAML: variables, several-line parsers, and what an input alone processes', () => {
  const { config, missing } = imported(
    parseYaml(`env: { STREAM: prod, n: 1 }
service: { flush: "\${n}", http_server: on }
multiline_parsers:
  - name: trace
    type: regex
    rules:
      - { state: start_state, regex: '/^\\d/', next_state: cont }
      - { state: cont, regex: '/^\\s/', next_state: cont }
pipeline:
  inputs:
    - name: tail
      path: /a
      tag: a
      multiline.parser: trace
      processors:
        logs:
          - { name: content_modifier, action: insert, key: color, value: blue }
          - { name: content_modifier, action: delete, key: log }
          - { name: content_modifier, action: hash, key: user }
          - { name: grep, exclude: log ^DEBUG }
    - { name: tail, path: /b, tag: b }
  outputs:
    - { name: kinesis_streams, match: '*', stream: "\${STREAM}", region: r }
`),
  );
  assert.deepEqual(config.stream, { name: 'prod', region: 'r' });
  assert.deepEqual(config.inputs, [
    {
      type: 'tail',
      path: '/a',
      tag: 'a',
      format: 'none',
      multiline: { continuation: '^\\s' },
      read_from_head: false,
      add: { color: 'blue' },
      redact: [{ field: 'user', mask: true }],
      remove: ['message'],
      exclude: [{ field: 'message', pattern: '^DEBUG' }],
    },
    { type: 'tail', path: '/b', tag: 'b', format: 'none', read_from_head: false },
  ]);
  assert.deepEqual(texts(missing), ['19: hash of user: it is masked instead']);
});

test('Fluent Bit: rules for what an earlier filter has renamed name the field as it came; what it has added is listed', () => {
  const { config, missing } = imported(
    parseFluentBit(`[INPUT]
Name tail
Path /a
Tag a
[INPUT]
Name forward
Tag_Prefix fw
[FILTER]
Name modify
Match a
Rename log line
Rename x y
Add env prod
[FILTER]
Name grep
Match a
Exclude line ^DEBUG
Regex env prod
[FILTER]
Name modify
Match a
Rename y z
Remove line
`),
  );
  assert.deepEqual(config.inputs[0], {
    type: 'tail',
    path: '/a',
    tag: 'a',
    format: 'none',
    read_from_head: false,
    rename: { message: 'line', x: 'z' },
    add: { env: 'prod' },
    exclude: [{ field: 'message', pattern: '^DEBUG' }],
    remove: ['message'],
  });
  assert.deepEqual(texts(missing), [
    '5: tag_prefix fw: a dot comes between it and the tag here',
    '14: filter grep: rules act before fields are added here, as env is',
  ]);
});

test('Fluent Bit: a rule for what a filter without a counterpart may have set keeps all events', () => {
  const input = '[INPUT]\nName tail\nPath /a\nTag a\nmultiline.parser cri\n';
  const rule =
    '[FILTER]\nName grep\nMatch *\nRegex keep yes\n[FILTER]\nName grep\nMatch *\nExclude level debug\n';
  const lua = imported(parseFluentBit(`${input}[FILTER]\nName lua\nMatch *\ncall f\n${rule}`));
  assert.deepEqual(lua.config.inputs[0]!['exclude'], [{ field: 'level', pattern: 'debug' }]);
  assert.equal(lua.config.inputs[0]!['include'], undefined);
  assert.deepEqual(
    lua.missing.map(({ text }) => text),
    [
      'filter lua: has no counterpart',
      'filter grep: events are kept whatever keep is, because what sets it is not carried over',
    ],
  );
  const kubernetes = (field: string): Record<string, unknown> =>
    imported(
      parseFluentBit(
        `${input}[FILTER]\nName kubernetes\nMatch *\nMerge_Log On\n[FILTER]\nName grep\nMatch *\nRegex ${field} ^prod\n`,
      ),
    ).config.inputs[0]!;
  assert.deepEqual(kubernetes("$kubernetes['namespace_name']")['include'], [
    { field: 'kubernetes.namespace', pattern: '^prod' },
  ]);
  assert.equal(kubernetes("$kubernetes['labels']['app']")['include'], undefined);
  const parser = imported(parseFluentBit(`[INPUT]\nName tail\nPath /a\nTag a\nParser nowhere\n${rule}`));
  assert.equal(parser.config.inputs[0]!['include'], undefined);
});

test('the path of a file in a field: Fluent Bit, fluentd and Vector', () => {
  const added = (sections: Parameters<typeof imported>[0]): unknown => {
    const { config, missing } = imported(sections);
    assert.deepEqual(missing, []);
    return config.inputs[0]!['add'];
  };
  const file = { at: `\${file_path}` };
  assert.deepEqual(added(parseFluentBit('[INPUT]\nName tail\nPath /a\nTag a\nPath_Key at\n')), file);
  const source =
    '<source>\n@type tail\npath /a\ntag a\npath_key at\n<parse>\n@type none\n</parse>\n</source>\n';
  assert.deepEqual(added(parseFluentd(source)), file);
  assert.deepEqual(added(parseYaml('sources: { a: { type: file, include: [/a], file_key: at } }')), file);
  const further = `${source}<filter a>\n@type record_transformer\n<record>\nx y\n</record>\n</filter>\n`;
  assert.deepEqual(added(parseFluentd(further)), { ...file, x: 'y' });
});
