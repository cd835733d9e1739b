/** `tailrace import`: makes an agent.yaml of the configuration of fluentd, Fluent Bit or Vector. */
import { Command } from 'commander';
import { stringify } from 'yaml';
import { TailraceError } from '../../base/errors.ts';
import { plain } from '../../base/human.ts';
import { agentConfig } from '../../producer/config.ts';
import { Transform } from '../../producer/format/transform.ts';
import { SHOWN } from '../../producer/tail/sample.ts';
import { FILE_PATH } from '../../producer/tail/splitting.ts';
import { checkConfig } from '../config.ts';
import { carryOver, type Imported } from '../import/carry-over.ts';
import { Files } from '../import/files.ts';
import type { Note } from '../import/section.ts';

export function command(): Command {
  return new Command('import')
    .description(
      'Convert a configuration of fluentd, Fluent Bit or Vector to an agent.yaml on stdout, and list on stderr what could not be carried over.',
    )
    .argument('<file>', 'fluent.conf, fluent-bit.conf, fluent-bit.yaml or vector.yaml')
    .addHelpText(
      'after',
      '\nThe syntax is recognized by the content. Files that it includes, and those of its parsers, are read too.\nInputs go on where the other agent has stopped (take_over): stop that one before you start this one; docs/migrating.md has the steps.\nExit codes: 0 everything was carried over, 2 bad usage or no input was found, 3 something was not carried over.',
    )
    .action(run);
}

function run(file: string): void {
  const files = new Files(file);
  const { config, missing, needless, unkept } = carryOver(files.sections);
  if (config.inputs.length === 0) {
    report(files, missing);
    throw new TailraceError(
      'CONFIG',
      `${file}: no input with a counterpart in tailrace was found: name the main file of the configuration`,
    );
  }
  // Where the other agent finds the region by itself, this one is started with it; a guess could send logs elsewhere.
  const { name = 'weblogs', region = `\${env:AWS_REGION}`, ...rest } = config.stream;
  const stream = { name, region, ...rest };
  const text = stringify({ state_dir: '/var/lib/tailrace', stream, inputs: config.inputs }, { lineWidth: 0 });
  process.stdout.write(
    `# Made from ${file} by tailrace import. Check it with\n#   tailrace agent --check --config FILE\n${text}`,
  );
  const isSet = reportStream(file, config.stream);
  for (const note of needless.toSorted(byLine))
    process.stderr.write(`${files.place(note)}: not needed: ${plain(note.text)}\n`);
  for (const note of unkept.toSorted(byLine))
    process.stderr.write(`${files.place(note)}: when you switch: ${plain(note.text)}\n`);
  report(files, missing);
  const faults = faultsOf({ state_dir: '/', stream: { name: 's', region: 'r' }, inputs: config.inputs });
  for (const fault of faults)
    process.stderr.write(
      `${file}: NOT accepted by the agent, correct it before you start: ${plain(fault)}\n`,
    );
  if (missing.length > 0 || faults.length > 0 || !isSet) process.exitCode = 3;
}

/** What an agent would say of a configuration, with whatever the environment gives it. */
function faultsOf(config: unknown): string[] {
  const filled = JSON.stringify(config).replaceAll(
    /\$\{env:\w+(?::-((?:[^}"\\]|\\.)*))?\}/g,
    (_, text?: string) => text ?? '1',
  );
  try {
    const { inputs } = checkConfig('agent.yaml', JSON.parse(filled), agentConfig);
    for (const input of inputs) {
      if (input.type === 'tail') new Transform(input, { ...SHOWN, [FILE_PATH]: '/' });
      else if (input.type === 'journald') new Transform(input, SHOWN);
    }
    return [];
  } catch (error) {
    if (!(error instanceof TailraceError)) throw error;
    return error.message.split('\n');
  }
}

/** @returns false when the stream is not known from the configuration, which is then said */
function reportStream(file: string, { name, region }: Imported['config']['stream']): boolean {
  if (name !== undefined && region !== undefined) return true;
  const what =
    name === undefined
      ? 'no output names a Kinesis stream: set stream.name and stream.region'
      : 'the output to Kinesis names no region: set stream.region, or AWS_REGION where the agent runs';
  process.stderr.write(`${file}: ${what}\n`);
  return false;
}

function report(files: Files, missing: readonly Note[]): void {
  for (const note of missing.toSorted(byLine))
    process.stderr.write(`${files.place(note)}: NOT carried over: ${plain(note.text)}\n`);
}

const byLine = (a: Note, b: Note): number => a.line - b.line;
