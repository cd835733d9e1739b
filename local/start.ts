/** `npm start`: the whole pipeline on this machine, shown live until Ctrl-C or until a given number of events is archived. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { TailraceError } from '../base/errors.ts';
import { exitCodeOf } from '../base/exit-code.ts';
import { whenNpmIsGone } from '../base/npm-parent.ts';
import { ArchiveReader, type Comparison, compare } from './archive.ts';
import { endpointEnv, s3Client } from './clients.ts';
import { type RunningConsole, startConsole } from './console.ts';
import { type Made, NOTHING_MADE, readMade } from './demo/ledger.ts';
import { Lag } from './lag.ts';
import { Pipeline, type PipelineStatus } from './pipeline.ts';
import { Painter, type Snapshot, viewLine, viewLines } from './view.ts';

interface StartOptions {
  readonly events?: number;
  readonly exit?: boolean;
  readonly rate?: number;
  readonly shards: number;
  readonly data?: string;
  readonly keep?: boolean;
  readonly console: boolean;
}

const ROOT = path.join(import.meta.dirname, '..');
const DEFAULT_DATA = 'data';
const STARTING = 'Kinesis, DynamoDB and S3 are starting';
const RUNNING = 'Ctrl-C stops it cleanly';
const RATE = { endless: 200, counted: 2500 };
/** Someone is watching; a five-minute batch, as in production, would be a long wait. */
const BATCH_AGE = '3s';
const PAINT_MS = 500;
const LINE_MS = 5000;
const RATE_WINDOW_MS = 10_000;
/** A terminal sends Ctrl-C to npm and to this process, and npm passes it on: the two count as one. */
const SAME_SIGNAL_MS = 1000;

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('Expected a whole number of at least 1.');
  return value;
}

function parseArguments(args: readonly string[]): StartOptions {
  const program = new Command('npm start --')
    .description(
      'Run a demo web server, the agent, Kinesis, the consumer and S3 on this machine, and show the events flow.',
    )
    .option('--events <n>', 'make exactly this many events', wholeNumber)
    .option(
      '--exit',
      'with --events: exit when all are archived, after comparing the archive with what was made',
    )
    .option('--rate <n>', `events per second (${RATE.endless}; with --events ${RATE.counted})`, wholeNumber)
    .option('--shards <n>', 'shards of a new stream', wholeNumber, 4)
    .option(
      '--data <dir>',
      `folder for all data; a run continues with what is there (default: ${DEFAULT_DATA}, cleared first)`,
    )
    .option('--no-console', 'do not serve the page of tailrace console; with --exit it is not')
    .option('--keep', `continue with what the last run left in ${DEFAULT_DATA}`)
    .exitOverride();
  program.parse(args, { from: 'user' });
  const options = program.opts<StartOptions>();
  if (options.exit && options.events === undefined) {
    program.error("error: option '--exit' needs '--events <n>'");
  }
  return options;
}

