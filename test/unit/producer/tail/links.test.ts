/** Symbolic links that others have put where the agent reads: they lead it to nothing that they could not read themselves. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { followLinks, openByLinks, UNTRUSTED } from '../../../../producer/tail/links.ts';
import { temporaryFolder } from '../../../support/numbered-log.ts';
import { TailHarness } from '../../../support/tail-harness.ts';

const OTHER = 1000;
const SECRET = 'root alone may read this\n';
/** Only root may give files to others. */
const skip = process.getuid?.() === 0 ? false : 'needs root';

/** A folder `app` in which another user makes the entries, next to a folder `private` of root's. */
function setUp(t: TestContext): { app: string; secret: string } {
  const folder = fs.realpathSync(temporaryFolder(t));
  const app = path.join(folder, 'app');
  fs.mkdirSync(app);
  fs.chownSync(app, OTHER, OTHER);
  fs.mkdirSync(path.join(folder, 'private'), { mode: 0o700 });
  const secret = path.join(folder, 'private', 'app.log');
  fs.writeFileSync(secret, SECRET, { mode: 0o600 });
  return { app, secret };
}

function link(target: string, file: string, owner: number): void {
  fs.symlinkSync(target, file);
  fs.lchownSync(file, owner, owner);
}

function contentBy(file: string, owners: readonly number[] = []): string {
  const fd = openByLinks(file, owners);
  try {
    return fs.readFileSync(fd, 'utf8');
  } finally {
    fs.closeSync(fd);
  }
}

test('a link counts when it is of root, of the owner of the file, or gives nobody more to read', {
  skip,
}, (t) => {
  const { app, secret } = setUp(t);
  const log = path.join(app, 'app.log');
  link(secret, log, OTHER);
  assert.throws(() => openByLinks(log), { code: UNTRUSTED, message: /user 1000 .* user 0, .*symlinks: all/ });
  fs.chownSync(secret, OTHER, OTHER);
  assert.equal(contentBy(log), SECRET);
  fs.chownSync(secret, 0, 0);

  // Everybody may read the file, and then its folder too, and the one above that.
  fs.chmodSync(secret, 0o644);
  assert.throws(() => openByLinks(log), { code: UNTRUSTED });
  fs.chmodSync(path.dirname(secret), 0o711);
  assert.throws(() => openByLinks(log), { code: UNTRUSTED });
  fs.chmodSync(path.dirname(app), 0o711);
  assert.equal(contentBy(log), SECRET);
  fs.chmodSync(secret, 0o640);
  assert.throws(() => openByLinks(log), { code: UNTRUSTED });

  fs.lchownSync(log, 0, 0);
  assert.equal(contentBy(log), SECRET);
  assert.throws(() => openByLinks(log, [OTHER]), { code: UNTRUSTED });
});

test('links are followed as the kernel does: through others, relative ones, over folders', (t) => {
  const folder = fs.realpathSync(temporaryFolder(t));
  fs.mkdirSync(path.join(folder, 'a/b'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'a/b/file'), 'here');
  fs.symlinkSync('a/b/..//b/./', path.join(folder, 'relative'));
  fs.symlinkSync(`${folder}/relative/..`, path.join(folder, 'absolute'));
  const me = process.getuid!();
  const cases = { 'a/b/file': [], './a//b/file': [], 'relative/file': [me], 'absolute/b/file': [me] };
  for (const [name, owners] of Object.entries(cases)) {
    const file = `${folder}/${name}`;
    const way = followLinks(file);
    assert.equal(way.path, fs.realpathSync.native(file), name);
    assert.deepEqual([...way.owners], owners, name);
    assert.equal(contentBy(file), 'here');
  }
  fs.symlinkSync('ring', path.join(folder, 'ring'));
  assert.throws(() => openByLinks(path.join(folder, 'ring')), { code: 'ELOOP' });
  assert.throws(() => openByLinks(path.join(folder, 'none')), { code: 'ENOENT' });
  assert.throws(() => openByLinks(path.join(folder, 'a/b/file/x')), { code: 'ENOTDIR' });
});

test('no log, no folder of logs and no rotated file leads out, and each is reported once', {
  skip,
}, async (t) => {
  const { app, secret } = setUp(t);
  const { dir: hidden } = path.parse(secret);
  fs.writeFileSync(`${secret}.1`, SECRET);
  fs.writeFileSync(`${secret}.2.gz`, gzipSync(SECRET));
  link(secret, path.join(app, 'linked.log'), OTHER);
  link(hidden, path.join(app, 'folder'), OTHER);
  const own = path.join(app, 'own.log');
  fs.writeFileSync(own, 'mine\n');
  link(`${secret}.1`, `${own}.1`, OTHER);
  link(`${secret}.2.gz`, `${own}.2.gz`, OTHER);
  const options = { path: [path.join(app, '*.log'), path.join(app, '*/*.log')] };
  const tail = new TailHarness(options);
  t.after(() => tail.crash());
  // Not its first start, so that rotated files are news.
  await tail.start();
  await tail.settle();
  await tail.crash();
  const begin = tail.logged.length;
  await tail.start();
  await tail.settle();
  const told = tail.logged.slice(begin).filter(({ code }) => code === UNTRUSTED);
  const files = new Set(told.map(({ file }) => path.relative(app, String(file))));
  const refused = ['../private/app.log.1', '../private/app.log.2.gz', 'folder/app.log', 'linked.log'];
  assert.deepEqual([...files].sort(), [...refused, 'own.log.1', 'own.log.2.gz']);
  await tail.settle();
  assert.equal(tail.logged.slice(begin).filter(({ code }) => code === UNTRUSTED).length, told.length);
  assert.deepEqual(tail.messages(), ['mine']);
  assert.match(String(told[0]!.why), /symlinks: all/);
  await tail.crash();

  const all = new TailHarness({ ...options, symlinks: 'all' });
  t.after(() => all.crash());
  await all.start();
  await all.settle();
  assert.ok(all.messages().includes(SECRET.trim()));
});

test('a link that is put in the place of a folder at whatever moment leads nowhere', { skip }, async (t) => {
  const { app, secret } = setUp(t);
  const { dir: hidden, base } = path.parse(secret);
  const [folder, real, trap] = ['logs', 'real', 'trap'].map((name) => path.join(app, name)) as [
    string,
    string,
    string,
  ];
  fs.mkdirSync(real);
  fs.writeFileSync(path.join(real, base), 'harmless\n');
  link(hidden, trap, OTHER);
  const going = new Int32Array(new SharedArrayBuffer(4));
  const swapper = new Worker(
    `const { renameSync } = require('node:fs');
     const { going, folder, real, trap } = require('node:worker_threads').workerData;
     for (let n = 0; n === 0 || Atomics.load(going, 0) === 0; n++) {
       renameSync(real, folder); Atomics.notify(going, 0);
       renameSync(folder, real); renameSync(trap, folder); renameSync(folder, trap);
     }`,
    { eval: true, workerData: { going, folder, real, trap } },
  );
  t.after(() => swapper.terminate());
  let read = 0;
  let refused = 0;
  const end = performance.now() + 500;
  while (performance.now() < end || read === 0 || refused === 0) {
    try {
      assert.equal(contentBy(path.join(folder, base)), 'harmless\n');
      read++;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      refused++;
    }
  }
  Atomics.store(going, 0, 1);
  await once(swapper, 'exit');
});
