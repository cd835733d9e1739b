/**
 * `npm run lint:infra`: cfn-lint over both packaged templates, from a Python environment of its own in .cache/.
 *
 * W3005 is left out: the packager writes a DependsOn next to a GetAtt that implies it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { STACKS, TEMPLATE } from '../functions/package.ts';

const ROOT = join(import.meta.dirname, '..');
const VERSION = '1.58.0';
const VENV = join(ROOT, '.cache', `cfn-lint-${VERSION}`);
const LINTER = join(VENV, 'bin', 'cfn-lint');

/** What cfn-lint says of a template, empty when it is clean; null where no Python or no network is to be had. */
export function lint(template: string): string | null {
  if (!existsSync(LINTER) && !install()) return null;
  const { stdout, stderr } = spawnSync(LINTER, ['-i', 'W3005', '-t', template], { encoding: 'utf8' });
  return `${stdout}${stderr}`.trim();
}

function install(): boolean {
  const run = (command: string, args: readonly string[]): boolean =>
    spawnSync(command, args, { stdio: 'ignore', timeout: 180_000 }).status === 0;
  return (
    run('python3', ['-m', 'venv', VENV]) &&
    run(join(VENV, 'bin', 'pip'), ['install', '--quiet', `cfn-lint==${VERSION}`])
  );
}

if (import.meta.main) {
  for (const stack of Object.keys(STACKS)) {
    if (!existsSync(join(ROOT, 'dist', stack, TEMPLATE))) {
      process.stderr.write('there is no template yet: run npm run package:functions first\n');
      process.exit(2);
    }
    const found = lint(join(ROOT, 'dist', stack, TEMPLATE));
    if (found === null) {
      process.stderr.write('cfn-lint could not be installed: it takes python3 with venv, and PyPI\n');
      process.exit(1);
    }
    if (found !== '') {
      process.stderr.write(`${stack}:\n${found}\n`);
      process.exitCode = 1;
    } else {
      process.stdout.write(`${stack}: clean\n`);
    }
  }
}
