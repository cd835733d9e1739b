/**
 * `npm run compat`: installs other implementations of S3, Kinesis and DynamoDB, asks each what it does where they
 * differ, runs the whole pipeline on it with a kill -9 of every process, and writes docs/compatibility.md's tables.
 *
 *     npm run compat
 *     npm run compat -- --only moto --only versitygw     the columns of the others stay as they were
 *     npm run compat -- --probes                         only ask
 *     npm run compat -- --s3 http://127.0.0.1:9000       ask an S3 of your own, with the credentials of AWS_*, in a new bucket
 *
 * Exit code 0 when nothing was lost or repeated anywhere, 1 when something was or a pipeline failed, 2 for a wrong option.
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { IMPLEMENTATIONS } from './implementations.ts';
import { askAll } from './probe.ts';
import { compatibilityTables, isWhole, writeTables } from './report.ts';
import { type Result, tryOut } from './round.ts';
import { S3_PROBES, s3ProbeClient } from './s3-probes.ts';

const RESULTS = path.join(import.meta.dirname, '..', '..', '.cache', 'compat', 'results.json');

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    probes: { type: 'boolean', default: false },
    s3: { type: 'string' },
  },
});
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

if (values.s3 !== undefined) await askOwn(values.s3);
else await tryAll(values.only ?? IMPLEMENTATIONS.map(({ name }) => name), !values.probes);
process.exit();

async function askOwn(endpoint: string): Promise<void> {
  const env = process.env as Readonly<Record<string, string>>;
  if (!env['AWS_ACCESS_KEY_ID'] || !env['AWS_SECRET_ACCESS_KEY']) {
    process.stderr.write(
      '--s3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set: set those of the store\n',
    );
    process.exit(2);
  }
  const client = await s3ProbeClient(endpoint, env);
  const answers = await askAll(S3_PROBES, client);
  for (const [i, { about, amazon }] of S3_PROBES.entries()) {
    const same = answers[i] === amazon;
    say(`${same ? ' ' : '*'} ${about}: ${answers[i]}${same ? '' : ` (Amazon S3: ${amazon})`}`);
  }
}

async function tryAll(names: readonly string[], withPipeline: boolean): Promise<void> {
  const unknown = names.filter((name) => !IMPLEMENTATIONS.some((known) => known.name === name));
  if (unknown.length > 0) {
    const known = IMPLEMENTATIONS.map(({ name }) => name).join(', ');
    process.stderr.write(`--only: ${unknown.join(', ')}: expected some of ${known}\n`);
    process.exit(2);
  }
  for (const implementation of IMPLEMENTATIONS.filter(({ name }) => names.includes(name))) {
    const folder = fs.mkdtempSync(path.join(tmpdir(), 'compat-'));
    try {
      const result = await tryOut(implementation, folder, withPipeline, say);
      keep(result);
      const failed = report(result);
      if (failed) process.exitCode = 1;
      else fs.rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      say(`${implementation.name}: not tried: ${(error as Error).message}`);
      process.exitCode = 1;
    }
  }
  writeTables(compatibilityTables(IMPLEMENTATIONS, kept()));
}

/** @returns whether something was lost or repeated, or did not work */
function report({ name, pipeline }: Result): boolean {
  if (pipeline === null) return false;
  if (typeof pipeline === 'string') {
    say(`${name}: the pipeline failed: ${pipeline}`);
    return true;
  }
  const { events, missing, repeated, verify } = pipeline;
  say(
    `${name}: ${events} events archived, ${missing} lost, ${repeated} repeated, verify ended with ${verify}`,
  );
  return !isWhole(pipeline);
}

function kept(): Result[] {
  return fs.existsSync(RESULTS) ? (JSON.parse(fs.readFileSync(RESULTS, 'utf8')) as Result[]) : [];
}

/** A run without the pipeline keeps what an earlier one showed. */
function keep(result: Result): void {
  const before = kept();
  const earlier = before.find(({ name, version }) => name === result.name && version === result.version);
  const whole = { ...result, pipeline: result.pipeline ?? earlier?.pipeline ?? null };
  fs.mkdirSync(path.dirname(RESULTS), { recursive: true });
  const others = before.filter(({ name }) => name !== result.name);
  fs.writeFileSync(RESULTS, JSON.stringify([...others, whole], null, 1));
}
