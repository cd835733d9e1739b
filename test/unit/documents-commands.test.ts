/** What the documents show to be typed can be typed: commands of tailrace with their options, and of npm. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { buildProgram } from '../../cli/registry.ts';
import { codeOf, documents, ROOT } from '../support/documents.ts';

const program = await buildProgram(() => true);
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const testFiles = globSync('test/**/*.test.ts', { cwd: ROOT });

/** The commands in code that begin with `program`, each as its words; lines that end in a backslash go on. */
function commandsIn(text: string, start: RegExp): string[][] {
  const { spans, blocks } = codeOf(text);
  const lines = blocks.flatMap((block) => block.text.replaceAll(/\\\n\s*/g, '').split('\n'));
  return [...spans, ...lines].flatMap((line) =>
    line
      .replace(/(^|\s)#\s.*$/, '')
      .split(/\s(?:&&|\|\|?)\s|;\s/)
      .map((part) => part.trim().replace(/^(?:(?:sudo|time|if|!|[A-Z_]+=\S+|-u \S+|npx) )+/, ''))
      .filter((part) => start.test(part))
      .map(wordsOf),
  );
}

/** The words of a shell command, without quotes, redirections and what stands for something (`[shard]`, `…`). */
function wordsOf(line: string): string[] {
  const command = line.replaceAll(/\s(?:\d?>+&?|<)\s?\S+/g, '');
  return [...command.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)]
    .map(([word]) => word.replaceAll(/['"]/g, ''))
    .filter((word) => !/^(?:\[.*\]|…|&)$/.test(word));
}

/** Why tailrace would refuse these words; null when it would not, as far as its options say. */
function refusalOf([, name = '', ...args]: readonly string[]): string | null {
  if (name === '' || name === 'COMMAND' || /^-(V|h|-version|-help)$/.test(name)) return null;
  if (name === 'help')
    return args[0] === undefined || args[0] === 'COMMAND' ? null : refusalOf(['', ...args]);
  const command = program.commands.find((one) => one.name() === name);
  if (!command) return `there is no command ${name}`;
  return refusedOptions(command, args);
}

function refusedOptions(command: Command, args: readonly string[]): string | null {
  const sub = command.commands.find((one) => one.name() === args[0] || one.aliases().includes(args[0]!));
  if (sub) return refusedOptions(sub, args.slice(1));
  for (const word of args) {
    if (word === '--') break;
    if (!/^-{1,2}[a-z]/i.test(word) || word === '--help' || word === '-h') continue;
    const flag = word.split('=')[0]!;
    if (!optionsOf(command).some((option) => [option.short, option.long].includes(flag)))
      return `${command.name()} has no option ${flag}`;
  }
  return null;
}

function optionsOf(command: Command | null): Command['options'][number][] {
  return command === null ? [] : [...command.options, ...optionsOf(command.parent)];
}

/** Why npm would refuse these words, or the script that it runs. */
function npmRefusalOf(words: readonly string[]): string | null {
  const script = words[1] === 'run' ? words[2]! : words[1]!;
  if (['audit', 'ci', 'install', 'ls'].includes(script)) return null;
  const command = scripts[script];
  if (command === undefined) return `there is no script ${script}`;
  const args = words.slice(words.indexOf('--') + 1);
  if (!words.includes('--')) return null;
  // A bench's options are read by its own file.
  const sources =
    script === 'bench'
      ? globSync(`bench/${args[0]}*.ts`, { cwd: ROOT })
      : [command.match(/[\w./-]+\.(?:ts|mjs)(?= *(?:$|-))/g)!.at(-1)!];
  const source = sources.map((path) => readFileSync(join(ROOT, path), 'utf8')).join('\n');
  for (const word of args) {
    const option = /^--([a-z-]+)/.exec(word)?.[1];
    const takesAny =
      command.includes('functions/deploy.ts') && ['stage', 'region', 'param'].includes(option!);
    if (
      option !== undefined &&
      !takesAny &&
      option !== 'help' &&
      !new RegExp(`--${option}\\b|\\b${option}'?: \\{`).test(source)
    )
      return `${script} has no option --${option}`;
    const parameter = /^--param=(\w+)=/.exec(word)?.[1];
    const template = script === 'deploy:attach' ? 'serverless.attach.yml' : 'serverless.yml';
    if (parameter && !new RegExp(`^ {4}${parameter}:`, 'm').test(readFileSync(join(ROOT, template), 'utf8')))
      return `${template} has no parameter ${parameter}`;
  }
  const [first] = args;
  if (script === 'bench' && first !== 'NAME' && !existsSync(join(ROOT, 'bench', `${first}.ts`)))
    return `there is no bench ${first}`;
  if (script === 'test')
    for (const word of args)
      if (
        !['check', 'unit', 'model', 'processes'].includes(word) &&
        !testFiles.some((file) => file.includes(word))
      )
        return `no test's path contains ${word}`;
  return null;
}

function refusals(text: string): string[] {
  return [
    ...commandsIn(text, /^tailrace(?= |$)/).map((words) => [words, refusalOf(words)] as const),
    ...commandsIn(text, /^npm (?!run -s)/).map((words) => [words, npmRefusalOf(words)] as const),
  ].flatMap(([words, why]) => (why === null ? [] : [`${words.join(' ')}: ${why}`]));
}

test('every command in the documents has the options that it is given', () => {
  const all = documents().filter(({ path }) => path !== 'CHANGELOG.md');
  const count = all.flatMap(({ text }) => commandsIn(text, /^(tailrace|npm) /)).length;
  assert.ok(count > 80, `${count} commands are found`);
  assert.deepEqual(
    all.flatMap(({ path, text }) => refusals(text).map((why) => `${path}: ${why}`)),
    [],
  );
});

test('planted: commands and options that do not exist are found, in spans and in blocks', () => {
  const text = [
    'Type `tailrace vrify`, `npx tailrace help vrify`, or `tailrace cat --form 2h | wc -l`:',
    '',
    '    sudo tailrace flush --wait > /tmp/out 2>&1',
    '    tailrace cat \\',
    '      --nothing   # --comment',
    '    tailrace shards scale x2 --stream weblogs --dry',
    '',
    '```sh',
    'npm run package -- --nothing',
    'npm run deploy -- --stage prod --param=nothing=1',
    'npm run bench -- nothing && npm test -- nothing',
    'npm run bench -- query --nothing',
    'EVENTS=7 npm run nothing',
    '```',
  ].join('\n');
  assert.deepEqual(
    refusals(text).map((why) => why.replace(/^.*: /, '')),
    [
      'there is no command vrify',
      'there is no command vrify',
      'cat has no option --form',
      'flush has no option --wait',
      'cat has no option --nothing',
      'shards has no option --dry',
      'package has no option --nothing',
      'serverless.yml has no parameter nothing',
      'there is no bench nothing',
      "no test's path contains nothing",
      'bench has no option --nothing',
      'there is no script nothing',
    ],
  );
});
