/** Volumes of logs that come back while the agent has their files open: under another device number, or from a server. */
import fs, { type BigIntStats } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { NumberedLog, temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

/** Gives a file inode and birth of another one, on another device, as a copy of the volume has them. */
function disguise(t: TestContext, file: string, as: BigIntStats): void {
  const { ino } = fs.statSync(file, { bigint: true });
  for (const name of ['statSync', 'fstatSync'] as const) {
    const real = fs[name] as (...args: unknown[]) => BigIntStats | undefined;
    t.mock.method(fs, name, (...args: unknown[]) => {
      const stats = real(...args);
      if (stats?.ino === ino)
        Object.assign(stats, { ino: as.ino, dev: as.dev + 1n, birthtimeNs: as.birthtimeNs });
      return stats;
    });
  }
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
}

for (const [what, unread] of [
  ['all was read', 0],
  ['some was not read yet', 3],
] as const) {
  test(`where ${what}, the log goes on in the file that is there now`, async (t) => {
    const folder = temporaryFolder(t);
    const log = new NumberedLog(path.join(folder, 'a.log'));
    log.write(5);
    const tail = new TailHarness({ path: log.file, refresh_interval: '50ms', rotate_wait: '10s' });
    t.after(() => tail.crash());
    await tail.start();
    await tail.settle();
    log.write(unread);
    const volume = fs.statSync(log.file, { bigint: true });
    // The old volume is still there for whoever has its files open.
    const away = path.join(temporaryFolder(t), 'a.log');
    fs.renameSync(log.file, away);
    fs.copyFileSync(away, log.file);
    fs.utimesSync(log.file, new Date(), new Date(Number(volume.mtimeMs)));
    disguise(t, log.file, volume);
    await tail.settle();
    log.write(5);
    await tail.settle();
    log.write(5);
    await tail.settle();
    log.assertOnce(tail.messages());
  });
}

for (const [what, change] of [
  ['is opened by its name', () => undefined],
  ['and was rotated is opened by its new name', (log: NumberedLog) => log.rename()],
] as const) {
  test(`a file that its server no longer knows as open (ESTALE) ${what}`, async (t) => {
    const log = new NumberedLog(path.join(temporaryFolder(t), 'a.log'));
    log.write(5);
    const tail = new TailHarness({ path: log.file, refresh_interval: '50ms', rotate_wait: '50ms' });
    t.after(() => tail.crash());
    await tail.start();
    await tail.settle();
    let stale: unknown = null;
    const real = fs.readSync as (...args: unknown[]) => number;
    t.mock.method(fs, 'readSync', (...args: unknown[]) => {
      stale ??= args[0];
      if (args[0] !== stale) return real(...args);
      throw Object.assign(new Error('ESTALE: stale file handle, read'), { code: 'ESTALE', syscall: 'read' });
    });
    const close = fs.closeSync;
    t.mock.method(fs, 'closeSync', (fd: number) => {
      // The number is given to the next file.
      if (fd === stale) stale = -1;
      close(fd);
    });
    syncBuiltinESMExports();
    t.after(() => {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    });
    change(log);
    log.write(5);
    await tail.settle();
    log.assertOnce(tail.messages());
  });
}
