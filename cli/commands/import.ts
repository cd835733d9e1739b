/** `tailrace import`: makes an agent.yaml of the configuration of fluentd, Fluent Bit or Vector. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { TailraceError } from '../../base/errors.ts';
import { plain } from '../../base/human.ts';
import { systemReason } from '../../base/system-error.ts';
import { carryOver, type Imported } from '../import/carry-over.ts';
import { parseFluentBit } from '../import/fluent-bit.ts';
import { parseFluentd } from '../import/fluentd.ts';
import type { Note, Section } from '../import/section.ts';
import { parseYaml } from '../import/yaml.ts';

export function command(): Command {
  return new Command('import')
    .description(
      'Convert a configuration of fluentd, Fluent Bit or Vector to an agent.yaml on stdout, and list on stderr what could not be carried over.',
    )
    .argument('<file>', 'fluent.conf, fluent-bit.conf, fluent-bit.yaml or vector.yaml')
    .addHelpText(
      'after',
      '\nThe syntax is recognized by the content. Included files are not read: import each of them.\nExit codes: 0 everything was carried over, 2 bad usage or no input was found, 3 something was not carried over.',
    )
    .action(run);
}

function run(file: string): void {
  const { config, missing, needless } = carryOver(sectionsOf(file, read(file)));
  if (config.inputs.length === 0) {
    report(file, missing);
    throw new TailraceError('CONFIG', `${file}: no input with a counterpart in tailrace was found`);
  }
  // Where the other agent finds the region by itself, this one is started with it; a guess could send logs elsewhere.
  const { name = 'weblogs', region = `\${env:AWS_REGION}`, ...rest } = config.stream;
  const stream = { name, region, ...rest };
  const text = stringify({ state_dir: '/var/lib/tailrace', stream, inputs: config.inputs }, { lineWidth: 0 });
  process.stdout.write(
    `# Made from ${file} by tailrace import. Check it with\n#   tailrace agent --check --config FILE\n${text}`,
  );
  const isSet = reportStream(file, config.stream);
  for (const { line, text: what } of needless)
    process.stderr.write(`${file}:${line}: not needed: ${plain(what)}\n`);
  report(file, missing);
  if (missing.length > 0 || !isSet) process.exitCode = 3;
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

function report(file: string, missing: readonly Note[]): void {
  for (const { line, text } of missing.toSorted((a, b) => a.line - b.line))
    process.stderr.write(`${file}:${line}: NOT carried over: ${plain(text)}\n`);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new TailraceError('CONFIG', `${file}: cannot be read: ${systemReason(cause)}`, { cause });
  }
}

/** The syntax shows itself: angle brackets, headings in square brackets, or YAML. */
function sectionsOf(file: string, text: string): Section[] {
  try {
    if (/^\s*<(source|match|filter|label|system)\b/m.test(text)) return parseFluentd(text);
    if (/^\s*\[(service|input|output|filter|parser)\]/im.test(text)) return parseFluentBit(text);
    return parseYaml(text);
  } catch (cause) {
    throw new TailraceError('CONFIG', `${file}: ${(cause as Error).message.split('\n')[0]}`, { cause });
  }
}
