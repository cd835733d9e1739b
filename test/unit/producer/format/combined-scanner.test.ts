/** The scanner that is generated for `combined` is in a file, so that a reader sees what the templates make. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { compileScan } from '../../../../producer/format/access-log-code.ts';
import { compileSteps, keyOf } from '../../../../producer/format/access-log-steps.ts';
import { parseNginxFormat } from '../../../../producer/format/nginx-format.ts';
import { Transform } from '../../../../producer/format/transform.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const SNAPSHOT = join(import.meta.dirname, 'combined-scanner.snapshot.js');
const HEAD =
  '// The scanner that producer/format/access-log-code.ts generates for nginx combined; do not edit.\n';

/** The generated function as the formatter of this repository would write it. */
function formatted(source: string): string {
  const biome = join(ROOT, 'node_modules/.bin/biome');
  const args = ['format', '--stdin-file-path=scanner.js'];
  const { status, stdout, stderr } = spawnSync(biome, args, { cwd: ROOT, input: source, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('the scanner of combined is the one in combined-scanner.snapshot.js', () => {
  const format = parseNginxFormat('combined');
  const transform = new Transform({}, {});
  const keys = {
    method: keyOf(transform.rule('method')),
    path: keyOf(transform.rule('path')),
    protocol: keyOf(transform.rule('protocol')),
  };
  const scan = compileScan(Buffer.from(format.prefix), compileSteps(format, transform), keys);
  const source = HEAD + formatted(scan.toString());
  if (process.env['UPDATE_SNAPSHOTS'] !== undefined) writeFileSync(SNAPSHOT, source);
  assert.equal(source, readFileSync(SNAPSHOT, 'utf8'), 'review the change, then run with UPDATE_SNAPSHOTS=1');
});
