/** Options that several commands share: `-c`, `-s` and `-t` mean the same in each of them. */
import { InvalidArgumentError, Option } from 'commander';
import { parseDuration, parseSize } from '../base/units.ts';

/** The state directory of a packaged agent. */
export const STATE_DIR = '/var/lib/tailrace';

/** `-s, --state`; where it is not given, the command finds it by `--config` or takes the default. */
export function stateOption(): Option {
  return new Option('-s, --state <directory>', `the agent's state directory (default: ${STATE_DIR})`);
}

/** `-c, --config`, of any kind of configuration; the command's text says which it needs. */
export function configOption(what: string): Option {
  return new Option('-c, --config <file>', what);
}

/** `-t, --timeout`, as milliseconds. */
export function timeoutOption(what: string, fallback: string): Option {
  return durationOption('-t, --timeout <duration>', what, fallback);
}

/** An option that is a duration, as milliseconds. */
export function durationOption(flags: string, what: string, fallback?: string): Option {
  const option = new Option(flags, what).argParser(durationArgument);
  return fallback === undefined ? option : option.default(parseDuration(fallback), fallback);
}

function durationArgument(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError('Expected a duration such as 500ms, 30s, 10m, 2h or 7d.');
  return ms;
}

/** `--endpoint` of a service other than AWS. */
export function endpointOption(what: string): Option {
  return new Option('--endpoint <url>', what).argParser((text) => {
    if (!/^https?:$/.test(URL.parse(text)?.protocol ?? ''))
      throw new InvalidArgumentError('Expected a URL such as http://127.0.0.1:4567.');
    return text;
  });
}

/** The argument parser of every option that is a count. */
export function countArgument(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('Expected a whole number of at least 1.');
  return value;
}

/** The argument parser of every option that is a size, as bytes. */
export function sizeArgument(text: string): number {
  const bytes = parseSize(text);
  if (bytes === null || bytes < 1) throw new InvalidArgumentError('Expected a size such as 512MiB or 10GiB.');
  return bytes;
}

/** With less, DuckDB cannot read a file of lines. */
const LEAST_MEMORY = 64 * 1024 ** 2;

/** `--memory`, of the commands that run DuckDB. */
export function memoryOption(): Option {
  return new Option('--memory <size>', 'memory for DuckDB, at least 64MiB; more goes to temporary files')
    .argParser((text) => {
      const bytes = sizeArgument(text);
      if (bytes < LEAST_MEMORY) throw new InvalidArgumentError('DuckDB needs at least 64MiB.');
      return bytes;
    })
    .default(1024 ** 3, '1GiB');
}

/** The argument parser of an option that may be repeated. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
