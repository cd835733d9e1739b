/** A short run of the fault harness: everything is killed, and every event is archived once. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunReport } from '../faults/report.ts';
import { temporaryDirectory } from '../support/agent-process.ts';

const RUN = join(import.meta.dirname, '..', 'faults', 'run.ts');
const MINUTES = Number(process.env['FAULT_MINUTES'] ?? 0.75);
const SEED = Number(process.env['FAULT_SEED'] ?? 1);

test(`${MINUTES} minutes of faults, seed ${SEED}: none lost, none repeated, verify says the same`, {
  timeout: (MINUTES + 8) * 60_000,
}, async (context) => {
  const folder = temporaryDirectory(context);
  const args = [
    RUN,
    '--minutes',
    String(MINUTES),
    '--seed',
    String(SEED),
    '--rate',
    '3000',
    '--data',
    folder,
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  assert.equal(code, 0, output);
  const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as RunReport;
  const { verdict, verify, happened, parquet } = report;
  assert.deepEqual(
    { lost: verdict.lost, repeated: verdict.repeated, invented: verdict.invented },
    { lost: 0, repeated: 0, invented: 0 },
    output,
  );
  assert.ok(verdict.promised > 50_000);
  assert.equal(verdict.archived + verdict.destroyed, verdict.promised);
  assert.equal(verify.events, verdict.archived + verdict.kept);
  assert.ok(parquet.verdict.rows > 0);
  assert.equal(parquet.verdict.rows, parquet.verdict.events);
  const targets = ['agent-1', 'agent-2', 'consumer', 'kinesis', 's3', 'instances', 'strangers', 'compaction'];
  for (const target of targets) {
    assert.ok(
      happened.some((one) => one.target === target),
      `nothing happened to ${target}`,
    );
  }
  context.diagnostic(`${happened.length} faults, ${verdict.promised} events`);
});
