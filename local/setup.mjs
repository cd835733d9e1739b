/**
 * Prepares a clone and then runs something in it: packages (npm ci), the jars of the KCL daemon, and finally a
 * TypeScript entry point on the Node named by the lock file. Runs on Node 20 and later with nothing installed; quiet and
 * quick when everything is in place.
 *
 *     node local/setup.mjs [--without-java] [--then FILE.ts [arguments…] | --test ARGUMENTS…]
 *
 * `--then` runs the file with all following arguments; `--test` runs Node's test runner with them.
 */
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const MODULES = path.join(ROOT, 'node_modules');
const NODE = path.join(MODULES, 'node', 'bin', 'node');
const COMPILE_CACHE = path.join(ROOT, 'base', 'compile-cache.mjs');
const LEAST_NODE = 20;
const LEAST_JAVA = 17;

/**
 * Reports why nothing can be started and exits with 2, as the commands do.
 *
 * @param {string} message
 */
function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function checkNode() {
  if (Number(process.versions.node.split('.')[0]) < LEAST_NODE) {
    fail(`Node.js ${LEAST_NODE} or later is required, this is ${process.version}: see https://nodejs.org/`);
  }
  if (process.platform === 'win32') fail('tailrace runs on Linux and macOS; on Windows use WSL');
}

/** npm leaves a lock file of what it installed in node_modules: it must match package-lock.json. */
function packagesAreThere() {
  try {
    const wanted = readPackages(path.join(ROOT, 'package-lock.json'));
    const installed = readPackages(path.join(MODULES, '.package-lock.json'));
    for (const [name, wish] of Object.entries(wanted)) {
      if (name === '') continue;
      const found = installed[name];
      // Packages for other platforms are optional and not installed.
      if (found === undefined ? !wish.optional : found.version !== wish.version) return false;
    }
    return fs.existsSync(NODE);
  } catch {
    return false;
  }
}

function readPackages(file) {
  return JSON.parse(fs.readFileSync(file, 'utf8')).packages;
}

function installPackages() {
  process.stderr.write('installing packages (npm ci), once: a minute or two\n');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    stdio: ['ignore', process.stderr, process.stderr],
  });
  if (npm.error)
    fail(`cannot run npm (${npm.error.message}); it comes with Node.js: see https://nodejs.org/`);
  if (npm.status !== 0) fail('npm ci failed: see above');
  if (!fs.existsSync(NODE)) {
    fail('the package "node" has not brought its program: npm must be allowed to run its install script');
  }
}

function checkJava() {
  const install = `install a Java runtime, ${LEAST_JAVA} or later (Debian: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17)`;
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (java.error) fail(`Java is not installed, and the consumer's KCL daemon runs on it: ${install}`);
  const version = /version "(\d+)(?:\.(\d+))?/.exec(java.stderr);
  // Java 8 and earlier report versions such as 1.8.
  const major = version?.[1] === '1' ? Number(version[2]) : Number(version?.[1]);
  if (!(major >= LEAST_JAVA)) fail(`Java ${version?.[1] ?? 'of an unknown version'} is too old: ${install}`);
}

function ensureJars() {
  const jars = spawnSync(NODE, [path.join(ROOT, 'consumer', 'kcl', 'prepare.ts')], {
    cwd: ROOT,
    stdio: 'inherit',
    // Unlike npm, Node's fetch ignores proxy variables by default.
    env: { NODE_USE_ENV_PROXY: '1', ...process.env },
  });
  if (jars.status !== 0) process.exit(2);
}

/** Replaces this process as far as Node allows: same terminal, signals passed on, same exit status. */
function run(args) {
  const child = spawn(NODE, args, { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => fail(`cannot run ${NODE}: ${error.message}`));
  child.once('exit', (code, signal) => {
    if (signal !== null) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code);
  });
}

const args = process.argv.slice(2);
const withJava = args[0] !== '--without-java';
if (!withJava) args.shift();

checkNode();
if (!packagesAreThere()) installPackages();
if (withJava) {
  checkJava();
  ensureJars();
}
if (args[0] === '--then') {
  run(['--import', COMPILE_CACHE, path.resolve(ROOT, args[1]), ...args.slice(args[2] === '--' ? 3 : 2)]);
} else if (args[0] === '--test') run(['--test', ...args.slice(1)]);
else if (args.length > 0) fail(`unknown argument ${args[0]}`);
