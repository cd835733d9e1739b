#!/usr/bin/env node
/** The `tailrace` command: loads the requested subcommand and turns its errors into one line and an exit code. */
import { CommanderError } from 'commander';
import { TailraceError } from '../base/errors.ts';
import { exitCodeOf } from '../base/exit-code.ts';
import { plainLines } from '../base/human.ts';
import { buildProgram, NAMES } from './registry.ts';

/** Exit codes: 0 success, 1 the work failed, 2 bad usage or configuration (or something it names cannot be used); a flush adds 3, something is left. */
async function main(args: readonly string[]): Promise<void> {
  // `help COMMAND` is `COMMAND --help`.
  const [first, second] = args;
  if (first === 'help') {
    return main(second === undefined ? ['--help'] : NAMES.includes(second) ? [second, '--help'] : [second]);
  }
  const program = await buildProgram((name) => name === first);
  if (args.length === 0) program.outputHelp({ error: true });
  if (args.length === 0) process.exitCode = 2;
  else await program.parseAsync(args, { from: 'user' });
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader may have seen enough, as `head` has.
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`cannot write the output: ${error.message}\n`);
  process.exit(1);
});
// Where stderr cannot be written to either, the exit code still says how it went.
process.stderr.on('error', () => {});

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else if (error instanceof TailraceError) {
    // Messages quote keys, tags and responses from outside.
    process.stderr.write(`${plainLines(error.message)}\n`);
    process.exitCode = exitCodeOf(error);
  } else {
    const { code, message, stack } = error as NodeJS.ErrnoException;
    // The system's refusals explain themselves; anything else is a fault of the program, and its place helps.
    const isRefusal = typeof code === 'string' && /^E[A-Z0-9]+$/.test(code);
    process.stderr.write(
      `${isRefusal ? plainLines(message) : `unexpected error, please report it: ${stack}`}\n`,
    );
    process.exitCode = 1;
  }
}
