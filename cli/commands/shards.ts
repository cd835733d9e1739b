/** `tailrace shards`: shows how the shards of a stream are used, and changes their number or their borders. */
import { type KinesisClient, UpdateStreamWarmThroughputCommand } from '@aws-sdk/client-kinesis';
import { Argument, Command } from 'commander';
import { TailraceError } from '../../base/errors.ts';
import { plainLines } from '../../base/human.ts';
import { streamTarget } from '../../base/stream-target.ts';
import { changeBorders } from '../../functions/scale/change.ts';
import {
  middleOf,
  nextEvenStep,
  type OpenShard,
  type Reshard,
  shareOf,
  stepsToEven,
} from '../../functions/scale/layout.ts';
import { MOST_SHARDS, monthlyCost } from '../../functions/scale/rules.ts';
import { countArgument, endpointOption } from '../options.ts';
import {
  assertRoom,
  type Conduct,
  openShardsOf,
  planScale,
  reshard,
  scale,
  settled,
  stepText,
} from '../shards-change.ts';
import { type StreamOptions, withClient } from '../shards-client.ts';
import { showStream } from '../shards-show.ts';

interface ShardsOptions extends StreamOptions {
  readonly dryRun?: boolean;
  readonly emergency?: boolean;
  readonly sample?: string | true;
  readonly application?: string;
  readonly warm?: number;
}

/** Steps of a plan that are printed one by one. */
const STEPS_SHOWN = 20;
/** What continues a command that was stopped before its first change. */
const AGAIN = 'the same command';

const ACTIONS = ['show', 'scale', 'split', 'merge', 'even'] as const;

export function command(): Command {
  return new Command('shards')
    .description(
      "Show how a stream's shards are used, or change them. An interrupted change says how to continue it.",
    )
    .addArgument(
      new Argument(
        '[action]',
        'show the shards, change their number, split one, merge two, or make them the same size',
      )
        .choices(ACTIONS)
        .default('show'),
    )
    .argument('[value]', 'scale: 12, or x2 for twice as many; split, merge: a shard; even: how many shards')
    .requiredOption('--stream <name>', 'the Kinesis stream, or its ARN for one of another account')
    .option('--region <name>', "the stream's region")
    .addOption(endpointOption('URL of a Kinesis-compatible service'))
    .option(
      '--sample [seconds]',
      'show: measure the stream itself for this long (default: 10) instead of asking CloudWatch',
    )
    .option(
      '--application <name>',
      "show: the consumer's KCL application, whose lease table says how far it is",
    )
    .option('--dry-run', 'print the plan and change nothing')
    .option('--emergency', 'scale: also use the daily changes reserved for growth')
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
      if (value !== undefined) throw new TailraceError('CONFIG', `show ${value}: show takes no value`);
      return showStream(options, options.sample === undefined ? null : secondsOf(options.sample));
    case 'scale':
      return scaleStream(options.warm === undefined ? targetOf('scale', value ?? '') : null, options);
    case 'split':
      return once(options, (open) => splitOf(open, value));
    case 'merge':
      return once(options, (open) => mergeOf(open, value));
    case 'even':
      return makeEven(value === undefined ? (open) => open : targetOf('even', value), options);
  }
}

/** @throws TailraceError CONFIG for anything but 1 to 3600 */
function secondsOf(text: string | true): number {
  const seconds = text === true ? 10 : Number(text);
  if (!(seconds >= 1 && seconds <= 3600)) {
    throw new TailraceError('CONFIG', `--sample ${text}: expected 1 to 3600 seconds`);
  }
  return seconds;
}

async function scaleStream(target: Target | null, options: ShardsOptions): Promise<void> {
  await changing(options, async (kinesis, conduct) => {
    const { stream } = options;
    const summary = await settled(kinesis, stream, conduct);
    if (summary === null) return AGAIN;
    const isOnDemand = summary.StreamModeDetails?.StreamMode === 'ON_DEMAND';
    if (isOnDemand) return warm(kinesis, options);
    if (target === null) {
      throw new TailraceError(
        'CONFIG',
        `--warm is for on-demand streams, and ${stream} is provisioned: give a number of shards`,
      );
    }
    const open = summary.OpenShardCount!;
    const wanted = target(open);
    const plan = await planScale(kinesis, stream, open, wanted, options.emergency ?? false);
    if (plan.steps.length === 0) return said(`the stream has ${open} shards already\n`);
    const hours = summary.RetentionPeriodHours!;
    const cost = monthlyCost(wanted, hours) - monthlyCost(open, hours);
    write(
      `plan: ${[open, ...plan.steps].join(' → ')} shards, uses ${plan.steps.length} of the ${plan.changesLeft} changes left, ${cost < 0 ? '-' : '+'}$${Math.abs(Math.round(cost))} a month\n`,
    );
    if (options.dryRun) return null;
    const emergency = options.emergency ? ' --emergency' : '';
    // On the way there are other counts: a factor would mean something else then.
    const rest = `tailrace shards scale ${wanted} --stream ${stream}${emergency}`;
    if (plan.steps.length > 1) write(`if interrupted, continue with: ${rest}\n`);
    if (!(await scale(kinesis, stream, plan.steps, conduct))) return rest;
    return said('done\n');
  });
}

