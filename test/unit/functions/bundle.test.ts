/** The bundles of the functions: small, whole, and the same each time. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { bundle, FUNCTIONS } from '../../../functions/bundle.ts';

const MAX_BYTES = 700_000;
const MAX_ZIPPED_BYTES = 200_000;

test('each function is one small file that loads, the same each time', async (context) => {
  const directories = [1, 2].map(() => mkdtempSync(join(tmpdir(), 'tailrace-bundle-')));
  context.after(() => {
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  });
  for (const directory of directories) await bundle(directory);
  process.env['AWS_REGION'] = 'us-east-1';
  for (const name of FUNCTIONS) {
    const [file, again] = directories.map((directory) => join(directory, name, 'index.mjs'));
    const bytes = readFileSync(file!);
    assert.ok(bytes.length < MAX_BYTES, `${name}: ${bytes.length} bytes`);
    const zipped = deflateRawSync(bytes, { level: 9 }).length;
    assert.ok(zipped < MAX_ZIPPED_BYTES, `${name}: ${zipped} bytes zipped`);
    assert.ok(bytes.equals(readFileSync(again!)), `${name} differs from one bundling to the next`);
    const { handler } = (await import(pathToFileURL(file!).href)) as { handler: unknown };
    assert.equal(typeof handler, 'function', name);
  }
});
