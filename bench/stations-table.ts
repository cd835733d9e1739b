/** The table of stations: what each costs, and how that compares with the committed baseline. */
import type { Spread } from './peers-table.ts';

/** A station that was measured, alone or as part of the whole agent. */
export interface Station {
  readonly name: string;
  /** CPU seconds of a million events. */
  readonly seconds: Spread;
  /** The same of zstd level 1 alone over their NDJSON, and how many times that the station takes. */
  readonly bare: number;
  readonly ratio: Spread;
  readonly peakMiB?: number;
  /** CPU seconds of the peer for the same. */
  readonly peer?: Spread;
}

/** bench/baseline.json: ratios, because they hold on other machines as well, unlike seconds. */
export interface Baseline {
  readonly node: string;
  readonly ratios: Readonly<Record<string, Spread>>;
}

/** A median that differs by less is noise, whatever the ranges say. */
const NOISE = 0.05;

/**
 * How a station compares with its baseline.
 *
 * @returns `worse` or `better` only where the ranges of both do not meet and the medians differ by more than noise
 */
export function verdict(now: Spread, baseline: Spread | undefined): 'worse' | 'better' | 'same' | 'new' {
  if (baseline === undefined) return 'new';
  const change = now.median / baseline.median - 1;
  if (change > NOISE && now.lowest > baseline.highest) return 'worse';
  if (change < -NOISE && now.highest < baseline.lowest) return 'better';
  return 'same';
}

/** As text with a column for each figure; a line a station, and one for each that became worse. */
export function renderStations(stations: readonly Station[], { ratios }: Baseline): string {
  const peers = stations.some(({ peer }) => peer !== undefined);
  const head = ['CPU seconds of a million events', 'median', 'range', 'x zstd', 'baseline', 'now / baseline'];
  const rows = stations.map(({ name, seconds, ratio, peer }) => {
    const baseline = ratios[name];
    const change = baseline === undefined ? '' : (ratio.median / baseline.median).toFixed(2);
    const word = verdict(ratio, baseline);
    return [
      name,
      seconds.median.toFixed(2),
      `${seconds.lowest.toFixed(2)} to ${seconds.highest.toFixed(2)}`,
      ratio.median.toFixed(2),
      baseline?.median.toFixed(2) ?? '',
      word === 'same' ? change : `${change} ${word}`.trim(),
      ...(peers
        ? [peer?.median.toFixed(2) ?? '', peer ? (peer.median / seconds.median).toFixed(2) : '']
        : []),
    ];
  });
  const all = [[...head, ...(peers ? ['Fluent Bit', 'theirs / ours'] : [])], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  const worse = stations.filter(({ name, ratio }) => verdict(ratio, ratios[name]) === 'worse');
  return `${[...lines, '', summary(worse)].join('\n')}\n`;
}

function summary(worse: readonly Station[]): string {
  if (worse.length === 0) return 'No station is worse than its baseline by more than the noise.';
  return `Worse than the baseline by more than the noise: ${worse.map(({ name }) => name).join('; ')}.`;
}
