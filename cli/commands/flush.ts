/** `tailrace flush`: makes the running agent read, seal and send everything it holds. */
import { join } from 'node:path';
import { Command } from 'commander';
import type * as z from 'zod/mini';
import { TailraceError } from '../../base/errors.ts';
import { bytes, count, plain, plainLines } from '../../base/human.ts';
import { ask, flushAnswer, MAX_FLUSH_MS } from '../../producer/control/protocol.ts';
import { type Flushed, nothingRemains, type Remaining } from '../../producer/flush/flush.ts';
import { ConfigError } from '../config.ts';
import { configOption, stateOption, timeoutOption } from '../options.ts';
import { stateDirectory } from '../state-directory.ts';

export function command(): Command {
  return new Command('flush')
    .description('Read every input to its end and wait until Kinesis has acknowledged everything.')
    .addOption(stateOption())
    .addOption(configOption('agent.yaml, to find the state directory'))
    .addOption(timeoutOption('give up after this time', '10m'))
    .option('-q, --quiet', 'print only the result')
    .addHelpText(
      'after',
      '\nWhatever is left at the timeout goes to the spill bucket if the configuration names one.\nExit codes: 0 nothing is left, 1 no agent responded, 2 bad usage, 3 something is left.',
    )
    .action(run);
}

interface Options {
  readonly state?: string;
  readonly config?: string;
  readonly timeout: number;
  readonly quiet?: true;
}

async function run({ timeout, quiet, ...where }: Options): Promise<void> {
  const state = stateDirectory(where);
  if (timeout > MAX_FLUSH_MS) throw new ConfigError('--timeout: expected at most 24h');
  let last: Remaining | null = null;
  for await (const line of ask(state, { command: 'flush', timeout_ms: timeout })) {
    const answer = answerOf(line);
    if ('done' in answer) {
      conclude(answer, state);
      return;
    }
    if ('error' in answer) throw new TailraceError('FLUSH', answer.error);
    if ('state' in answer) throw new TailraceError('FLUSH', 'the agent is still starting; retry in a moment');
    const { remaining } = answer;
    if (!quiet && !same(last, remaining)) say(`remaining: ${describe(remaining)}`);
    last = remaining;
  }
  throw new TailraceError(
    'FLUSH',
    'the agent exited before the flush finished; its spool keeps what was left',
  );
}

function answerOf(line: unknown): z.output<typeof flushAnswer> {
  const result = flushAnswer.safeParse(line);
  if (result.success) return result.data;
  throw new TailraceError('FLUSH', 'the agent is of another release: flush with its own tailrace command');
}

function conclude({ remaining, spilled }: Flushed, state: string): void {
  if (nothingRemains(remaining)) {
    say('nothing is left');
    return;
  }
  say(`left: ${describe(remaining)}`);
  const spool = join(state, 'spool');
  if (remaining.chunks > 0) say(`kept in ${plain(spool)}, sent as soon as the stream accepts it`);
  if (remaining.quarantined > 0) say(`put aside in ${plain(join(spool, 'quarantine'))}, for people`);
  if (spilled) {
    const { objects, chunks, missing, place, error } = spilled;
    say(`spilled: ${count(chunks)} chunks in ${count(objects)} objects under ${plain(place)}`);
    if (missing > 0) say(`not spilled: ${count(missing)} chunks`);
    if (error !== null) say(plain(error));
  }
  process.exitCode = 3;
}

function describe({ chunks, bytes: size, quarantined, unread }: Remaining): string {
  const parts = [`${count(chunks)} chunks, ${bytes(size)} in the spool`];
  if (quarantined > 0) parts.push(`${count(quarantined)} damaged ranges in quarantine`);
  if (unread.length > 0) parts.push(`not read to the end: ${unread.map(plain).join(', ')}`);
  return parts.join('; ');
}

function same(a: Remaining | null, b: Remaining): boolean {
  return a !== null && JSON.stringify(a) === JSON.stringify(b);
}

function say(line: string): void {
  process.stderr.write(`${plainLines(line)}\n`);
}