async function warm(kinesis: KinesisClient, { stream, warm, dryRun }: ShardsOptions): Promise<null> {
  if (warm === undefined) {
    throw new TailraceError(
      'CONFIG',
      `stream ${stream} is on demand and scales by itself; --warm sets its warm throughput where the account has committed to it`,
    );
  }
  if (dryRun) return said(`would set the warm throughput to ${warm} MiB/s\n`);
  await kinesis.send(
    new UpdateStreamWarmThroughputCommand({ ...streamTarget(stream), WarmThroughputMiBps: warm }),
  );
  return said(`the warm throughput is being set to ${warm} MiB/s\n`);
}

/** A number of shards, by the number that is there. */
type Target = (open: number) => number;

/** @throws TailraceError CONFIG when it is neither a number of shards nor a factor */
function targetOf(action: string, text: string): Target {
  const [, factor, number] = /^(?:x(\d+(?:\.\d+)?)|(\d+))$/.exec(text) ?? [];
  const asked = Number(factor ?? number);
  if (!(asked > 0)) {
    throw new TailraceError(
      'CONFIG',
      `${`${action} ${text}`.trim()}: expected a count such as 12, or a factor such as x2`,
    );
  }
  if (factor === undefined && asked > MOST_SHARDS) {
    throw new TailraceError('CONFIG', `${action} ${text}: a stream has at most ${MOST_SHARDS} shards`);
  }
  return (open) => (factor === undefined ? asked : Math.max(1, Math.round(open * asked)));
}

function indexOf(open: readonly OpenShard[], id: string): number {
  const index = open.findIndex((shard) => shard.id === id);
  if (index === -1) throw new TailraceError('CONFIG', `${id} is not an open shard of the stream`);
  return index;
}

function splitOf(open: readonly OpenShard[], id: string | undefined): Reshard {
  const largest = open.reduce((most, one) => (shareOf(one) > shareOf(most) ? one : most));
  const shard = id === undefined ? largest : open[indexOf(open, id)]!;
  return { kind: 'split', shard: shard.id, at: middleOf(shard) };
}

function mergeOf(open: readonly OpenShard[], id: string | undefined): Reshard {
  if (open.length < 2) throw new TailraceError('CONFIG', 'a stream needs at least one shard');
  const smallest = open.reduce((least, one) => (shareOf(one) < shareOf(least) ? one : least));
  const index = indexOf(open, id ?? smallest.id);
  const [before, after] = [open[index - 1], open[index + 1]];
  const first = after === undefined || (before && shareOf(before) < shareOf(after)) ? index - 1 : index;
  return { kind: 'merge', shard: open[first]!.id, with: open[first + 1]!.id };
}

/** One split or merge. */
async function once(options: ShardsOptions, step: (open: readonly OpenShard[]) => Reshard): Promise<void> {
  await changing(options, async (kinesis, conduct) => {
    const { stream } = options;
    if ((await settled(kinesis, stream, conduct)) === null) return AGAIN;
    const open = await openShardsOf(kinesis, stream);
    const planned = step(open);
    if (planned.kind === 'split') await assertRoom(kinesis, open.length, open.length + 1, 'the split');
    write(`plan: ${stepText(planned)}\n`);
    if (options.dryRun) return null;
    if (conduct.stopped()) return AGAIN;
    await changeBorders(kinesis, stream, planned, Date.now());
    await settled(kinesis, stream, { report: () => {}, stopped: () => false });
    return said('done\n');
  });
}

async function makeEven(target: Target, options: ShardsOptions): Promise<void> {
  await changing(options, async (kinesis, conduct) => {
    const { stream } = options;
    if ((await settled(kinesis, stream, conduct)) === null) return AGAIN;
    const open = await openShardsOf(kinesis, stream);
    const count = target(open.length);
    await assertRoom(kinesis, open.length, count, `${count} shards`);
    const steps = stepsToEven(open, count);
    if (steps.length === 0) return said(`the ${count} shards are even\n`);
    const splits = steps.filter(({ kind }) => kind === 'split').length;
    const most = open.length + splits;
    await assertRoom(kinesis, open.length, most, `${count} even shards need ${most} on the way`);
    const shown = steps.slice(0, STEPS_SHOWN).map(stepText);
    if (steps.length > STEPS_SHOWN) shown.push(`… and ${steps.length - STEPS_SHOWN} more`);
    write(
      `plan: ${steps.length} steps one after the other, with up to ${most} shards on the way\n      ${shown.join('\n      ')}\n`,
    );
    if (options.dryRun) return null;
    // In the middle there are more: whoever continues has to say how many there were.
    const rest = `tailrace shards even ${count} --stream ${stream}`;
    write(`if interrupted, continue with: ${rest}\n`);
    const next = (shards: readonly OpenShard[]) => nextEvenStep(shards, count);
    return (await reshard(kinesis, stream, next, conduct)) ? said('done\n') : rest;
  });
}

/**
 * A change that the first SIGINT or SIGTERM ends after the step that is under way.
 *
 * @param act returns the command that continues it when it was stopped, otherwise null
 */
async function changing(
  options: StreamOptions,
  act: (kinesis: KinesisClient, conduct: Conduct) => Promise<string | null>,
): Promise<void> {
  let stop = false;
  const onSignal = (): void => {
    stop = true;
    process.stderr.write('stopping after the change that is under way\n');
  };
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    await withClient(options, async (kinesis) => {
      const rest = await act(kinesis, { report: (line) => write(`${line}\n`), stopped: () => stop });
      if (rest === null) return;
      write(`stopped; continue with: ${rest}\n`);
      process.exitCode = 1;
    });
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function write(text: string): void {
  process.stdout.write(plainLines(text));
}

/** Writes the last words of a command that has nothing left to do. */
function said(text: string): null {
  write(text);
  return null;
}
