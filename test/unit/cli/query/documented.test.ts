/** What docs/query.md shows can be pasted: its commands and its SQL, over a small archive. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Command } from 'commander';
import { fill } from '../../../../bench/query-archive.ts';
import { command as ddl } from '../../../../cli/commands/ddl.ts';
import { command as grep } from '../../../../cli/commands/grep.ts';
import { command as query } from '../../../../cli/commands/query.ts';
import { codeBlocks } from '../../../support/documents.ts';

const folder = mkdtempSync(join(tmpdir(), 'tailrace-query-documented-'));
before(() => fill({ folder, rawBytes: 1_000_000, days: 1, seed: 11, batches: 2 }));
after(() => rmSync(folder, { recursive: true }));

const COMMANDS: Readonly<Record<string, () => Command>> = { query, grep, ddl };
const here = (text: string): string => text.replaceAll('data/s3/logs', join(folder, 's3'));

/** The words of each tailrace command, as a shell makes them. */
function commandsOf(block: string): string[][] {
  const script = `npx() { printf '%s\\0' "$@"; printf '\\n'; }\n${block}`;
  const out = execFileSync('bash', ['-c', script], { encoding: 'utf8' });
  return out
    .split('\0\n')
    .filter(Boolean)
    .map((words) => words.split('\0'));
}

test('commands of docs/query.md answer', async () => {
  const commands = codeBlocks('docs/query.md', 'sh').flatMap(commandsOf);
  assert.ok(commands.length >= 9, `${commands.length} commands`);
  for (const [program, name, ...words] of commands) {
    assert.equal(program, 'tailrace');
    // The archive is of a day in the past.
    const recent = words.indexOf('--last');
    if (recent >= 0) words.splice(recent, 2, '--from', '2026-10-24T01', '--to', '2026-10-24T05');
    const output = join(folder, words.includes('--output') ? 'errors.parquet' : 'answer.csv');
    const named = words.indexOf('--output');
    if (named >= 0) words[named + 1] = output;
    else if (name === 'query') words.push('--output', output);
    const command = COMMANDS[name!]!();
    await command.exitOverride().parseAsync(words.map(here), { from: 'user' });
    // An address may have come in no hour of the archive.
    assert.ok(!process.exitCode || words.includes('--ip'), words.join(' '));
    process.exitCode = 0;
    if (name === 'query') assert.ok(readFileSync(output).length > 5, words.join(' '));
  }
  assert.ok(existsSync(join(folder, 'errors.parquet')));
});

test('SQL of docs/query.md for DuckDB by hand counts the events of its hour', async () => {
  const [sql] = codeBlocks('docs/query.md', 'sql');
  const duckdb = await (await DuckDBInstance.create(':memory:')).connect();
  const rows = (await duckdb.runAndReadAll(here(sql!))).getRows();
  duckdb.closeSync();
  const lines = readFileSync(join(folder, 'raw', 'access-0014.log'), 'utf8').split('\n').length - 1;
  assert.equal(
    rows.reduce((sum, [, count]) => sum + Number(count), 0),
    lines,
  );
});