async function main(options: StartOptions): Promise<number> {
  // Everything it keeps is private to its user.
  process.umask(0o077);
  const began = Date.now();
  const dataDir = path.resolve(options.data ?? DEFAULT_DATA);
  const fresh = options.data === undefined && !options.keep;
  const counted = options.events !== undefined;
  const where = path.relative(process.env.INIT_CWD ?? '.', dataDir) || '.';
  const screen = new Screen(where.startsWith('..') ? dataDir : where, began);
  const stopped = stopSignal(() => {
    screen.say('exiting immediately: the data folder may not be usable for another run');
    pipeline?.killAll();
    process.exit(1);
  });

  const before = fresh ? NOTHING_MADE : readMade(path.join(dataDir, 'demo'));
  screen.say(fresh || !fs.existsSync(dataDir) ? `starting in ${dataDir}` : `continuing in ${dataDir}`);
  let pipeline: Pipeline | null = null;
  pipeline = await Pipeline.start({
    dataDir,
    fresh,
    shards: options.shards,
    rate: options.rate ?? (counted ? RATE.counted : RATE.endless),
    events: options.events ?? null,
    batchAge: BATCH_AGE,
    log: (message) => screen.say(message),
    onDemo: (demo) =>
      screen.follow({ status: async () => ({ demo: demo.progress, agent: null, consumer: null }) }, STARTING),
  }).catch((error: unknown) => {
    screen.end();
    throw error;
  });
  writeEnv(dataDir, pipeline);
  const page = options.console && !options.exit ? startConsole(pipeline, dataDir) : null;
  if (page) showConsole(page, screen);
  screen.follow(pipeline, RUNNING);

  const archive = new ArchiveReader(s3Client(pipeline.stack.s3Endpoint), pipeline.stack.bucket);
  try {
    const made = options.exit ? pipeline.finished.then(() => 'made') : new Promise<string>(() => {});
    const interrupted = (await Promise.race([pipeline.died, stopped, made])) !== 'made';
    await page?.stop();
    await pipeline.stopDemo();
    screen.phase = 'the agent is sending what it holds';
    const agentExit = await pipeline.stopAgent();
    screen.phase = 'the consumer is archiving what it has read';
    const { caughtUp } = await pipeline.stopConsumer();
    const tookMs = Date.now() - began;
    // Only now can nothing more arrive: a repeat would already be in the archive.
    await archive.read();
    const madeAtAll = readMade(pipeline.paths.demo);
    const comparison = compare(madeAtAll, archive.counts, before);
    const result = { ...comparison, isComplete: caughtUp && agentExit.code === 0 };
    screen.end();
    await pipeline.stop();
    sayResult(screen, result, tookMs, before, madeAtAll, archive);
    sayWhere(screen, dataDir, pipeline.stack.bucket, options.data === undefined);
    if (interrupted) return options.exit ? 1 : sound(result) ? 0 : 1;
    return sound(result) && comparison.missing === 0 && comparison.made === options.events ? 0 : 1;
  } catch (error) {
    screen.end();
    screen.say(error instanceof TailraceError ? error.message : String(error));
    screen.say('stopping everything else');
    await page?.stop();
    await pipeline.stop(true);
    return 1;
  }
}

/** Without a console the run goes on. */
function showConsole({ url }: RunningConsole, screen: Screen): void {
  url.then(
    (address) => {
      if (address !== null) screen.sayAddress(address);
    },
    (error: Error) => screen.say(`no console: ${error.message}`),
  );
}

/** A comparison at the end of a run. */
interface Result extends Comparison {
  /** Whether everything made has been through the whole pipeline, so that what is missing is lost. */
  readonly isComplete: boolean;
}

function sound(comparison: Result): boolean {
  return (
    (comparison.missing === 0 || !comparison.isComplete) &&
    comparison.repeated === 0 &&
    comparison.invented === 0
  );
}

function sayResult(
  screen: Screen,
  comparison: Result,
  tookMs: number,
  before: Made,
  made: Made,
  archive: ArchiveReader,
): void {
  const { made: count, archived, repeated, invented, unsure, missing, isComplete } = comparison;
  const lost = isComplete ? missing : 0;
  if (!sound(comparison)) for (const example of comparison.examples) screen.say(example);
  if (invented > 0) screen.say(`${invented} archived events were never made`);
  if (unsure > 0) screen.say(`${unsure} events were not acknowledged and may or may not be archived`);
  if (archive.others > 0) screen.say(`${archive.others} archived events do not come from the demo`);
  if (before.log.made.count + before.forward.made.count > 0) {
    const all = compare(made, archive.counts);
    const rest = isComplete ? `lost ${all.missing}` : `lost 0 not archived yet ${all.missing}`;
    screen.say(
      `with earlier runs: made ${all.made} archived ${all.archived} ${rest} repeated ${all.repeated}`,
    );
  }
  screen.say(
    `made ${count} archived ${archived} lost ${lost} repeated ${repeated} in ${(tookMs / 1000).toFixed(1)} s`,
  );
  if (!isComplete && missing > 0)
    screen.say(
      `not archived yet: ${missing} events are safe in the spool or in the stream; a run that continues archives them`,
    );
}

function sayWhere(screen: Screen, dataDir: string, bucket: string, byDefault: boolean): void {
  const here = process.env.INIT_CWD ?? process.cwd();
  const shown = (target: string): string => {
    const relative = path.relative(here, target);
    return relative.startsWith('..') ? target : relative || '.';
  };
  // Outside the checkout, npx would ask the registry for a package of this name, which is not this one.
  const command = here === ROOT ? 'npx tailrace' : `node ${path.join(ROOT, 'cli', 'tailrace.mjs')}`;
  const archive = `--folder ${shown(path.join(dataDir, 's3', bucket))}`;
  screen.say('');
  screen.say('The archive stays on this machine. What to do next:');
  screen.say(`  ${command} query ${archive} "SELECT tag, code, count(*) FROM logs GROUP BY ALL"`);
  screen.say(`  ${command} cat ${archive} --tag nginx.access | head`);
  screen.say(`  ${command} verify ${archive}`);
  screen.say(`  ${command} console ${archive}`);
  screen.say(`To continue with it: npm start -- ${byDefault ? '--keep' : `--data ${shown(dataDir)}`}`);
}

