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
const MAX_ZIPPED_BYTES = 220_000;
/** EC2's schemas cannot be taken in parts; they are read once per container. */
const EC2_BYTES = 600_000;
const EC2_ZIPPED_BYTES = 150_000;

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
    const ec2 = name === 'drain-watch';
    assert.ok(bytes.length < MAX_BYTES + (ec2 ? EC2_BYTES : 0), `${name}: ${bytes.length} bytes`);
    const zipped = deflateRawSync(bytes, { level: 9 }).length;
    assert.ok(zipped < MAX_ZIPPED_BYTES + (ec2 ? EC2_ZIPPED_BYTES : 0), `${name}: ${zipped} bytes zipped`);
    assert.ok(bytes.equals(readFileSync(again!)), `${name} differs from one bundling to the next`);
    const { handler } = (await import(pathToFileURL(file!).href)) as { handler: unknown };
    assert.equal(typeof handler, 'function', name);
  }
});
