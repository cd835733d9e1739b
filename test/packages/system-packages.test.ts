/** deb and rpm packages: what they hold, that the program in them runs, and that two builds are equal byte by byte. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { arch, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Arch } from '../../infra/package.ts';
import { buildSystemPackages } from '../../infra/system-packages.ts';

const folder = mkdtempSync(join(tmpdir(), 'packages-'));
after(() => rmSync(folder, { recursive: true }));

let deb = '';
before(async () => {
  [deb = ''] = await buildSystemPackages({ of: 'agent', arch: arch() as Arch, out: join(folder, 'one') });
});

test('two builds are equal byte by byte', async () => {
  await buildSystemPackages({ of: 'agent', arch: arch() as Arch, out: join(folder, 'two') });
  const names = readdirSync(join(folder, 'one'));
  assert.deepEqual(names.map((name) => name.split('.').at(-1)).sort(), ['deb', 'rpm']);
  for (const name of names) {
    const [one, two] = ['one', 'two'].map((build) => readFileSync(join(folder, build, name)));
    assert.ok(one!.equals(two!), `${name} differs`);
  }
});

test('the deb holds the program, its unit, configuration, manual pages and completion; the program runs', (context) => {
  if (spawnSync('dpkg-deb', ['--version']).error) return context.skip('dpkg-deb is not installed');
  const root = join(folder, 'root');
  execFileSync('dpkg-deb', ['-x', deb, root]);
  const version = spawnSync(join(root, 'opt/tailrace/bin/tailrace'), ['--version'], { encoding: 'utf8' });
  assert.equal(version.stdout, '0.1.0\n', version.stderr);
  for (const file of [
    'usr/lib/systemd/system/tailrace.service',
    'etc/logrotate.d/tailrace',
    'usr/share/man/man1/tailrace-flush.1',
    'usr/share/bash-completion/completions/tailrace',
    'usr/share/tailrace/agent.schema.json',
  ])
    assert.ok(statSync(join(root, file)).isFile(), file);
  assert.equal(statSync(join(root, 'etc/tailrace/agent.yaml')).mode & 0o777, 0o640);
  const control = execFileSync('dpkg-deb', ['-I', deb, 'conffiles'], { encoding: 'utf8' });
  assert.deepEqual(control.trim().split('\n').sort(), [
    '/etc/logrotate.d/tailrace',
    '/etc/tailrace/agent.yaml',
  ]);
  assert.match(basename(deb), /^tailrace_0\.1\.0_(amd64|arm64)\.deb$/);
});
