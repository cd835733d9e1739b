/** Configurations: placeholders, and faults with their place, what was expected, what was found and "did you mean". */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { closest } from '../../../base/closest.ts';
import { configKind, loadConfig } from '../../../cli/config.ts';
import { KEYS_OF, kindOf } from '../../../cli/config-kind.ts';
import { keysAt } from '../../../cli/config-schema.ts';
import { consumerSchema } from '../../../consumer/config.ts';
import { agentConfig } from '../../../producer/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'config-'));
const file = join(folder, 'agent.yaml');
after(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('TEST_')) delete process.env[name];
});

const LEAST = `state_dir: /var/lib/tailrace
stream: { name: weblogs, region: eu-central-1 }
inputs:
  - { type: tail, path: /a, tag: 'x.\${name}', format: none }
`;

function load(text: string) {
  writeFileSync(file, text);
  return loadConfig(file, agentConfig);
}

/** The lines of the error, without the folder. */
function faults(text: string): string[] {
  writeFileSync(file, text);
  try {
    loadConfig(file, agentConfig);
  } catch (error) {
    const text = (error as Error).message.replaceAll(file, 'agent.yaml');
    return text.replace(/expected nginx, .* or none/, 'expected a format').split('\n');
  }
  return [];
}

test('each fault has its line, column, path and what was found, in the order of the file', () => {
  const text = `${LEAST.replace('region', 'regoin')}compression: gzpi
lanes: 1.5
http: { listen: "24280" }
seal: { interval: soon }
log_level: wran
spool: { max_size: }
send: { requests_in_flight: 40 }
max_tag: 5
`.replace('format: none', 'format: ngnix, pth: [1]');
  assert.deepEqual(faults(text), [
    'agent.yaml:2:9: stream.region: is missing',
    'agent.yaml:2:26: stream.regoin: unknown key; did you mean region?',
    'agent.yaml:4:55: inputs[0].format: expected a format, found "ngnix"; did you mean nginx?',
    'agent.yaml:4:62: inputs[0].pth: unknown key; did you mean path?',
    'agent.yaml:5:14: compression: expected gzip or zstd, found "gzpi"; did you mean gzip?',
    'agent.yaml:6:8: lanes: expected a whole number, found 1.5',
    'agent.yaml:7:17: http.listen: expected host:port, found "24280"',
    'agent.yaml:8:19: seal.interval: expected a duration such as 500ms, 5s, 10m, 2h or 7d, found "soon"',
    'agent.yaml:9:12: log_level: expected trace, debug, info, warn or error, found "wran"; did you mean warn?',
    'agent.yaml:10:20: spool.max_size: expected a size such as 256KiB, 10MiB or plain bytes, found nothing',
    'agent.yaml:11:29: send.requests_in_flight: expected at most 32, found 40',
    'agent.yaml:12:1: max_tag: unknown key; did you mean max_tags?',
  ]);
});

test('a wrong type of input names the right ones', () => {
  assert.deepEqual(faults(LEAST.replace('type: tail', 'type: tial')), [
    'agent.yaml:4:13: inputs[0].type: expected tail, forward or journald, found "tial"; did you mean tail?',
  ]);
  assert.deepEqual(faults(LEAST.replace('type: tail, ', '')), [
    'agent.yaml:4:5: inputs[0].type: is missing: expected tail, forward or journald',
  ]);
});

test('text that is not YAML has its place', () => {
  assert.match(faults('state_dir: a\n  b: c\n')[0]!, /^agent\.yaml:\d:\d+: /);
});

test('an empty file lacks what is required', () => {
  assert.deepEqual(faults(''), [
    'agent.yaml:1:1: state_dir: is missing',
    'agent.yaml:1:1: stream: is missing',
    'agent.yaml:1:1: inputs: is missing',
  ]);
});

test('placeholders are filled in anywhere; an unquoted one takes the type of its text', () => {
  process.env['TEST_NAME'] = 'orders';
  process.env['TEST_LANES'] = '4';
  writeFileSync(join(folder, 'secret'), 'p4ss\n');
  const config =
    load(`${LEAST.replace('weblogs', `'\${env:TEST_NAME}-\${env:TEST_STAGE:-prod}'`)}lanes: \${env:TEST_LANES}
spill: { bucket: '\${file:${folder}/secret}' , prefix: '$\${env:X}/' }
`);
  assert.equal(config.stream.name, 'orders-prod');
  assert.equal(config.lanes, 4);
  assert.equal(config.spill?.bucket, 'p4ss');
  assert.equal(config.spill?.prefix, `\${env:X}/`);
  assert.equal(
    config.inputs[0]!.type === 'tail' && config.inputs[0]!.tag,
    `x.\${name}`,
    'others are left alone',
  );
});

test('a placeholder without a value names its place, and values from outside are not shown', () => {
  assert.deepEqual(faults(LEAST.replace('weblogs', `'\${env:TEST_NONE}'`)), [
    `agent.yaml:2:17: \${env:TEST_NONE}: the environment variable TEST_NONE is not set; set it, or write \${env:TEST_NONE:-default}`,
  ]);
  assert.match(
    faults(LEAST.replace('weblogs', `\${env:TEST_NONE}`))[0]!,
    /a placeholder such as .* needs quotes$/,
  );
  assert.match(
    faults(LEAST.replace('weblogs', `"\${file:/nowhere}"`))[0]!,
    /cannot be read: no such file or directory$/,
  );
  process.env['TEST_SECRET'] = 'hunter2';
  const [fault] = faults(`${LEAST}lanes: \${env:TEST_SECRET}\n`);
  assert.match(fault!, /^agent\.yaml:5:8: lanes: expected a number/);
  assert.doesNotMatch(fault!, /hunter2/);
});

test('the value of a key that names a secret is not shown', () => {
  const [fault] = faults(
    LEAST.replace(
      /- .*/,
      '- { type: forward, listen: 127.0.0.1:1, security: { self_hostname: a, shared_key: 1234 } }',
    ),
  );
  assert.match(fault!, /shared_key/);
  assert.doesNotMatch(fault!, /1234/);
});

test('a file of the other kind is recognised by its keys', () => {
  assert.match(
    faults('stream: { name: a, region: b }\narchive: { bucket: b }\n')[0]!,
    /^agent\.yaml: this is a consumer's configuration \(consumer\.yaml\): it has archive; this command needs an agent's/,
  );
  writeFileSync(file, LEAST);
  assert.equal(configKind(file), 'agent');
  assert.throws(() => loadConfig(file, consumerSchema), /this is an agent's configuration/);
  writeFileSync(file, 'log_level: info\n');
  assert.throws(() => configKind(file), /neither an agent's configuration/);
  assert.equal(kindOf(null), null);
});

test('the keys that tell the kinds apart are those of one schema alone', () => {
  const keys = { agent: keysAt(agentConfig, [], undefined), consumer: keysAt(consumerSchema, [], undefined) };
  for (const [kind, other] of [
    ['agent', 'consumer'],
    ['consumer', 'agent'],
  ] as const)
    for (const key of KEYS_OF[kind]) {
      assert.ok(keys[kind].includes(key), `${key} is a key of ${kind}`);
      assert.ok(!keys[other].includes(key), `${key} is not a key of ${other}`);
    }
});

test('the closest word is found within a third of its length', () => {
  assert.equal(closest('regoin', ['region', 'name']), 'region');
  assert.equal(closest('NAME', ['region', 'name']), 'name');
  assert.equal(closest('pfad', ['path', 'tag']), null);
  assert.equal(closest('x', []), null);
});
