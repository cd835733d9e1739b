/**
 * `npm run bench`: the table of all stations. `npm run bench -- NAME` runs bench/NAME.ts and ends with its result as
 * one line of JSON.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TailraceError } from '../base/errors.ts';

/** What every benchmark returns; CPU figures are from one run on one machine, so only the ratio is portable. */
export interface BenchResult {
  readonly bench: string;
  readonly value: number;
  readonly unit: string;
  /** CPU seconds of the bare cost, e.g. zlib alone over the same bytes. */
  readonly bare: number;
  /** Total CPU seconds per second of bare cost. */
  readonly ratio: number;
  readonly rssMiB: number;
}

const ALL = 'stations';

function names(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((entry) => entry.endsWith('.ts') && !entry.slice(0, -3).includes('-') && entry !== 'run.ts')
    .map((entry) => entry.replace('.ts', ''))
    .sort();
}

/** Each benchmark with the sentence that its file begins with. */
function help(): string {
  const width = Math.max(...names().map((name) => name.length));
  const lines = names().map((name) => {
    const source = readFileSync(join(import.meta.dirname, `${name}.ts`), 'utf8');
    const comment = source.slice(source.indexOf('/**') + 3, source.indexOf('*/'));
    const text = comment.replaceAll(/\s*\n \* ?/g, ' ').trim();
    return `  ${name.padEnd(width)}  ${/^.*?[^.][.:](?= |$)/.exec(text)?.[0].replace(/:$/, '.') ?? text}`;
  });
  return `usage: npm run bench                       the table of all stations, in about three minutes
       npm run bench -- NAME [options]    one benchmark, which ends with a line of JSON

${lines.join('\n')}

The options of a benchmark are in its file's first comment, bench/NAME.ts. CPU is that of whole processes.
FLUENT_BIT names the program of Fluent Bit for those that compare with it.
`;
}

const [name = ALL] = process.argv.slice(2);
if (['-h', '--help', 'help'].includes(name)) {
  process.stdout.write(help());
} else if (!names().includes(name)) {
  process.stderr.write(`there is no benchmark ${name}\n${help()}`);
  process.exitCode = 2;
} else {
  const { run } = (await import(`./${name}.ts`)) as { run: () => Promise<BenchResult> };
  try {
    const result = await run();
    // Without a name it is a table for people.
    if (process.argv.length > 2) process.stdout.write(`${JSON.stringify(result)}\n`);
  } catch (error) {
    if (!(error instanceof TailraceError) && !isUsage(error)) throw error;
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 2;
  }
}

/** Of node:util's parseArgs: an option that does not exist, or lacks its value. */
function isUsage(error: unknown): boolean {
  return String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS_');
}
