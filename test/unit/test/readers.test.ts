/** What docs/archive-format.md says of readers is what `npm run readers` has recorded. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FORMAT_FILE, readRecorded, withTables } from '../../readers/document.ts';
import { READERS } from '../../readers/readers.ts';

test('the tables of readers are the recorded results', () => {
  const document = readFileSync(FORMAT_FILE, 'utf8');
  assert.equal(withTables(document, readRecorded()), document);
});

test('every gzip reader gives every row of an object of this build', () => {
  const { cases, outcomes } = readRecorded();
  const { rows } = cases.find(({ name }) => name === 'gzip')!;
  const known = new Set(READERS.map(({ name }) => name));
  for (const [reader, { gzip }] of Object.entries(outcomes)) {
    assert.ok(known.has(reader), `${reader} is recorded and not tried any more: run npm run readers`);
    if (gzip) assert.deepEqual(gzip, { rows }, reader);
  }
});
