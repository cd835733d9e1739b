/** Runs a command of the user's with more environment, as a shell would. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { whenNpmIsGone } from '../base/npm-parent.ts';
import { systemReason } from '../base/system-error.ts';

/** @returns its exit code as a shell reports it: 127 when it cannot be run, 128 and the signal that killed it */
export function runCommand(args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(args[0]!, args.slice(1), { stdio: 'inherit', env: { ...process.env, ...env } });
    // The terminal delivers Ctrl-C to it; other signals are passed on.
    for (const name of ['SIGTERM', 'SIGHUP'] as const) process.on(name, () => child.kill(name));
    whenNpmIsGone(() => child.kill('SIGTERM'));
    child.once('error', (error) => {
      process.stderr.write(`${args[0]} cannot be run: ${systemReason(error)}\n`);
      resolve(127);
    });
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
  });
}
