/** Files and folders that a query is given: one that is not there is named before anything is read. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { existingFolder, requirePlaceOf } from '../../../../cli/query/paths.ts';

test('a folder that is not there, a file in place of one, and an output without a folder are refused', () => {
  const root = mkdtempSync(join(tmpdir(), 'tailrace-paths-'));
  try {
    mkdirSync(join(root, 'real'));
    symlinkSync(join(root, 'real'), join(root, 'link'));
    writeFileSync(join(root, 'file'), '');
    assert.match(existingFolder('--files', join(root, 'link')), /real$/);
    for (const name of ['missing', 'file', 'file/below'])
      assert.throws(() => existingFolder('--files', join(root, name)), {
        code: 'CONFIG',
        message: /^--files /,
      });
    requirePlaceOf(join(root, 'new.csv'));
    requirePlaceOf(join(root, 'file'));
    requirePlaceOf('new.csv');
    requirePlaceOf('/dev/null');
    for (const name of ['missing/x.csv', 'file/x.csv', 'real'])
      assert.throws(() => requirePlaceOf(join(root, name)), { code: 'CONFIG', message: /^--output / });
  } finally {
    rmSync(root, { recursive: true });
  }
});
