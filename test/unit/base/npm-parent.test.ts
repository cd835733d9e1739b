/** A command ends with the npm that ran it, through a shell in between, and only then. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

const MODULE = JSON.stringify(new URL('../../../base/npm-parent.ts', import.meta.url).href);
/** The command: says that it is there, and that its npm is gone. */
const COMMAND = `
import { whenNpmIsGone } from ${MODULE};
whenNpmIsGone(() => { process.stdout.write('gone'); process.exit(); });
process.stdout.write('here ');
setInterval(() => {}, 1000);
setTimeout(() => process.exit(), 20000);
`;
/** A program with the title of npm, and a shell that runs the command. */
const NPM = `
import { spawn } from 'node:child_process';
process.title = 'npm exec tailrace agent';
const env = { ...process.env, npm_execpath: '/npm-cli.js' };
spawn('sh', ['-c', '"$0" --input-type=module -e "$1"; true', process.execPath, ${JSON.stringify(COMMAND)}], { stdio: 'inherit', env });
`;

test('a command ends when npm is killed', { skip: process.platform !== 'linux' }, async () => {
  const npm = spawn(process.execPath, ['--input-type=module', '-e', NPM], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  npm.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output === 'here ') npm.kill('SIGKILL');
  });
  await once(npm.stdout, 'close');
  assert.equal(output, 'here gone');
});
