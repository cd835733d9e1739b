/** What the documents say of configurations, metrics, alarms and codes is what the code has. */
import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { ERRORS } from '../../base/error-codes.ts';
import { parseDuration } from '../../base/units.ts';
import { configKind, loadConfig } from '../../cli/config.ts';
import { jsonSchema } from '../../cli/config-json-schema.ts';
import { consumerSchema } from '../../consumer/config.ts';
import { agentConfig } from '../../producer/config.ts';
import { cellsOf, codeOf, documents, ROOT, readDocument, rowsUnder } from '../support/documents.ts';

interface Schema {
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly const?: string;
}

/** The paths of all keys that have a value of their own, such as `stream.name`. */
function keysOf({ properties = {} }: Schema, prefix = ''): string[] {
  return Object.entries(properties).flatMap(([key, value]) =>
    value.properties ? keysOf(value, `${prefix}${key}.`) : [`${prefix}${key}`],
  );
}

/** A table's keys, with the text of their default; `a.b`, `c` in one cell are two. */
function keysIn(rows: readonly string[][]): Map<string, string> {
  return new Map(
    rows.flatMap(([keys = '', value = '']) =>
      [...keys.matchAll(/`([^`]+)`/g)].map(([, key]) => [key!, value] as const),
    ),
  );
}

const agent = (await jsonSchema('agent')) as Schema;
const consumer = (await jsonSchema('consumer')) as Schema;
const inputs = agent.properties!['inputs']!.items!.oneOf!;
const inputKeys = (type: string): string[] =>
  keysOf(inputs.find(({ properties }) => properties!['type']!.const === type)!).filter(
    (key) => key !== 'type',
  );

const TABLES: readonly (readonly [string, string, string, readonly string[]])[] = [
  ['docs/agent.md', '## Configuration', '', keysOf(agent)],
  ['docs/consumer.md', '## consumer.yaml', '', keysOf(consumer).filter((key) => !key.startsWith('kcl.'))],
  ['docs/consumer.md', '### kcl', 'kcl.', keysOf(consumer).filter((key) => key.startsWith('kcl.'))],
  ['docs/forward.md', '## Configuration', '', inputKeys('forward')],
  ['docs/formats.md', '## tail', '', inputKeys('tail')],
  ['docs/formats.md', '## journald', '', inputKeys('journald')],
];

for (const [path, heading, prefix, keys] of TABLES) {
  test(`${path}: the table under ${heading} has the keys of the configuration, all of them and no other`, () => {
    const rows = rowsUnder(readDocument(path).text, heading).filter(([first]) => /^`/.test(first!));
    const documented = [...keysIn(rows).keys()].map((key) => `${prefix}${key}`);
    assert.deepEqual(
      documented.filter((key) => !keys.includes(key)),
      [],
      'documented, but not there',
    );
    assert.deepEqual(
      keys.filter((key) => !documented.includes(key)),
      [],
      'not documented',
    );
  });
}

/** A default as a table has it, in the unit of the configuration. */
function defaultFrom(text: string): unknown {
  const size = /^(\d+)(KiB|MiB|GiB)$/.exec(text);
  if (size) return Number(size[1]) * 1024 ** (['KiB', 'MiB', 'GiB'].indexOf(size[2]!) + 1);
  if (/^\d[\d,]*$/.test(text)) return Number(text.replaceAll(',', ''));
  if (text === 'true' || text === 'false') return text === 'true';
  return parseDuration(text) ?? text;
}

function at(value: unknown, path: string): unknown {
  return path.split('.').reduce((one, key) => (one as Record<string, unknown> | undefined)?.[key], value);
}

