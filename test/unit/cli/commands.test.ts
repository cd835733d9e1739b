/** Commands that are given what they cannot use: one line that names it, and exit code 2. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CommanderError } from 'commander';
import { buildProgram } from '../../../cli/registry.ts';
import { runCommand as runUserCommand } from '../../../cli/run-command.ts';
import { runCommand } from '../../support/run-command.ts';

test('names and numbers that no service takes, folders for files and files for folders', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-commands-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'file');
  writeFileSync(file, '');
  mkdirSync(join(folder, 'nginx.conf'));
  const cases: readonly [readonly string[], RegExp][] = [
    [['local', '--bucket', 'A_B'], /--bucket.*Expected 3 to 63 lowercase letters/],
    [['local', '--stream', 'a b'], /--stream.*Expected 1 to 128 letters/],
    [['local', '--application', 'a/b'], /--application.*Expected 3 to 237 letters/],
    [['local', '--shards', '100000'], /--shards.*at most 1000/],
    [['cost', '--gb-per-day', '5', '--region', 'constructor'], /no prices for constructor/],
    [['cost', '--gb-per-day', '5', '--region', '__proto__'], /no prices for __proto__/],
    [['init', '--nginx', join(folder, 'nginx.conf')], /nginx\.conf cannot be read: is a directory/],
    [['init', '--nginx', join(folder, 'none')], /--nginx .*none: no such file/],
    [['agent', '--config', join(folder, 'none')], /none: cannot be read: no such file or directory$/],
    [['ls', '--folder', folder, '--endpoint', 'nonsense'], /--endpoint <url>.*Expected a URL/],
    [['cat', '--folder', folder, '--tz', 'Mars/Olympus'], /--tz Mars\/Olympus: expected a zone/],
    [['spool', '--state', folder], /cannot read the spool of an agent in .* \(no such file or directory\)/],
    [['man', '--directory', file], /--directory .*file: .*ENOTDIR|not a directory/],
  ];
  for (const [args, why] of cases) {
    const program = await buildProgram((name) => name === args[0]);
    await assert.rejects(runCommand(t, program, ...args), (error: Error & { code: string }) => {
      assert.ok(
        error instanceof CommanderError || error.code === 'CONFIG',
        `${args.join(' ')}: ${error.stack}`,
      );
      assert.match(error.message, why);
      assert.ok(!error.message.trimEnd().includes('\n'), error.message);
      return true;
    });
  }
});

test('an unknown option is named although one that is required is missing, which it may be, misspelled', async (t) => {
  for (const [name, ...args] of [
    ['send', '--bogus', '1'],
    ['agent', '--confg', 'a'],
    ['shards', 'scale', '--strem', 'a', '4'],
    ['cost', '--gb-a-day=5'],
  ] as const) {
    const program = await buildProgram((each) => each === name);
    const named = {
      code: 'commander.unknownOption',
      message: new RegExp(args.find((arg) => arg.startsWith('-'))!.replace(/=.*/, '')),
    };
    await assert.rejects(runCommand(t, program, name, ...args), named);
  }
  const program = await buildProgram((each) => each === 'send');
  await assert.rejects(runCommand(t, program, 'send', '--bogus', '--help'), {
    code: 'commander.helpDisplayed',
  });
  await assert.rejects(runCommand(t, program, 'send', 'text'), {
    code: 'commander.missingMandatoryOptionValue',
  });
});

test('the command of tailrace local: its exit code as a shell reports it', async (t) => {
  t.mock.method(process.stderr, 'write', () => true);
  assert.equal(await runUserCommand(['sh', '-c', 'exit 3'], {}), 3);
  assert.equal(await runUserCommand(['sh', '-c', 'kill -KILL $$'], {}), 137);
  assert.equal(await runUserCommand(['sh', '-c', 'kill -TERM $$'], {}), 143);
  assert.equal(await runUserCommand(['/nowhere/command'], {}), 127);
});
