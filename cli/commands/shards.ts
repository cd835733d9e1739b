/** `tailrace shards`: shows how the shards of a stream are used, and changes their number or their borders. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  UpdateStreamWarmThroughputCommand,
} from '@aws-sdk/client-kinesis';
import { Argument, Command } from 'commander';
import { TailraceError } from '../../base/errors.ts';
import { plainLines } from '../../base/human.ts';
import { listShards } from '../../base/list-shards.ts';
import { readChanges } from '../../functions/scale/change-log.ts';
import {
  middleOf,
  nextEvenStep,
  type OpenShard,
  openShards,
  type Reshard,
  shareOf,
  stepsToEven,
} from '../../functions/scale/layout.ts';
import { changesOfDay, monthlyCost } from '../../functions/scale/rules.ts';
import { iteratorAge, type Rate, shardRates } from '../../functions/scale/traffic.ts';
import { countArgument } from '../options.ts';
import { openShardsOf, planScale, reshard, scale, stepText, summaryOf } from '../shards-change.ts';
import { type StreamView, viewText } from '../shards-view.ts';

interface StreamOptions {
  readonly stream: string;
  readonly region?: string;
  readonly endpoint?: string;
}
interface ShardsOptions extends StreamOptions {
  readonly dryRun?: boolean;
  readonly emergency?: boolean;
  readonly sample?: string | true;
  readonly warm?: number;
}

/** Minutes of CloudWatch that rates are averaged over. */
const MINUTES = 5;

const ACTIONS = ['show', 'scale', 'split', 'merge', 'even'] as const;

export function command(): Command {
  return new Command('shards')
    .description(
      "Show how a stream's shards are used, or change them. An interrupted change continues when the command is rerun.",
    )
    .addArgument(
      new Argument('[action]', 'show the shards, change their number, split, merge or even them')
        .choices(ACTIONS)
        .default('show'),
    )
    .argument('[value]', 'scale: 12, or x2 for twice as many; split, merge: a shard; even: how many shards')
    .requiredOption('--stream <name>', 'the Kinesis stream')
    .option('--region <name>', "the stream's region")
    .option('--endpoint <url>', 'URL of a Kinesis-compatible service')
    .option('--sample [seconds]', 'show: measure from the stream itself instead of CloudWatch')
    .option('--dry-run', 'print the plan and change nothing')
    .option('--emergency', 'scale: also use the changes of the day that are kept for growth')
    .option('--warm <MiB/s>', 'scale, of an on-demand stream: set its warm throughput', countArgument)
    .addHelpText(
      'after',
      '\nThe service allows 10 changes of the count in 24 hours, each to at most double and at least half. Splits and merges do not count.\nExit codes: 0 done, 1 stopped by a signal before the end, 2 bad usage, a limit, or the stream cannot be used.',
    )
    .action(run);
}

async function run(
  action: (typeof ACTIONS)[number],
  value: string | undefined,
  options: ShardsOptions,
): Promise<void> {
  switch (action) {
    case 'show':
      return showStream(options);
    case 'scale':
      return scaleStream(value ?? '', options);
    case 'split':
      return once(options, (open) => splitOf(open, value));
    case 'merge':
      return once(options, (open) => mergeOf(open, value));
    case 'even':
      return makeEven(value, options);
  }
}

function clientOf({ region, endpoint }: StreamOptions): KinesisClient {
  return new KinesisClient({
    region: region ?? process.env.AWS_REGION ?? 'us-east-1',
    ...(endpoint === undefined ? {} : { endpoint }),
  });
}

async function withClient(
  options: StreamOptions,
  act: (kinesis: KinesisClient) => Promise<void>,
): Promise<void> {
  const kinesis = clientOf(options);
  try {
    await act(kinesis);
  } catch (error) {
    if (error instanceof TailraceError) throw error;
    const { name, message } = error as Error;
    throw new TailraceError('STREAM', `stream ${options.stream}: ${name}: ${message}`, { cause: error });
  } finally {
    kinesis.destroy();
  }
}

