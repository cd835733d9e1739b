/** `tailrace man`: prints a manual page, made from the help of the commands themselves. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { TailraceError } from '../../base/errors.ts';
import { makeFolder } from '../../base/make-folder.ts';
import type { BuildProgram } from '../command-module.ts';
import { manPage } from '../man-page.ts';

export function command(build: BuildProgram): Command {
  return new Command('man')
    .description('Print the manual page of tailrace, or of one of its commands, in roff.')
    .argument('[command]', 'the command')
    .option('--directory <dir>', 'write all pages to this folder instead')
    .addHelpText(
      'after',
      '\nTo read one: tailrace man flush | man -l -\nExit codes: 0 printed, 2 bad usage, or the folder cannot be written to.',
    )
    .action(async (name: string | undefined, { directory }: { directory?: string }) => {
      if (directory !== undefined) return writeAll(await build(() => true), directory);
      const program = await build((each) => name === undefined || each === name);
      const page = name === undefined ? program : program.commands.find((each) => each.name() === name);
      if (page === undefined) throw new TailraceError('CONFIG', `${name} is not a command of tailrace`);
      process.stdout.write(manPage(page));
    });
}

function writeAll(program: Command, directory: string): void {
  try {
    makeFolder(directory);
    for (const command of [program, ...program.commands]) {
      const name = command === program ? 'tailrace' : `tailrace-${command.name()}`;
      writeFileSync(join(directory, `${name}.1`), manPage(command));
    }
  } catch (error) {
    const { message } = error as Error;
    throw new TailraceError('CONFIG', `--directory ${directory}: ${message}`, { cause: error });
  }
}
