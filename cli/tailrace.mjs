#!/usr/bin/env node
/**
 * `npx tailrace` in a clone: starts the command on the Node that the lock file names, whichever Node runs this file, or
 * says what is missing. Plain JavaScript, because an older Node must get this far.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const NODE = path.join(ROOT, 'node_modules', 'node', 'bin', 'node');

if (!existsSync(NODE)) {
  process.stderr.write(`tailrace is not set up yet: run "npm run setup" in ${ROOT}\n`);
  process.exit(2);
}
const args = [
  '--import',
  path.join(ROOT, 'base', 'compile-cache.mjs'),
  path.join(ROOT, 'cli', 'tailrace.ts'),
];
const command = [...args, ...process.argv.slice(2)];
// One process is left where Node can replace itself (22.15 and later): every signal then reaches the command.
if (process.execve !== undefined && process.platform !== 'win32') process.execve(NODE, [NODE, ...command]);
const child = spawn(NODE, command, { stdio: 'inherit' });
// A terminal sends Ctrl-C to both processes, and a second one would end the command at once; every other signal is passed on.
process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.once('error', (error) => {
  process.stderr.write(`cannot run ${NODE}: ${error.message}\n`);
  process.exit(2);
});
child.once('exit', (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