async function showStream(options: ShardsOptions): Promise<void> {
  await withClient(options, async (kinesis) => {
    const { stream, sample } = options;
    const summary = await summaryOf(kinesis, stream);
    const all = await listShards(stream, (request) => kinesis.send(request));
    const open = openShards(all);
    const measured =
      sample === undefined
        ? await fromCloudWatch(options, open)
        : await fromStream(kinesis, stream, open, sample === true ? 10 : secondsOf(sample));
    const view: StreamView = {
      stream,
      mode: summary.StreamModeDetails?.StreamMode ?? 'PROVISIONED',
      status: summary.StreamStatus!,
      retentionHours: summary.RetentionPeriodHours!,
      open,
      closed: all.length - open.length,
      changesUsed: changesOfDay(await readChanges(kinesis, stream), Date.now()).length,
      ...measured,
    };
    write(viewText(view));
  });
}

type Measured = Pick<StreamView, 'rates' | 'source' | 'lag'>;

async function fromCloudWatch(options: StreamOptions, open: readonly OpenShard[]): Promise<Measured> {
  const cloudWatch = new CloudWatchClient({
    region: options.region ?? process.env.AWS_REGION ?? 'us-east-1',
    maxAttempts: 2,
  });
  try {
    const ids = open.map(({ id }) => id);
    const rates = await shardRates(cloudWatch, options.stream, ids, MINUTES, Date.now());
    const source =
      rates.size > 0
        ? `CloudWatch, the last ${MINUTES} minutes`
        : 'CloudWatch does not measure single shards (enhanced monitoring is off); --sample measures from the stream';
    return { rates, source, lag: await iteratorAge(cloudWatch, options.stream, MINUTES, Date.now()) };
  } catch (error) {
    const source = `cannot reach CloudWatch (${(error as Error).message}); --sample measures from the stream`;
    return { rates: new Map(), source, lag: null };
  } finally {
    cloudWatch.destroy();
  }
}

/** Reads what comes in during so many seconds; a read of a shard counts towards its five a second. */
async function fromStream(
  kinesis: KinesisClient,
  stream: string,
  open: readonly OpenShard[],
  seconds: number,
): Promise<Measured> {
  const iterators = new Map<string, string>();
  for (const { id } of open) {
    const { ShardIterator } = await kinesis.send(
      new GetShardIteratorCommand({ StreamName: stream, ShardId: id, ShardIteratorType: 'LATEST' }),
    );
    iterators.set(id, ShardIterator!);
  }
  const from = Date.now();
  const totals = new Map(open.map(({ id }) => [id, { bytes: 0, records: 0, refused: 0 }]));
  while (Date.now() < from + seconds * 1000) {
    await sleep(1000);
    for (const [shard, ShardIterator] of iterators) {
      const { Records = [], NextShardIterator } = await kinesis.send(
        new GetRecordsCommand({ ShardIterator }),
      );
      const total = totals.get(shard)!;
      total.records += Records.length;
      for (const { Data, PartitionKey } of Records) total.bytes += Data!.length + PartitionKey!.length;
      if (NextShardIterator) iterators.set(shard, NextShardIterator);
      else iterators.delete(shard);
    }
  }
  const elapsed = (Date.now() - from) / 1000;
  const rates = new Map<string, Rate>(
    [...totals].map(([shard, { bytes, records }]) => [
      shard,
      { bytes: bytes / elapsed, records: records / elapsed, refused: 0 },
    ]),
  );
  return { rates, source: `the stream itself, ${Math.round(elapsed)} s`, lag: null };
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 1 && seconds <= 3600)) {
    throw new TailraceError('CONFIG', `--sample ${text}: expected 1 to 3600 seconds`);
  }
  return seconds;
}

async function scaleStream(text: string, options: ShardsOptions): Promise<void> {
  await withClient(options, async (kinesis) => {
    const { stream } = options;
    const summary = await summaryOf(kinesis, stream);
    if (summary.StreamModeDetails?.StreamMode === 'ON_DEMAND') {
      if (options.warm === undefined) {
        throw new TailraceError(
          'CONFIG',
          `stream ${stream} is on demand and scales by itself; --warm sets its warm throughput where the account has committed to it`,
        );
      }
      if (options.dryRun) return write(`would set the warm throughput to ${options.warm} MiB/s\n`);
      await kinesis.send(
        new UpdateStreamWarmThroughputCommand({ StreamName: stream, WarmThroughputMiBps: options.warm }),
      );
      return write(`the warm throughput is being set to ${options.warm} MiB/s\n`);
    }
    const target = targetOf(text, summary.OpenShardCount!);
    const plan = await planScale(kinesis, stream, target, options.emergency ?? false);
    if (plan.steps.length === 0) return write(`the stream has ${target} shards already\n`);
    const hours = summary.RetentionPeriodHours!;
    const cost = monthlyCost(target, hours) - monthlyCost(plan.open, hours);
    write(
      `plan: ${[plan.open, ...plan.steps].join(' → ')} shards, ${plan.steps.length} of ${plan.changesLeft} changes left, ${cost < 0 ? '-' : '+'}$${Math.abs(Math.round(cost))} a month\n`,
    );
    if (options.dryRun) return;
    await interruptible((stopped) => scale(kinesis, stream, plan, (line) => write(`${line}\n`), stopped));
  });
}

