/** Files under a pattern that are not logs: by their names, and by their bytes. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { binaryKind } from '../../../../producer/tail/binary.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

test('compressed files and archives under a pattern are not logs, nor is what only their bytes give away', async (t) => {
  const folder = temporaryFolder(t);
  const write = (name: string, bytes: string | Buffer) => fs.writeFileSync(path.join(folder, name), bytes);
  write('app.log', 'one\n');
  for (const ending of ['Z', 'zip', 'lzma', 'br', '7z', 'tgz', 'gz.tmp', 'xz'])
    write(`old.log.${ending}`, 'x\n');
  write('renamed.log', gzipSync('secret\n'));
  write('wide.log', Buffer.from('\ufefftext\n', 'utf16le'));
  write('marked.log', '\ufefftwo\n');
  const tail = new TailHarness({ path: path.join(folder, '*') });
  t.after(() => tail.crash());
  await tail.start();
  await tail.settle();
  assert.deepEqual(tail.messages().sort(), ['one', 'two']);
  const codes = tail.logged.flatMap(({ code }) => (code === undefined ? [] : [String(code)])).sort();
  assert.deepEqual(codes, ['not text: UTF-16 text: set `encoding`', 'not text: gzip']);
  assert.equal(tail.counters.total('tailrace_agent_tail_refused_files_total'), 2);
});

test('what a client can write does not make a log binary', () => {
  assert.equal(binaryKind(Buffer.from('BZh91AY&SY - - [23/Nov/2026'), false), null);
  assert.equal(binaryKind(Buffer.from('LPKSHHRH'), false), null);
  assert.equal(binaryKind(Buffer.from('BZh91AY&SY\x01\x02', 'latin1'), false), 'bzip2');
});
