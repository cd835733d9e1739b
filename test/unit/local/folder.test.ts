/** A data folder is held by a process that lives, and by no other that has come to its number. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import { clearFolder, holdFolder } from '../../../local/folder.ts';

let folder = '';
before(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'tailrace-folder-'));
});
after(() => fs.rmSync(folder, { recursive: true, force: true }));

const IN_USE = { code: 'DATA_DIR_IN_USE' };

test('a folder that a living process holds is refused, and what is in it stays', (t) => {
  const other = spawn('sleep', ['60']);
  t.after(() => other.kill());
  const file = path.join(folder, 'stack.pid');
  fs.mkdirSync(path.join(folder, 's3'));
  // Without a start, as where it cannot be found out.
  fs.writeFileSync(file, `${other.pid}\n`);
  assert.throws(() => holdFolder(folder), IN_USE);
  assert.throws(() => clearFolder(folder), IN_USE);
  assert.ok(fs.existsSync(path.join(folder, 's3')));
  fs.rmSync(file);
});

test('a folder of a process that is gone is free, though another has its number now', (t) => {
  holdFolder(folder);
  const file = path.join(folder, 'stack.pid');
  const [own, start] = fs.readFileSync(file, 'utf8').split('\n');
  assert.equal(Number(own), process.pid);
  assert.notEqual(start, '');
  const other = spawn('sleep', ['60']);
  t.after(() => other.kill());
  fs.writeFileSync(file, `${other.pid}\n${start}\n`);
  const release = holdFolder(folder);
  assert.equal(fs.readFileSync(file, 'utf8').split('\n')[0], String(process.pid));
  release();
  assert.ok(!fs.existsSync(file));
});

test('clearing removes what runs leave there, and nothing else', () => {
  for (const name of ['kinesis', 's3', 'mine']) fs.mkdirSync(path.join(folder, name), { recursive: true });
  clearFolder(folder);
  assert.deepEqual(fs.readdirSync(folder), ['mine']);
});

test('what cannot be a folder is named', () => {
  const file = path.join(folder, 'file');
  fs.writeFileSync(file, '');
  assert.throws(() => holdFolder(file), { code: 'DATA_DIR', message: /file cannot be used/ });
});
