/** What commands that read an archive say of a small one in a folder. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { command as compact } from '../../../cli/commands/compact.ts';
import { command as ddl } from '../../../cli/commands/ddl.ts';
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

test('ddl has the fields and tags that the archive has', async (t) => {
  const { stdout } = await runCommand(t, ddl(), 'athena', '--folder', folder, '--column', 'later=DOUBLE');
  assert.match(stdout, /^CREATE EXTERNAL TABLE logs \(\n {2}`id` string,\n {2}`tag_2` string,\n/);
  assert.match(stdout, /`_unparsed` boolean,\n {2}`_truncated` boolean,\n {2}`later` double\)\n/);
  assert.match(stdout, /'mapping\.tag_2' = 'tag'/);
  assert.match(stdout, /'projection\.tag\.values' = 'nginx\.access'/);
  const spark = await runCommand(t, ddl(), 'spark', '--folder', folder, '--table', 'a.b');
  assert.match(spark.stdout, /^CREATE TEMPORARY VIEW a\.b \(/);
  assert.ok(spark.stdout.includes(`OPTIONS (path '${folder}/logs/')`));
  assert.match(spark.stderr, /^fields without a column, for their names: tag$/m);
  const [dt, hour] = new Date(LAST_HOUR * 3_600_000).toISOString().slice(0, 13).split('T');
  const spectrum = await runCommand(t, ddl(), 'spectrum', '--folder', folder);
  assert.match(spectrum.stdout, /^CREATE EXTERNAL TABLE spectrum\.logs \(/);
  assert.ok(spectrum.stdout.includes(`PARTITION ("tag"='nginx.access', "dt"='${dt}', "hour"='${hour}')`));
});

test('ddl says what is missing', async (t) => {
  const of = (...args: string[]) => runCommand(t, ddl(), 'athena', '--folder', folder, ...args);
  await assert.rejects(of('--tag', 'other'), /nothing is archived of these tags and times/);
  await assert.rejects(of('--parquet'), /nothing of these tags and times is compacted: run tailrace compact/);
  await assert.rejects(of('--table', 'Logs'), /--table Logs: expected lower-case letters/);
  await assert.rejects(
    of('--parquet', '--column', 'a=DOUBLE'),
    /Parquet has the types with which it was made/,
  );
});