/** For another terminal: `. data/env.sh` makes AWS's own tools and `npx tailrace` talk to this stack. */
function writeEnv(dataDir: string, { stack }: Pipeline): void {
  const env = endpointEnv({
    kinesis: stack.kinesisEndpoint,
    dynamodb: stack.dynamodbEndpoint,
    s3: stack.s3Endpoint,
  });
  const lines = Object.entries(env).map(([name, value]) => `export ${name}=${value}\n`);
  fs.writeFileSync(path.join(dataDir, 'env.sh'), lines.join(''));
}

/** Resolves at the first signal to stop; `repeated` is called at the next one. */
function stopSignal(repeated: () => void): Promise<'stopped'> {
  return new Promise((resolve) => {
    let first = 0;
    const onSignal = (): void => {
      if (first === 0) {
        first = Date.now();
        resolve('stopped');
      } else if (Date.now() - first > SAME_SIGNAL_MS) repeated();
    };
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
    whenNpmIsGone(() => {
      if (first === 0) onSignal();
    });
  });
}

interface StatusSource {
  status(): Promise<PipelineStatus>;
}

/** The output: a live view on a terminal, lines elsewhere. */
class Screen {
  phase = '';
  readonly #dataDir: string;
  readonly #began: number;
  readonly #painter: Painter | null;
  #timer: NodeJS.Timeout | null = null;
  #source: StatusSource | null = null;
  #asking = false;
  readonly #lag = new Lag();
  #last: PipelineStatus | null = null;
  #console: string | null = null;
  #history: { at: number; made: number; archived: number }[] = [];

  constructor(dataDir: string, began: number) {
    this.#dataDir = dataDir;
    this.#began = began;
    // A dumb terminal cannot place the cursor.
    const isTerminal = process.stdout.isTTY && process.env.TERM !== 'dumb';
    this.#painter = isTerminal ? new Painter(process.stdout) : null;
  }

  say(line: string): void {
    if (this.#painter) this.#painter.say(line);
    else process.stdout.write(`${line}\n`);
  }

  /** Where the console's page is: a line of the live view, or of the output. */
  sayAddress(url: string): void {
    this.#console = url;
    if (!this.#painter) this.say(`console: ${url}`);
  }

  /** Shows this source from now on. */
  follow(source: StatusSource, phase: string): void {
    this.phase = phase;
    this.#source = source;
    this.#timer ??= setInterval(() => void this.#show(), this.#painter ? PAINT_MS : LINE_MS);
  }

  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#painter?.close();
  }

  async #show(): Promise<void> {
    // On a busy machine a status may take longer than the refresh interval.
    if (this.#asking || this.#source === null) return;
    this.#asking = true;
    const snapshot = this.#snapshot(await this.#source.status());
    this.#asking = false;
    if (this.#timer === null) return;
    if (this.#painter) this.#painter.paint((rows) => viewLines(snapshot, this.#dataDir, rows));
    else process.stdout.write(`${viewLine(snapshot)}\n`);
  }

  #snapshot(latest: PipelineStatus): Snapshot {
    // A process that has exited keeps its last status.
    const status = {
      ...latest,
      agent: latest.agent ?? this.#last?.agent ?? null,
      consumer: latest.consumer ?? this.#last?.consumer ?? null,
    };
    this.#last = status;
    const now = { at: Date.now(), made: status.demo.made, archived: status.consumer?.archived ?? 0 };
    this.#history.push(now);
    while (now.at - this.#history[0]!.at > RATE_WINDOW_MS && this.#history.length > 2) this.#history.shift();
    const then = this.#history[0]!;
    const span = Math.max(1, now.at - then.at) / 1000;
    return {
      ...status,
      elapsedMs: now.at - this.#began,
      made: Math.max(0, now.made - then.made) / span,
      archived: Math.max(0, now.archived - then.archived) / span,
      lagMs: this.#lag.update(now.at, now.made, now.archived),
      phase: this.phase,
      console: this.#console,
    };
  }
}

try {
  process.exitCode = await main(parseArguments(process.argv.slice(2)));
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof TailraceError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = exitCodeOf(error);
  } else throw error;
}
