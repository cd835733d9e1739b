/** What is made from the commands and schemas themselves: completion, manual pages, JSON Schema. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { Command } from 'commander';
import { bashScript, fishScript, type Shown, zshScript } from '../../../cli/completion-scripts.ts';
import { jsonSchema } from '../../../cli/config-json-schema.ts';
import { manPage } from '../../../cli/man-page.ts';
import { buildProgram, NAMES } from '../../../cli/registry.ts';

const COMMANDS: Shown[] = [
  {
    name: 'flush',
    what: "make an agent's spool empty",
    options: [
      { flags: ['-c', '--config'], what: 'agent.yaml', takesValue: true, choices: [] },
      { flags: ['--color'], what: 'when', takesValue: true, choices: ['always', 'never'] },
    ],
    choices: [],
  },
  { name: 'schema', what: 'print', options: [], choices: ['agent', 'consumer'] },
];

/** What bash offers for the last of these words. */
function offered(...words: string[]): string[] {
  const list = words.map((word) => `'${word}'`).join(' ');
  const script = `${bashScript(COMMANDS)}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _tailrace; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

test('bash completes commands, options, choices and files', () => {
  assert.deepEqual(offered('tailrace', 'fl'), ['flush']);
  assert.deepEqual(offered('tailrace', 'flush', '--co'), ['--config', '--color']);
  assert.deepEqual(offered('tailrace', 'schema', 'con'), ['consumer']);
  assert.deepEqual(offered('tailrace', 'help', 'sch'), ['schema']);
  assert.ok(offered('tailrace', 'flush', '--config', '/etc/host').includes('/etc/hosts'));
});

test('zsh and fish get every command and option, quoted', () => {
  assert.match(zshScript(COMMANDS), /'flush:make an agent'\\''s spool empty'/);
  assert.match(zshScript(COMMANDS), /'--config\[agent\.yaml\]:value:_files'/);
  assert.match(fishScript(COMMANDS), /-a flush -d 'make an agent'\\''s spool empty'/);
  assert.match(fishScript(COMMANDS), /-l color -x -a 'always never'/);
});

test('each command has a manual page that man accepts without a warning', async (context) => {
  const program = await buildProgram(() => true);
  const pages = [program, ...program.commands].map((command: Command) => manPage(command));
  assert.equal(pages.length, NAMES.length + 1);
  for (const page of pages.slice(1)) assert.match(page, /^\.SH EXIT STATUS$/m, page.slice(0, 60));
  if (spawnSync('groff', ['--version']).error) return context.skip('groff is not installed');
  const { stderr, stdout } = spawnSync('groff', ['-man', '-ww', '-Tutf8', '-P-c'], {
    input: pages.join('\n'),
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  assert.match(stdout, /give up after this time/);
});

test('the JSON Schemas know every key, and allow a placeholder for a number or a flag', async () => {
  const agent = (await jsonSchema('agent')) as { properties: Record<string, Record<string, unknown>> };
  assert.ok(agent.properties['inputs'] && agent.properties['spool']);
  assert.deepEqual(agent.properties['lanes'], {
    anyOf: [
      { type: 'integer', minimum: 1, maximum: 64 },
      { type: 'string', pattern: '^\\$\\{(env|file):' },
    ],
    default: 1,
    description: 'lanes that a run starts with, 1 to 64',
  });
  const consumer = (await jsonSchema('consumer')) as typeof agent;
  assert.ok(!('default' in consumer.properties['worker_id']!), 'the same on every host');
});
