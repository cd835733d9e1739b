/** The peers' table: medians with their range, and how our agent compares. */
import type { Measurement, StartMeasurement } from './peers-measure.ts';

/** Of one figure over all rounds. */
export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

export type Figures = Readonly<Record<Exclude<keyof Measurement, 'ackMs'>, Spread>> & {
  /** Null without acks. */
  readonly ackMs: Spread | null;
};
export type StartFigures = Readonly<Record<keyof StartMeasurement, Spread>>;

export interface RowResult {
  readonly name: string;
  /** By program. */
  readonly figures: Readonly<Record<string, Figures>>;
}

export interface Table {
  /** Ours first. */
  readonly programs: readonly string[];
  readonly rows: readonly RowResult[];
  readonly start: Readonly<Record<string, StartFigures>>;
}

/** Whoever begins a turn ends the next one. */
export function inTurn<T>(programs: readonly T[], turn: number): readonly T[] {
  return turn % 2 === 0 ? programs : programs.toReversed();
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median: digits(median), lowest: digits(sorted[0]!), highest: digits(sorted.at(-1)!) };
}

export function figuresOf(measured: readonly Measurement[]): Figures {
  const of = (key: keyof Measurement): Spread | null => {
    const values = measured.map((one) => one[key]).filter((value) => value !== null);
    return values.length === 0 ? null : spread(values);
  };
  return {
    warm: of('warm')!,
    whole: of('whole')!,
    peakMiB: of('peakMiB')!,
    putUnits: of('putUnits')!,
    seconds: of('seconds')!,
    ackMs: of('ackMs'),
  };
}

/** The ratio of ours to another program's: above 1, ours is better. */
export function ratio(ours: Spread, others: Spread, higherIsBetter: boolean): number {
  const [over, under] = higherIsBetter ? [ours, others] : [others, ours];
  return Math.round((over.median / under.median) * 100) / 100;
}

/** In Markdown; each figure as its median with the range behind it. */
export function render({ programs, rows, start }: Table): string {
  const [ours, ...others] = programs;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const compared = (get: (program: string) => Spread | null, higherIsBetter: boolean): string[] => {
    const own = get(ours!);
    return [
      own === null ? '' : text(own),
      ...others.flatMap((other) => {
        const theirs = get(other);
        if (own === null || theirs === null) return ['', ''];
        return [text(theirs), String(ratio(own, theirs, higherIsBetter))];
      }),
    ];
  };
  const head = ['', ours!, ...others.flatMap((other) => [other, 'ratio'])];
  const lines = [line(head), line(head.map(() => '---'))];
  const metrics: readonly [keyof Measurement, string, boolean][] = [
    ['warm', 'thousand events per CPU second', true],
    ['whole', 'the same with the start', true],
    ['putUnits', 'PUT units a million', false],
    ['peakMiB', 'most MiB resident', false],
  ];
  for (const { name, figures } of rows) {
    for (const [key, what, higherIsBetter] of metrics) {
      lines.push(
        line([`${name}: ${what}`, ...compared((program) => figures[program]![key], higherIsBetter)]),
      );
    }
    if (figures[ours!]!.ackMs === null) continue;
    lines.push(
      line([`${name}: seconds until the last ack`, ...compared((p) => figures[p]!.seconds, false)]),
      line([`${name}: ack in ms, p50`, ...compared((p) => figures[p]!.ackMs, false)]),
    );
  }
  if (Object.keys(start).length > 0) {
    lines.push(
      line(['start: CPU seconds', ...compared((program) => start[program]!.cpuSeconds, false)]),
      line(['start: MiB resident at rest', ...compared((program) => start[program]!.restMiB, false)]),
    );
  }
  return `${lines.join('\n')}\n`;
}

function text({ median, lowest, highest }: Spread): string {
  if (lowest === highest) return format(median);
  return `**${format(median)}** (${format(lowest)} to ${format(highest)})`;
}

function format(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 });
}

/** Three significant digits, or all of a larger number's. */
function digits(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}
