/** What commands that read an archive say of a small one in a folder. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { command as compact } from '../../../cli/commands/compact.ts';
import { command as hours } from '../../../cli/commands/hours.ts';
import { command as ls } from '../../../cli/commands/ls.ts';
import { fillFolder } from '../../support/archive-folder.ts';
import { runCommand } from '../../support/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
const LAST_HOUR = Math.floor(Date.now() / 3_600_000) - 1;

before(() => fillFolder(folder, '', LAST_HOUR));
after(() => rmSync(folder, { recursive: true, force: true }));

test('ls takes --last, though the range begins within an hour', async (t) => {
  const { stdout } = await runCommand(t, ls(), '--folder', folder, '--last', '90m');
  assert.match(stdout, /^ +3 .* nginx\.access$/m);
  assert.equal((await runCommand(t, ls(), '--folder', folder, '--from', '2999-01-01')).stdout, '');
  const within = runCommand(t, ls(), '--folder', folder, '--from', '2026-11-23T07:30');
  await assert.rejects(within, /whole hours/);
});

test('ls has a heading on a terminal, and for scripts only lines', async (t) => {
  const args = ['--folder', folder, '--hours'];
  const { stdout: lines } = await runCommand(t, ls(), ...args);
  assert.match(lines, /^( +[\d,]+ +[\d.]+ \w+ +\d+ {2}\d{4}-\d\d-\d\dT\d\d {2}\S+\n)+$/);
  const { isTTY } = process.stdout;
  process.stdout.isTTY = true;
  t.after(() => {
    process.stdout.isTTY = isTTY;
  });
  const { stdout } = await runCommand(t, ls(), ...args);
  const [heading, ...rest] = stdout.split('\n');
  assert.equal(heading, '         EVENTS  COMPRESSED  OBJECTS  HOUR (UTC)     TAG');
  assert.equal(rest.join('\n'), lines);
  assert.equal(rest[0]!.indexOf('nginx.access'), heading!.indexOf('TAG'));
  assert.match(
    (await runCommand(t, ls(), '--folder', folder)).stdout,
    /^ +EVENTS +COMPRESSED +OBJECTS {2}TAG\n/,
  );
  assert.match((await runCommand(t, ls(), ...args, '--json')).stdout, /^\{/);
});

test('hours does not take an agent that has just started for an old one', async (t) => {
  const { stdout } = await runCommand(t, hours(), '--folder', folder, '--last', '90m');
  assert.match(stdout, /has not said how far it has read: its agent has just started, or needs an upgrade/);
});

test('compact counts one open hour as one', async (t) => {
  const { stdout } = await runCommand(t, compact(), '--folder', folder, '--last', '90m');
  assert.match(stdout, /objects made: 0; hours compacted: 0; 1 hour is open, from /);
});
