/** The command `tailrace import`: files that include others, what it says and its exit codes. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { command } from '../../../../cli/commands/import.ts';
import { carryOver } from '../../../../cli/import/carry-over.ts';
import { parseFluentBit } from '../../../../cli/import/fluent-bit.ts';
import { parseFluentd } from '../../../../cli/import/fluentd.ts';
import { parseYaml } from '../../../../cli/import/yaml.ts';
import { imported, texts } from '../../../support/imported.ts';
import { runCommand } from '../../../support/run-command.ts';

test('the command: a region that nobody names is asked for, and a broken file is one line', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-import-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'fluent.conf');
  const source =
    '<source>\n@type tail\npath /a\npos_file /p\ntag a\n<parse>\n@type none\n</parse>\n</source>\n';
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

test('the command: files that are included, and those of parsers, are read; each line is named with its file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-import-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'conf.d'));
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const source = '<source>\n@type tail\npath /a\ntag a\n@include parse.conf\n</source>\n';
  write('conf.d/a.conf', `${source}@include ../gone.conf\n`);
  write('conf.d/parse.conf', 'odd yes\n<parse>\n@type none\n</parse>\n');
  const fluentd = write(
    'fluent.conf',
    '# main\n@include conf.d/a*.conf\n<match **>\n@type stdout\n</match>\n',
  );
  const said = await runCommand(t, command(), fluentd);
  assert.match(said.stdout, /path: \/a\n/);
  const place = (name: string): string => join(folder, name);
  assert.deepEqual(said.stderr.match(/^.* NOT .*$/gm), [
    `${place('conf.d/parse.conf')}:1: NOT carried over: odd yes`,
    `${place('conf.d/a.conf')}:7: NOT carried over: @include ../gone.conf: no such file`,
    `${place('fluent.conf')}:3: NOT carried over: output stdout: events go to Kinesis only`,
  ]);

  write(
    'parsers.conf',
    '[PARSER]\nName mine\nFormat ltsv\nOdd yes\n[PARSER]\nName other\nFormat json\nOdd yes\n',
  );
  write('inputs.conf', '[INPUT]\nName tail\nPath /a\nTag a\nParser mine\n');
  const classic = await runCommand(
    t,
    command(),
    write(
      'fluent-bit.conf',
      '[SERVICE]\nParsers_File parsers.conf\nParsers_File gone.conf\n@INCLUDE inputs.conf\n',
    ),
  );
  assert.match(classic.stdout, /format: ltsv\n/);
  assert.match(classic.stderr, /parsers\.conf:4: NOT carried over: odd yes\n/);
  assert.match(
    classic.stderr,
    /fluent-bit\.conf:3: NOT carried over: parsers_file gone\.conf: no such file\n/,
  );
  assert.doesNotMatch(classic.stderr, /parsers\.conf:8/);

  write('one.yaml', 'parsers:\n  - { name: mine, format: ltsv }\n');
  write('two.yaml', 'pipeline:\n  inputs:\n    - { name: tail, path: /a, tag: a, parser: mine, odd: yes }\n');
  const yaml = await runCommand(
    t,
    command(),
    write('fluent-bit.yaml', 'includes:\n  - one.yaml\n  - t*.yaml\n  - gone.yaml\n'),
  );
  assert.match(yaml.stdout, /format: ltsv\n/);
  assert.match(yaml.stderr, /two\.yaml:3: NOT carried over: odd yes\n/);
  assert.match(yaml.stderr, /fluent-bit\.yaml:4: NOT carried over: includes gone\.yaml: no such file\n/);

  write(
    'loop.conf',
    '@include loop.conf\n<source>\n@type tail\npath /a\ntag a\n<parse>\n@type none\n</parse>\n</source>\n',
  );
  assert.match(
    (await runCommand(t, command(), join(folder, 'loop.conf'))).stderr,
    /loop\.conf:1: NOT carried over: @include loop\.conf/,
  );
  await assert.rejects(runCommand(t, command(), write('broken.conf', '@include half.conf\n<source>\n')), {
    message: `${place('broken.conf')}: line 2: <source> is never closed`,
  });
  for (const [text, why] of [
    ['[sources.a]\ntype = "file"\n', /vector\.toml: Vector's TOML is not read: .*convert-config/],
    ['config:\n  - source:\n      $type: tail\n', /vector\.toml: fluentd's YAML is not read/],
  ] as const)
    await assert.rejects(runCommand(t, command(), write('vector.toml', text)), {
      code: 'CONFIG',
      message: why,
    });
});

test('the command: what the agent would not accept is said, and inputs that read the same have names of their own', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-import-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'fluent.conf');
  const source = (path: string, tag: string, regexp: string): string =>
    `<source>\n@type tail\npath ${path}\npos_file /p\ntag ${tag}\n<parse>\n@type regexp\nexpression ${regexp}\n</parse>\n</source>\n`;
  writeFileSync(
    file,
    `${source('/a', 'x.y', '/^(?<a>.*)$/')}${source('/a', 'x.y', '/^(?<b>.*)$/')}${source('/b', 'b', '/^(?<c/')}<match **>\n@type kinesis_streams\nstream_name s\nregion "#{ENV['REGION']}"\n</match>\n`,
  );
  const { code, stderr, stdout } = await runCommand(t, command(), file);
  assert.equal(code, 3);
  assert.deepEqual(stdout.match(/ id: .*/g), [' id: x.y', ' id: x.y-2']);
  assert.match(
    stderr,
    /fluent\.conf: NOT accepted by the agent, .*inputs\[2\]\.format\.expression: is not a/,
  );
  assert.equal(stderr.trim().split('\n').length, 1);
});

test('the command: says of inputs without positions what is lost or repeated when the agents are switched', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-import-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'fluent-bit.conf');
  const output = '[OUTPUT]\nName kinesis_streams\nstream s\nregion r\n';
  writeFileSync(
    file,
    `[INPUT]\nName tail\nPath /a\nTag a\nDB /a.db\n[INPUT]\nName tail\nPath /b\nTag b\n[INPUT]\nName tail\nPath /c\nTag c\nRead_from_Head on\n[INPUT]\nName forward\n${output}`,
  );
  const { code, stderr, stdout } = await runCommand(t, command(), file);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /take_over:\n {6}agent: fluent-bit\n {6}file: \/a\.db\n/);
  assert.deepEqual(stderr.replaceAll(`${file}:`, '').trim().split('\n'), [
    '6: when you switch: input b: keeps no positions: what is written between the stop of the one agent and the start of the other is lost',
    '10: when you switch: input c: keeps no positions: what is there is read from its beginning, and repeated',
  ]);
});

test('the command: configurations of agents that are not read are called by their name', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-import-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'config');
  for (const [text, name] of [
    ['filebeat.inputs:\n- type: filestream\n  paths: [/a]\n', "Filebeat's"],
    ['filebeat:\n  inputs: []\n', "Filebeat's"],
    ['{"logs":{"logs_collected":{"files":{"collect_list":[{"file_path":"/a"}]}}}}', "the CloudWatch agent's"],
  ] as const) {
    writeFileSync(file, text);
    await assert.rejects(runCommand(t, command(), file), {
      code: 'CONFIG',
      message: new RegExp(
        `^${file}: ${name} configuration is not read: write an input for each of its paths`,
      ),
    });
  }
});
