/** A manual page in roff (man(7)), from what a command says of itself. */
import type { EventEmitter } from 'node:events';
import type { Command } from 'commander';
import { VERSION } from '../base/version.ts';

/** A backslash begins an escape, a dash is typed as such, and a line must not begin with a control character. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^(['.])/gm, '\\&$1');
}

export function manPage(command: Command): string {
  const help = command.createHelp();
  const parent = command.parent?.name();
  const name = parent === undefined ? command.name() : `${parent}\\-${command.name()}`;
  const what = command.summary() || 'carry web-server logs to an S3 archive, none lost and none repeated';
  const lines = [
    `.TH ${name.toUpperCase()} 1 "" "tailrace ${VERSION}" "User Commands"`,
    '.SH NAME',
    `${name} \\- ${roff(what)}`,
    '.SH SYNOPSIS',
    roff(help.commandUsage(command)),
    '.SH DESCRIPTION',
    roff(help.commandDescription(command)),
  ];
  const terms = (title: string, entries: readonly { term: string; text: string }[]): void => {
    if (entries.length === 0) return;
    lines.push(`.SH ${title}`);
    for (const { term, text } of entries) lines.push('.TP', `.B ${roff(term)}`, roff(text));
  };
  terms(
    'ARGUMENTS',
    help.visibleArguments(command).map((argument) => ({
      term: help.argumentTerm(argument),
      text: help.argumentDescription(argument),
    })),
  );
  terms(
    'OPTIONS',
    help
      .visibleOptions(command)
      .map((option) => ({ term: help.optionTerm(option), text: help.optionDescription(option) })),
  );
  terms(
    'COMMANDS',
    help.visibleCommands(command).map((each) => ({ term: each.name(), text: each.summary() })),
  );
  const notes = afterHelp(command);
  const codes = /^Exit codes: (.*)$/ms.exec(notes);
  const rest = codes === null ? notes : notes.slice(0, codes.index);
  if (rest.trim() !== '') lines.push('.SH NOTES', '.nf', roff(rest.trim()), '.fi');
  if (codes) lines.push('.SH EXIT STATUS', roff(codes[1]!.trim()));
  return `${lines.join('\n')}\n`;
}

/** The text that a command prints after its help. */
function afterHelp(command: Command): string {
  let text = '';
  const write = (part: string): void => {
    text += part;
  };
  const context = { error: false, command, write };
  (command as unknown as EventEmitter).emit('afterHelp', context);
  return text;
}
