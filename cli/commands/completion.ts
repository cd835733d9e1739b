/** `tailrace completion`: prints a completion script, made from the commands and options themselves. */
import { Argument, Command } from 'commander';
import type { BuildProgram } from '../command-module.ts';
import { bashScript, fishScript, type Shown, zshScript } from '../completion-scripts.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

export function command(build: BuildProgram): Command {
  return new Command('completion')
    .description('Print a script that completes commands, options and file names.')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      '\n  bash: tailrace completion bash > /etc/bash_completion.d/tailrace\n  zsh:  tailrace completion zsh > ~/.zfunc/_tailrace  (with ~/.zfunc in fpath)\n  fish: tailrace completion fish > ~/.config/fish/completions/tailrace.fish\nExit codes: 0 printed, 2 bad usage.',
    )
    .action(async (shell: keyof typeof SCRIPTS) => {
      const program = await build(() => true);
      process.stdout.write(SCRIPTS[shell](program.commands.map(shown)));
    });
}

function shown(command: Command): Shown {
  const options = command
    .createHelp()
    .visibleOptions(command)
    .map(({ short, long, description, argChoices, required, optional }) => ({
      flags: [short, long].filter((flag) => flag !== undefined),
      what: description,
      takesValue: required || optional,
      choices: argChoices ?? [],
    }));
  const choices = command.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
  return { name: command.name(), what: command.summary(), options, choices };
}
