import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder } from '../../../base/make-folder.ts';

test('missing folders are created, existing ones are left, and what cannot be one is refused', () => {
  const root = mkdtempSync(join(tmpdir(), 'folders-'));
  const deep = join(root, 'a', 'b', 'c');
  makeFolder(deep, 0o700);
  makeFolder(deep, 0o700);
  assert.equal(statSync(deep).mode & 0o777, 0o700);
  writeFileSync(join(root, 'file'), '');
  assert.throws(() => makeFolder(join(root, 'file')), { code: 'ENOTDIR' });
  assert.throws(() => makeFolder(join(root, 'file', 'x')), { code: 'ENOTDIR' });
  rmSync(root, { recursive: true });
});

test('a pseudo file system refuses at once', { skip: process.platform !== 'linux' }, () => {
  assert.throws(() => makeFolder('/proc/nothing/here'), { code: 'ENOENT' });
});
