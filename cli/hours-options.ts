/** The options that say when an hour is closed, and of which hours a command speaks. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { HoursPolicy } from '../archive/hours/judge.ts';
import { DEFAULT_HOURS_POLICY } from '../archive/hours/policy.ts';
import { TailraceError } from '../base/errors.ts';
import { hoursOf, type TimeOptions, timesOf } from './archive-range.ts';
import { collect, durationOption } from './options.ts';

export interface ClosingOptions {
  readonly lateness: number;
  readonly silentAfter: number;
  readonly gone?: readonly string[];
}

const MOST_HOURS = 24 * 366;

export function withHoursOptions(command: Command): Command {
  return command
    .addOption(
      durationOption(
        '--lateness <duration>',
        'events that reach their agent within this time after their hour are in time',
        '10m',
      ),
    )
    .addOption(
      durationOption(
        '--silent-after <duration>',
        'producers silent for this long before an hour began do not keep it open',
        '24h',
      ),
    )
    .addOption(
      new Option(
        '--gone <id>',
        'do not wait for producers whose id begins with this; may be repeated',
      ).argParser(goneArgument),
    );
}

export function policyOf({ lateness, silentAfter, gone = [] }: ClosingOptions, now: number): HoursPolicy {
  const isGone = (producer: string): boolean => gone.some((id) => producer.startsWith(id));
  return { ...DEFAULT_HOURS_POLICY, now, lateness, silentAfter, isGone };
}

function goneArgument(text: string, before?: readonly string[]): readonly string[] {
  if (!/^[0-9a-f]{1,32}$/.test(text))
    throw new InvalidArgumentError(
      'Expected the first digits of an id, as `tailrace hours --json` prints it.',
    );
  return collect(text, before);
}

/**
 * What was declared gone and is not the id of a producer in these hours: a typing error, most likely.
 *
 * @param without the producers that hours were not kept open for
 */
export function unknownGone(
  { gone = [] }: Pick<ClosingOptions, 'gone'>,
  without: ReadonlySet<string>,
): string {
  const unknown = gone.filter((id) => ![...without].some((producer) => producer.startsWith(id)));
  return unknown.map((id) => `--gone ${id}: no producer of these hours has an id that begins so\n`).join('');
}

/**
 * First and last hour, since 1970.
 *
 * @param usual without a range, so many milliseconds up to now
 * @throws TailraceError CONFIG for a range without a beginning, or of more than a year
 */
export function hoursOfRange(options: TimeOptions, now: number, usual: number): readonly [number, number] {
  const times = timesOf(options, now) ?? { from: now - usual, to: now };
  const [from, to] = hoursOf({ from: times.from, to: Math.min(times.to, now) });
  if (times.from === 0) throw new TailraceError('CONFIG', 'name the first hour with --from');
  if (to - from >= MOST_HOURS)
    throw new TailraceError('CONFIG', 'the range is longer than a year: name a shorter one');
  return [from, to];
}