/** Loads a configuration from its text. */
function load(text: string): unknown {
  const folder = mkdtempSync(join(tmpdir(), 'documents-'));
  const file = join(folder, 'config.yaml');
  writeFileSync(file, text);
  try {
    return configKind(file) === 'agent' ? loadConfig(file, agentConfig) : loadConfig(file, consumerSchema);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const STREAM = 'stream: { name: weblogs, region: us-east-1 }\n';
const LEAST_AGENT = `state_dir: /tmp/x\n${STREAM}inputs: [{ type: forward }, { type: tail, path: /x, tag: x, format: none }]\nspill: { bucket: abc }\nemf: {}\n`;
const LEAST_CONSUMER = `${STREAM}archive: { bucket: abc }\n`;

for (const [path, heading, prefix, text] of [
  ['docs/agent.md', '## Configuration', '', LEAST_AGENT],
  ['docs/consumer.md', '## consumer.yaml', '', LEAST_CONSUMER],
  ['docs/consumer.md', '### kcl', 'kcl.', LEAST_CONSUMER],
  ['docs/forward.md', '## Configuration', 'inputs.0.', LEAST_AGENT],
  ['docs/formats.md', '## tail', 'inputs.1.', LEAST_AGENT],
] as const) {
  test(`${path}: the defaults under ${heading} are those of the configuration`, () => {
    const config = load(text);
    const wrong: string[] = [];
    let compared = 0;
    for (const cells of rowsUnder(readDocument(path).text, heading)) {
      const keys = [...cells[0]!.matchAll(/`([^`]+)`/g)].map(([, key]) => key!);
      const values = [...cells[1]!.matchAll(/`([^`]*)`/g)].map(([, value]) => value!);
      // One default for all keys of the row, or one for each; words are not compared.
      if (values.length !== 1 && values.length !== keys.length) continue;
      if (/`[^`,]*[a-z]{3,}|^[a-z]/.test(cells[1]!.replaceAll(/`[^`]*`/g, ''))) continue;
      for (const [i, key] of keys.entries()) {
        const value = at(config, `${prefix}${key}`);
        if (value === undefined) continue;
        compared += 1;
        const said = defaultFrom(values.length === 1 ? values[0]! : values[i]!);
        if (JSON.stringify(said) !== JSON.stringify(value)) wrong.push(`${key}: ${said} for ${value}`);
      }
    }
    assert.ok(compared > 4, `${compared} defaults are compared`);
    assert.deepEqual(wrong, []);
  });
}

const INPUTS = {
  format: 'inputs:\n  - type: tail\n    path: /x.log\n    tag: x\n',
  routes: 'inputs:\n  - type: forward\n',
};

/** A whole configuration of a part of one: of an input's keys, of inputs, of whatever else an agent has. */
function completed(text: string): string {
  const part = parse(text) as Record<string, unknown>;
  if ('archive' in part) return 'stream' in part ? text : `${STREAM}${text}`;
  if ('tests' in part) return LEAST_AGENT;
  for (const [key, input] of Object.entries(INPUTS))
    if (key in part) return completed(`${input}${text.replaceAll(/^(?=.)/gm, '    ')}`);
  const missing = {
    state_dir: 'state_dir: /tmp/x\n',
    stream: STREAM,
    inputs: 'inputs: [{ type: forward }]\n',
  };
  return Object.entries(missing).reduce((whole, [key, line]) => (key in part ? whole : line + whole), text);
}

test('every configuration in the documents is valid, whole or as a part', () => {
  const blocks = documents().flatMap(({ path, text }) =>
    codeOf(text).blocks.flatMap((block) => (block.language === 'yaml' ? [{ path, text: block.text }] : [])),
  );
  assert.ok(blocks.length > 8, `${blocks.length}`);
  assert.deepEqual(
    blocks.flatMap(({ path, text }) => {
      try {
        load(completed(text));
        return [];
      } catch (error) {
        return [`${path}: ${(error as Error).message}`];
      }
    }),
    [],
  );
});

const sources = globSync(
  ['cli/**/*.ts', 'producer/**/*.ts', 'consumer/**/*.ts', 'functions/**/*.ts', 'infra/*.yml'],
  {
    cwd: ROOT,
  },
)
  .map((path) => readFileSync(join(ROOT, path), 'utf8'))
  .join('\n');

/** Metrics, alarms and error codes that a text names and the code does not have. */
function unknownNames(text: string): string[] {
  const { spans } = codeOf(text);
  return spans.flatMap((span) => {
    const metric = /^(?:tailrace_(?:agent|consumer)|…)_(\w+)$/.exec(span.replace(/\{.*\}$/, ''))?.[1];
    if (metric !== undefined) {
      const name = metric.replace(/_total$/, '');
      return new RegExp(`\\b(?:tailrace_\\w+?_)?${name}(?:_total)?\\b`).test(sources) ? [] : [span];
    }
    if (/^[A-Z]\w+Alarm$/.test(span)) return new RegExp(`^  ${span}:`, 'm').test(sources) ? [] : [span];
    return [];
  });
}

test('metrics and alarms in the documents exist', () => {
  assert.deepEqual(
    documents().flatMap(({ path, text }) => unknownNames(text).map((name) => `${path}: ${name}`)),
    [],
  );
  assert.deepEqual(unknownNames('`tailrace_agent_no_such_total`, `…_no_such_total`, `NothingAlarm`'), [
    'tailrace_agent_no_such_total',
    '…_no_such_total',
    'NothingAlarm',
  ]);
});

/** Names in capitals that are not codes of errors: of AWS, of KCL, of systems, of the environment. */
const NOT_CODES = /^(?:CAP|AWS|O|CREATE|NODE|FLUENT)_/;

test('error codes in the documents exist', () => {
  const isCode = (span: string): boolean => /^[A-Z]+(?:_[A-Z]+)+$/.test(span) && !NOT_CODES.test(span);
  const named = documents().flatMap(({ path, text }) =>
    codeOf(text)
      .spans.filter(isCode)
      .map((code) => [path, code] as const),
  );
  assert.ok(named.length > 40, `${named.length}`);
  assert.deepEqual(
    named
      .filter(([, code]) => !(code in ERRORS || new RegExp(`\\b${code}\\b`).test(sources)))
      .map(([path, code]) => `${path}: ${code}`),
    [],
  );
});

test('parameters in deploy.md are those of serverless.yml', () => {
  const template = readFileSync(join(ROOT, 'serverless.yml'), 'utf8');
  const { params } = parse(template) as { params: { default: Record<string, unknown> } };
  const rows = rowsUnder(readDocument('docs/deploy.md').text, '## What you may want to set');
  const named = rows.flatMap(([first]) => [...first!.matchAll(/`(\w+)`/g)].map(([, name]) => name!));
  assert.ok(named.length > 15);
  assert.deepEqual(
    named.filter((name) => !(name in params.default)),
    [],
  );
  assert.deepEqual(cellsOf('| a \\| b | c |'), ['a \\| b', 'c']);
});

test('troubleshooting.md has every alarm of the stack and each way in which a stream fails', () => {
  const { text } = readDocument('docs/troubleshooting.md');
  const alarms = globSync('infra/*.yml', { cwd: ROOT }).flatMap((path) =>
    [...readFileSync(join(ROOT, path), 'utf8').matchAll(/^ {2}(\w+Alarm):$/gm)].map(([, name]) => name!),
  );
  assert.ok(alarms.length > 15);
  assert.deepEqual(
    alarms.filter((name) => !text.includes(`\`${name}\``)),
    [],
  );
  const conditions = rowsUnder(readDocument('docs/sending.md').text, '## When the stream accepts nothing');
  const failures = readFileSync(join(ROOT, 'producer/sender/failures.ts'), 'utf8');
  assert.deepEqual(
    conditions.map(([name]) => name!.replaceAll('`', '')),
    [...failures.matchAll(/^ {4}case '(\w+)':$/gm)].map(([, name]) => name),
  );
});

/** Whether the fixed parts of a message (`…` stands for the others) are on one of these lines, in their order. */
function isSaid(message: string, lines: readonly string[]): boolean {
  const parts = message.split('…').map((part) => part.trim());
  return lines.some((line) => {
    let from = 0;
    for (const part of parts) {
      const at = line.indexOf(part, from);
      if (at === -1) return false;
      from = at + part.length;
    }
    return true;
  });
}

test('the messages that troubleshooting.md quotes are those of the programs', () => {
  const source = globSync(['{base,archive,producer,consumer,functions,cli,local}/**/*.{ts,mjs}'], {
    cwd: ROOT,
  }).flatMap((path) => readFileSync(join(ROOT, path), 'utf8').split('\n'));
  const { text } = readDocument('docs/troubleshooting.md');
  const quoted = [
    '## The agent',
    "## The agent's log, level error",
    '## The consumer',
    "## The consumer's log, levels error and fatal",
    "## The functions' logs, level error",
    '## Verify says',
    '## Hours says',
    "## On a developer's machine",
  ]
    .flatMap((heading) => rowsUnder(text, heading))
    .flatMap(([first]) => [...first!.matchAll(/`([^`]+)`/g)].map(([, message]) => message!))
    .filter((message) => / /.test(message) && !/^(?:npm|npx|tailrace) /.test(message));
  assert.ok(quoted.length > 25, `${quoted.length}`);
  assert.deepEqual(
    quoted.filter((message) => !isSaid(message, source)),
    [],
  );
  assert.ok(!isSaid('the spool is empty: inputs are … paused', source));
});

/** The texts that a program logs at these levels; `…` for what differs. */
function logged(source: string): string[] {
  const calls = source.matchAll(/\blog(?:ger)?\.(?:error|fatal)\(/gi);
  return [...calls].flatMap(({ index, 0: call }) => {
    const rest = source.slice(index + call.length);
    let depth = 1;
    let end = 0;
    while (depth > 0 && end < rest.length) depth += { '(': 1, ')': -1 }[rest[end++]!] ?? 0;
    const texts = [...rest.slice(0, end).matchAll(/'([^'\n]*)'|"([^"\n]*)"|`([^`]*)`/g)];
    const said = texts.map(([, single, double, template]) => single ?? double ?? template!);
    return said.filter((text) => / .* /.test(text)).map((text) => text.replaceAll(/\$\{[^}]*\}/g, '…'));
  });
}

test('troubleshooting.md has every message that a program logs as an error', () => {
  const { text } = readDocument('docs/troubleshooting.md');
  const entries = [...text.matchAll(/`([^`]+)`/g)]
    .map(([, entry]) => entry!)
    .filter((entry) => / /.test(entry));
  const messages = globSync('{archive,producer,consumer,functions}/**/*.ts', { cwd: ROOT }).flatMap((path) =>
    logged(readFileSync(join(ROOT, path), 'utf8')),
  );
  assert.ok(messages.length > 40, `${messages.length} messages`);
  const patterns = entries.map(
    (entry) => new RegExp(`^${entry.split('…').map(RegExp.escape).join('.*')}$`, 's'),
  );
  assert.deepEqual(
    messages.filter((message) => !patterns.some((pattern) => pattern.test(message))),
    [],
  );
  assert.deepEqual(logged("log.error({ err }, `a $\x7Bb(c)} of (d)`); log.warn('not this one');"), [
    'a … of (d)',
  ]);
});

test('README leads to every page of docs', () => {
  const { text } = readDocument('README.md');
  const pages = globSync('docs/*.md', { cwd: ROOT });
  assert.deepEqual(
    pages.filter((path) => !text.includes(`(${path})`)),
    [],
  );
});
