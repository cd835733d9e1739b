/** `npm run simulate:year`: the keeper of shards through a year of traffic, against other ways to size a stream; docs/shards.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeeperPolicy } from '../../functions/scale/keeper.ts';
import { SHARD_BYTES, SHARD_HOUR } from '../../functions/scale/rules.ts';
import {
  fixed,
  follow,
  ORDINARY,
  type Outcome,
  perfectForecast,
  type YearOptions,
  yearOfTraffic,
} from './traffic.ts';

const DOCS = join(import.meta.dirname, '..', '..', 'docs');
const POLICY: KeeperPolicy = {
  minimum: 2,
  maximum: 1000,
  ceiling: null,
  retentionHours: 24,
  target: 0.92,
};
/** Dollars, list prices of us-east-1 as docs/deploy.md assumes them: a million put units of 25 KiB, and on demand. */
const PUT_UNITS = 0.014;
const ON_DEMAND = { hour: 0.04, in: 0.08, out: 0.04 };

interface Row {
  readonly name: string;
  readonly shardHours: number | null;
  readonly throttledSeconds: number | null;
  readonly dollars: number;
  readonly changes: number | null;
}

function rowsOf(load: Float64Array, ours: Outcome, perfect: Outcome): Row[] {
  const bytes = load.reduce((sum, shards) => sum + shards * 60 * SHARD_BYTES, 0);
  const puts = (bytes / 25_600 / 1e6) * PUT_UNITS;
  const row = (name: string, { shardHours, throttledSeconds, changes }: Outcome): Row => ({
    name,
    shardHours,
    throttledSeconds,
    dollars: shardHours * SHARD_HOUR + puts,
    changes,
  });
  const sorted = load.toSorted();
  const ordinary = Math.ceil(sorted[Math.floor(load.length * 0.999)]! / POLICY.target);
  const gigabytes = bytes / 1e9;
  return [
    row('perfect forecast', perfect),
    row('the keeper', ours),
    row(`fixed, for 99.9 % of the minutes (${ordinary})`, fixed(load, ordinary)),
    row(`fixed, for the highest peak (${perfect.most})`, fixed(load, perfect.most)),
    {
      name: 'on demand',
      shardHours: null,
      throttledSeconds: null,
      dollars: (load.length / 60) * ON_DEMAND.hour + gigabytes * (ON_DEMAND.in + ON_DEMAND.out),
      changes: null,
    },
  ];
}

const number = (value: number): string => Math.round(value).toLocaleString('en-US');

function table(rows: readonly Row[], minutes: number): string {
  const perfect = rows[0]!;
  const lines = rows.map(({ name, shardHours, throttledSeconds, dollars, changes }) => {
    const cells = [
      name,
      shardHours === null ? '' : number(shardHours),
      shardHours === null ? '' : (shardHours / perfect.shardHours!).toFixed(2),
      throttledSeconds === null ? '' : number(throttledSeconds),
      throttledSeconds === null ? '' : `${((throttledSeconds / minutes / 60) * 100).toFixed(3)} %`,
      changes === null ? '' : (changes / (minutes / 1440)).toFixed(1),
      number(dollars),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| | shard hours | × perfect | throttled seconds | of the year | changes a day | dollars a year |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}

/** Two plots: a fortnight by the hour with a spike in it, and the year by the day. */
function plot(load: Float64Array, ours: Outcome, perfect: Outcome): string {
  const spike = load.indexOf(load.reduce((most, shards) => Math.max(most, shards)));
  const from = Math.max(0, Math.min(Math.floor(spike / 1440) - 6, load.length / 1440 - 14)) * 24;
  const fortnight = (values: readonly number[]): number[] => values.slice(from, from + 14 * 24);
  const daily = (values: readonly number[]): number[] =>
    Array.from({ length: values.length / 24 }, (_, day) => {
      const hours = values.slice(day * 24, day * 24 + 24);
      return hours.reduce((a, b) => a + b, 0) / 24;
    });
  const panel = (top: number, title: string, lines: [string, number[]][], most: number): string => {
    const point = (values: number[]) => (value: number, i: number) =>
      `${(60 + (i / (values.length - 1)) * 820).toFixed(1)},${(top + 180 - (Math.min(value, most) / most) * 160).toFixed(1)}`;
    const paths = lines.map(
      ([color, values]) =>
        `<polyline fill="none" stroke="${color}" stroke-width="1.3" points="${values.map(point(values)).join(' ')}"/>`,
    );
    return `<text x="60" y="${top + 12}">${title}</text><text x="52" y="${top + 26}" text-anchor="end">${Math.round(most)}</text><text x="52" y="${top + 182}" text-anchor="end">0</text><path d="M60 ${top + 20}V${top + 180}H880" fill="none" stroke="#999"/>${paths.join('')}`;
  };
  const [a, b] = [fortnight(ours.hourly), fortnight(perfect.hourly)];
  const [c, d] = [daily(ours.hourly), daily(perfect.hourly)];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="900" height="440" font-family="sans-serif" font-size="12"><title>Open shards of the keeper and of a perfect forecast</title>
<rect width="900" height="440" fill="#fff"/>
${panel(
  10,
  'Open shards by the hour, a fortnight with the highest spike (cut off at 120)',
  [
    ['#d55', a],
    ['#47a', b],
  ],
  120,
)}
${panel(
  215,
  'Open shards by the day, the year',
  [
    ['#d55', c],
    ['#47a', d],
  ],
  Math.max(...c, ...d),
)}
<text x="60" y="428" fill="#d55">the keeper</text><text x="140" y="428" fill="#47a">perfect forecast</text>
</svg>
`;
}

function year(options: YearOptions): { load: Float64Array; ours: Outcome; perfect: Outcome } {
  const load = yearOfTraffic(options);
  return {
    load,
    ours: follow(load, POLICY, Math.ceil(load[0]! / POLICY.target), options.seed),
    perfect: perfectForecast(load, POLICY.minimum),
  };
}

/** What the keeper aims at: so many times the shard hours of a perfect forecast, and so much of the year throttled. */
const MOST_COST = 1.3;
const MOST_THROTTLED = 0.001;

const sections: string[] = [];
for (const spikes of [0, 6, 12]) {
  const { load, ours, perfect } = year({ ...ORDINARY, spikes });
  const cost = ours.shardHours / perfect.shardHours;
  const throttled = ours.throttledSeconds / (load.length * 60);
  if (cost > MOST_COST || throttled > MOST_THROTTLED) {
    process.stderr.write(
      `${spikes} spikes: ${cost} times the cost, ${throttled} throttled: the aim is missed\n`,
    );
    process.exitCode = 1;
  }
  const title = spikes === 0 ? 'Without spikes' : `${spikes} spikes of ten times the load`;
  sections.push(`${title}:\n\n${table(rowsOf(load, ours, perfect), load.length)}`);
  if (spikes === ORDINARY.spikes) writeFileSync(join(DOCS, 'shards-year.svg'), plot(load, ours, perfect));
}
const document = join(DOCS, 'shards.md');
const [head, , tail] = readFileSync(document, 'utf8').split(/<!-- (?:year|end of the year) -->\n/);
writeFileSync(
  document,
  `${head}<!-- year -->\n${sections.join('\n\n')}\n\n<!-- end of the year -->\n${tail}`,
);
process.stdout.write(`${sections.join('\n\n')}\n`);
