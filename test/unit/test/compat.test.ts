/** docs/compatibility.md has every implementation that is tried, and its table says what differs from AWS. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { IMPLEMENTATIONS } from '../../compat/implementations.ts';
import { COMPATIBILITY_FILE, compatibilityTables, isWhole } from '../../compat/report.ts';
import type { Result } from '../../compat/round.ts';
import { S3_PROBES } from '../../compat/s3-probes.ts';
import { KINESIS_PROBES } from '../../compat/stream-probes.ts';
import { DYNAMODB_PROBES } from '../../compat/table-probes.ts';
import { betweenMarkers } from '../../support/between-markers.ts';

test('the tables in docs/compatibility.md have every implementation and every question', () => {
  const text = readFileSync(COMPATIBILITY_FILE, 'utf8');
  for (const { name, version } of IMPLEMENTATIONS)
    assert.ok(
      text.includes(`| ${name} | ${version} |`),
      `${name} ${version}: npm run compat -- --only ${name}`,
    );
  for (const { about, amazon } of [...S3_PROBES, ...KINESIS_PROBES, ...DYNAMODB_PROBES])
    assert.ok(text.includes(`| ${about} | ${amazon} |`), `${about}: npm run compat -- --probes`);
  assert.ok(
    !text.includes('| not run |') && !text.includes('**failed**'),
    'a pipeline was not run, or failed',
  );
});

const PIPELINE = { events: 1234, missing: 0, repeated: 1, kills: ['the agent'], verify: 0 };
const [implementation] = IMPLEMENTATIONS;

function resultWith(answer: string, pipeline: Result['pipeline']): Result {
  const { name, version } = implementation!;
  return { name, version, answers: { s3: S3_PROBES.map(() => answer) }, pipeline };
}

test('an answer that is not as of AWS stands out, and so does a pipeline that failed', () => {
  const tables = compatibilityTables(IMPLEMENTATIONS, [resultWith('412 PreconditionFailed', PIPELINE)]);
  assert.match(tables, /on an object that is there \| 412 PreconditionFailed \| as AWS \|/);
  assert.match(tables, /GET without such an object \| 404 NoSuchKey \| \*\*412 PreconditionFailed\*\* \|/);
  assert.match(tables, /1,234 events, 0 lost, 1 repeated, verify 0; killed: the agent \|/);
  const failed = compatibilityTables(IMPLEMENTATIONS, [resultWith('', 'it | broke\nat length')]);
  assert.match(failed, /\*\*failed\*\*: it \/ broke \|/);
});

test('only what stands between the markers is replaced', () => {
  const document = 'a <!-- Written by x --> old <!-- end --> b <!-- Written by y --> old <!-- end --> c';
  const once = betweenMarkers(document, 'y', 'new\n');
  assert.equal(
    once,
    'a <!-- Written by x --> old <!-- end --> b <!-- Written by y -->\n\nnew\n\n<!-- end --> c',
  );
  assert.equal(betweenMarkers(once, 'y', 'new'), once);
  assert.throws(() => betweenMarkers(document, 'z', 'new'), /lacks the lines/);
});

test('a pipeline is whole when nothing is lost or repeated and verify ended with 0, and was not killed', () => {
  const whole = { ...PIPELINE, repeated: 0 };
  assert.ok(isWhole(whole));
  for (const fault of [
    { missing: 1 },
    { repeated: 1 },
    { verify: 1 },
    { verify: -1 },
    { missing: 1, verify: -1 },
  ])
    assert.ok(!isWhole({ ...whole, ...fault }), JSON.stringify(fault));
});
