/** `npm run bench -- NAME`: runs bench/NAME.ts and ends with its result as one line of JSON. */
import { existsSync, readdirSync } from 'node:fs';
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

const [name] = process.argv.slice(2);
const file = join(import.meta.dirname, `${name}.ts`);
if (name === undefined || !existsSync(file) || name === 'run') {
  const source = (entry: string): boolean =>
    entry.endsWith('.ts') && !entry.includes('-') && entry !== 'run.ts';
  const names = readdirSync(import.meta.dirname)
    .filter(source)
    .map((entry) => entry.replace('.ts', ''));
  process.stderr.write(`usage: npm run bench -- NAME, where NAME is one of ${names.join(', ')}\n`);
  process.exit(2);
}
const { run } = (await import(file)) as { run: () => Promise<BenchResult> };
try {
  process.stdout.write(`${JSON.stringify(await run())}\n`);
} catch (error) {
  if (!(error instanceof TailraceError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
