/** `npm run deploy`: packages a stack, refuses settings that cannot work, and deploys it; options are those of osls. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TailraceError } from '../base/errors.ts';
import { bundle } from './bundle.ts';
import { assertSettings, OSLS } from './package.ts';

const ROOT = join(import.meta.dirname, '..');

function osls(args: readonly string[]): void {
  const { status } = spawnSync(OSLS, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new TailraceError('PACKAGE_FUNCTIONS', `osls ${args[0]} failed; see above`);
}

const args = process.argv.slice(2);
const { values } = parseArgs({
  args,
  options: { config: { type: 'string', default: 'serverless.yml' } },
  strict: false,
});
const directory = join('dist', values.config === 'serverless.attach.yml' ? 'attach' : 'stack');
try {
  await bundle();
  osls(['package', '--package', directory, ...args]);
  assertSettings(join(ROOT, directory));
  osls(['deploy', '--package', directory, ...args]);
} catch (error) {
  if (!(error instanceof TailraceError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
