/** What a deb or rpm package runs: the user is created once, an upgrade stops nothing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const SCRIPTS = join(import.meta.dirname, '../../../infra/scripts/system-package');

/** The commands that a script calls, in their order; `known` are the users that there are. */
function calls(script: string, args: readonly string[], known: readonly string[] = []): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'scripts-'));
  const log = join(folder, 'log');
  writeFileSync(log, '');
  for (const name of ['useradd', 'chgrp', 'systemctl'])
    writeFileSync(join(folder, name), `#!/bin/sh\necho "${name} $*" >> ${log}\n`, { mode: 0o755 });
  const users = known.map((user) => `[ "$2" = ${user} ] && exit 0`).join('\n');
  writeFileSync(join(folder, 'getent'), `#!/bin/sh\n${users}\nexit 2\n`, { mode: 0o755 });
  const { status, stderr } = spawnSync('/bin/sh', [join(SCRIPTS, script), ...args], {
    env: { PATH: `${folder}:/usr/bin:/bin` },
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  const lines = readFileSync(log, 'utf8').split('\n').filter(Boolean);
  rmSync(folder, { recursive: true });
  return lines.map((line) => line.split(' ').slice(0, 2).join(' '));
}

const HAS_SYSTEMD = existsSync('/run/systemd/system');

test('an installation creates the user once, and without systemd touches no service', () => {
  const first = calls('agent-installed.sh', ['configure']);
  assert.deepEqual(first.slice(0, 2), ['useradd --system', 'chgrp tailrace']);
  assert.equal(calls('agent-installed.sh', ['configure'], ['tailrace'])[0], 'chgrp tailrace');
  assert.equal(
    first.some((call) => call.startsWith('systemctl')),
    HAS_SYSTEMD,
  );
  assert.equal(calls('consumer-installed.sh', ['configure'])[0], 'useradd --system');
});

test('an upgrade by dpkg or rpm stops nothing', () => {
  for (const role of ['agent', 'consumer'])
    for (const word of ['upgrade', '1']) assert.deepEqual(calls(`${role}-removing.sh`, [word]), []);
});
