/** Copies of logs, whole or in part, compressed or not, that come while the log itself changes: each line once. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { NumberedLog, temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

interface World {
  readonly tail: TailHarness;
  readonly log: NumberedLog;
  readonly at: (name: string) => string;
  readonly copy: (from: string, to: string) => void;
  readonly truncate: (name: string) => void;
  readonly compress: (name: string, how?: (bytes: Buffer) => Buffer) => void;
}

function world(t: TestContext): World {
  const folder = temporaryFolder(t);
  fs.mkdirSync(path.join(folder, 'old'));
  const at = (name: string): string => path.join(folder, name);
  const tail = new TailHarness({ path: [at('*'), at('old/*')], rotate_wait: '1ms' });
  t.after(() => tail.crash());
  return {
    tail,
    log: new NumberedLog(at('access.log')),
    at,
    copy: (from, to) => fs.copyFileSync(at(from), at(to)),
    truncate: (name) => fs.truncateSync(at(name)),
    compress: (name, how = gzipSync) => {
      const { atime, mtime } = fs.statSync(at(name));
      const to = at(`${name}.${how === zstdCompressSync ? 'zst' : 'gz'}`);
      fs.writeFileSync(to, how(fs.readFileSync(at(name))));
      fs.utimesSync(to, atime, mtime);
      fs.unlinkSync(at(name));
    },
  };
}

test('a plain copy and a compressed copy of it, of lines that were never seen', async (t) => {
  const { tail, log, at, copy, truncate, compress } = world(t);
  log.write(40);
  await tail.start();
  await tail.settle();
  fs.renameSync(at('access.log'), at('old/first'));
  log.write(100);
  copy('access.log', 'access__1.txt');
  truncate('access.log');
  // By its name the compressed file is a rotated form of the other copy.
  copy('access__1.txt', 'access__1__2.txt');
  compress('access__1__2.txt', zstdCompressSync);
  await tail.settle();
  await tail.crash();
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('a copy of a first short line, when its log is compressed by then', async (t) => {
  const { tail, log, at, copy, compress } = world(t);
  log.write(1);
  await tail.start();
  await tail.settle();
  copy('access.log', 'first line.txt');
  log.write(50);
  fs.renameSync(at('access.log'), at('old/access.bk'));
  compress('old/access.bk');
  await tail.settle();
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('a compressed copy of what was read so far, while the rest is read from the deleted log', async (t) => {
  const { tail, log, at, copy, compress } = world(t);
  log.write(20);
  await tail.start();
  await tail.settle();
  copy('access.log', 'access-1.log.bk');
  log.write(20);
  // Larger than the other, so that it is looked at first.
  compress('access-1.log.bk', (bytes) => gzipSync(bytes, { level: 0 }));
  fs.renameSync(at('access.log'), at('old/access.log.2'));
  compress('old/access.log.2', zstdCompressSync);
  await tail.settle();
  await tail.crash();
  await tail.start();
  await tail.settle();
  log.assertOnce(tail.messages());
});

test('copies of two logs that are truncated between two looks', async (t) => {
  const { tail, log, at, copy, truncate } = world(t);
  const other = new NumberedLog(at('error.log'));
  log.write(30);
  other.write(60);
  await tail.start();
  await tail.settle();
  for (const [name, { write }] of [
    ['access.log', { write: () => log.write(5) }],
    ['error.log', { write: () => other.write(25) }],
  ] as const) {
    copy(name, `${name} before`);
    truncate(name);
    write();
    copy(name, `${name} after`);
  }
  log.write(20);
  other.write(20);
  await tail.settle();
  const lines = tail.messages();
  log.assertOnce(lines);
  other.assertOnce(lines);
});
