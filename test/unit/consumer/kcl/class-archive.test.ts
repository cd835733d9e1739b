/** Which archive of Java's classes the daemon is started with: one that was made for it, whole. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { classArchive, makeClassArchive } from '../../../../consumer/kcl/class-archive.ts';
import { temporaryDirectory } from '../../../support/agent-process.ts';

/** Stands for Java: writes `body` as the archive, or fails when there is none. */
function java(directory: string, body: string | null): string {
  const file = path.join(directory, 'java');
  const write = `for a; do case "$a" in -XX:ArchiveClassesAtExit=*) file="\${a#*=}";; esac; done`;
  const script = body === null ? 'exit 1' : `${write}\nprintf %s ${body} > "$file"`;
  fs.writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

test('an archive is used when it is whole, and made for this Java and these jars', async (t) => {
  const directory = temporaryDirectory(t);
  const jar = path.join(directory, 'kcl.jar');
  fs.writeFileSync(jar, 'one');
  assert.equal(classArchive('17', jar), null);
  let begun = 0;
  const make = (version: string, body: string | null): Promise<void> =>
    makeClassArchive(java(directory, body), version, jar, () => {
      begun += 1;
    });
  await make('17', 'classes');
  const archive = classArchive('17', jar)!;
  assert.equal(fs.readFileSync(archive, 'utf8'), 'classes');
  assert.equal(classArchive('21', jar), null);
  await make('17', 'others');
  assert.equal(begun, 1, 'it is made once');

  fs.chmodSync(archive, 0o600);
  fs.writeFileSync(archive, 'class');
  assert.equal(classArchive('17', jar), null, 'Java would crash on an archive that is cut short');
  await make('17', 'classes');
  assert.equal(classArchive('17', jar), archive);

  fs.writeFileSync(jar, 'another');
  assert.equal(classArchive('17', jar), null);
  await make('17', null);
  assert.equal(classArchive('17', jar), null);
  await make('17', 'classes');
  assert.equal(begun, 3, 'what fails is not tried at every start');
  assert.deepEqual(
    fs.readdirSync(directory).filter((name) => !name.endsWith('.jsa')),
    ['java', 'kcl.jar'],
  );
  assert.equal(classArchive('17', '/nowhere/kcl.jar'), null);
});