/** @throws TailraceError CONFIG when it is neither a number of shards nor a factor */
function targetOf(text: string, open: number): number {
  const [, factor, number] = /^(?:x(\d+(?:\.\d+)?)|(\d+))$/.exec(text) ?? [];
  const target = factor === undefined ? Number(number) : Math.round(open * Number(factor));
  if (!(target >= 1))
    throw new TailraceError('CONFIG', `scale ${text}: expected a count such as 12, or a factor such as x2`);
  return target;
}

function shardOf(open: readonly OpenShard[], id: string): number {
  const index = open.findIndex((shard) => shard.id === id);
  if (index === -1) throw new TailraceError('CONFIG', `${id} is not an open shard of the stream`);
  return index;
}

function splitOf(open: readonly OpenShard[], id: string | undefined): Reshard {
  const largest = open.reduce((most, one) => (shareOf(one) > shareOf(most) ? one : most));
  const shard = id === undefined ? largest : open[shardOf(open, id)]!;
  return { kind: 'split', shard: shard.id, at: middleOf(shard) };
}

function mergeOf(open: readonly OpenShard[], id: string | undefined): Reshard {
  if (open.length < 2) throw new TailraceError('CONFIG', 'a stream needs at least one shard');
  const smallest = open.reduce((least, one) => (shareOf(one) < shareOf(least) ? one : least));
  const index = shardOf(open, id ?? smallest.id);
  const [before, after] = [open[index - 1], open[index + 1]];
  const first = after === undefined || (before && shareOf(before) < shareOf(after)) ? index - 1 : index;
  return { kind: 'merge', shard: open[first]!.id, with: open[first + 1]!.id };
}

/** One split or merge. */
async function once(options: ShardsOptions, step: (open: readonly OpenShard[]) => Reshard): Promise<void> {
  await withClient(options, async (kinesis) => {
    const planned = step(await openShardsOf(kinesis, options.stream));
    write(`plan: ${stepText(planned)}\n`);
    if (options.dryRun) return;
    const next = (_: readonly OpenShard[], done: number) => (done === 0 ? planned : null);
    await interruptible((stopped) => reshard(kinesis, options.stream, next, () => {}, stopped));
  });
}

async function makeEven(value: string | undefined, options: ShardsOptions): Promise<void> {
  await withClient(options, async (kinesis) => {
    const open = await openShardsOf(kinesis, options.stream);
    const count = value === undefined ? open.length : targetOf(value, open.length);
    const steps = stepsToEven(open, count);
    if (steps.length === 0) return write(`the ${count} shards are even\n`);
    write(`plan: ${steps.map(stepText).join('\n      ')}\n`);
    if (options.dryRun) return;
    // In the middle there are more: whoever continues has to say how many there were.
    write(`if interrupted, continue with: tailrace shards even ${count} --stream ${options.stream}\n`);
    const next = (shards: readonly OpenShard[]) => nextEvenStep(shards, count);
    await interruptible((stopped) =>
      reshard(kinesis, options.stream, next, (line) => write(`${line} …\n`), stopped),
    );
  });
}

/** The first SIGINT or SIGTERM ends the command after the step that is under way. */
async function interruptible(act: (stopped: () => boolean) => Promise<boolean>): Promise<void> {
  let stop = false;
  const onSignal = (): void => {
    stop = true;
    process.stderr.write('stopping after the change that is under way\n');
  };
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const done = await act(() => stop);
  process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  write(done ? 'done\n' : 'stopped; rerun the command to continue\n');
  if (!done) process.exitCode = 1;
}

function write(text: string): void {
  process.stdout.write(plainLines(text));
}
