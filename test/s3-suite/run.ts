/**
 * `npm run test:s3`: the tests of ceph/s3-tests that claimed.txt names, on the embedded S3.
 *
 *     npm run test:s3                      clones the suite's pinned commit with git
 *     npm run test:s3 -- --suite FOLDER    takes it from a clone that is there, with or without a work tree
 *     npm run test:s3 -- --all             every test of test_s3.py, and lists what passes and is not claimed
 *
 * Exit code 0 when all that is claimed passes, 1 when not, 2 when the suite cannot be had.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { pythonPrograms } from '../compat/install.ts';
import { startLocalS3 } from '../support/local-s3.ts';

const REPOSITORY = 'https://github.com/ceph/s3-tests';
const COMMIT = '8f0ae7b404a3a2fcf7038bf1e6bf29544fe9b6a3';
const TESTS = 's3tests/functional/test_s3.py';
const PACKAGES = [
  'boto3==1.44.8',
  'munch==4.0.0',
  'PyYAML==6.0.4',
  'isodate==0.7.2',
  'requests==2.34.2',
  'pytz==2026.6',
  'httplib2==0.32.1',
  'lxml==6.1.3',
  'pytest==9.2.0',
  'pytest-timeout==2.4.0',
];
const TEST_SECONDS = 20;
const CLAIMED = path.join(import.meta.dirname, 'claimed.txt');

const { values } = parseArgs({
  options: { suite: { type: 'string' }, all: { type: 'boolean', default: false } },
});
const folder = fs.mkdtempSync(path.join(tmpdir(), 's3-suite-'));
const s3 = await startLocalS3();
try {
  process.exitCode = await run(await takeSuite());
} finally {
  await s3.stop();
  fs.rmSync(folder, { recursive: true });
}

/** @returns the folder of the suite, or null with what is missing said */
async function takeSuite(): Promise<string | null> {
  const suite = path.join(folder, 'suite');
  fs.mkdirSync(suite);
  try {
    const from = values.suite ?? cloned();
    const archive = execFileSync('git', ['-C', from, 'archive', COMMIT], { maxBuffer: 2 ** 28 });
    execFileSync('tar', ['-x', '-C', suite], { input: archive });
    return suite;
  } catch (error) {
    const why = (error as Error).message.trim().split('\n').at(-1);
    process.stderr.write(
      `ceph/s3-tests at ${COMMIT} cannot be had: ${why}\nname a clone that has it: npm run test:s3 -- --suite FOLDER\n`,
    );
    return null;
  }
}

function cloned(): string {
  const clone = path.join(folder, 'clone');
  execFileSync('git', ['clone', '--quiet', '--bare', REPOSITORY, clone], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return clone;
}

async function run(suite: string | null): Promise<number> {
  if (suite === null) return 2;
  const claimed = fs
    .readFileSync(CLAIMED, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const passed = await passing(suite, values.all ? [TESTS] : claimed.map((name) => `${TESTS}::${name}`));
  const failed = claimed.filter((name) => !passed.has(name));
  for (const name of failed) process.stdout.write(`failed: ${name}\n`);
  if (values.all) {
    for (const name of [...passed].filter((name) => !claimed.includes(name)).sort())
      process.stdout.write(`passes, not claimed: ${name}\n`);
  }
  process.stdout.write(`${claimed.length - failed.length} of ${claimed.length} claimed tests pass\n`);
  return failed.length === 0 ? 0 : 1;
}

async function passing(suite: string, tests: readonly string[]): Promise<ReadonlySet<string>> {
  const programs = await pythonPrograms('s3-tests', ...PACKAGES);
  const config = path.join(folder, 's3tests.conf');
  fs.writeFileSync(config, configText(Number(new URL(s3.endpoint).port)));
  const timeout = `--timeout=${TEST_SECONDS}`;
  const child = spawn(
    path.join(programs, 'pytest'),
    ['-p', 'tailrace_suite', '-p', 'no:cacheprovider', '-q', '-rp', '--tb=short', timeout, ...tests],
    {
      cwd: suite,
      env: {
        ...process.env,
        S3TEST_CONF: config,
        PYTHONPATH: `${import.meta.dirname}:${suite}`,
        PYTHONDONTWRITEBYTECODE: '1',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    process.stderr.write(part);
  });
  await once(child, 'close');
  return new Set([...text.matchAll(/^PASSED .*::(\w+)/gm)].map(([, name]) => name!));
}

/** The server knows one user, so that all of the suite are the same. */
function configText(port: number): string {
  const who = (section: string): string =>
    `[${section}]\naccess_key = test\nsecret_key = test\nuser_id = test\ndisplay_name = test\nemail = test@example.com\ntenant = test\n`;
  const sections = ['s3 main', 's3 alt', 's3 tenant', 'iam', 'iam root', 'iam alt root'];
  return `[DEFAULT]\nhost = 127.0.0.1\nport = ${port}\nis_secure = False\nssl_verify = False\n\n[fixtures]\nbucket prefix = s3-tests-{random}-\n\n${sections.map(who).join('\n')}`;
}
