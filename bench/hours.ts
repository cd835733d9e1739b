/**
 * Measures what finding costs in large archives: the objects of one hour among 20,000 commits, for `cat`, and the lines of
 * `ls --hours` for a year of 16 shards. The archives are computed, so no time is S3's: requests are counted instead.
 * Bare cost: the same hour from all commits.
 */
import { Catalog } from '../archive/catalog.ts';
import { DEFAULT_KEY_TEMPLATE } from '../archive/commit-keys.ts';
import { findObjects, summarize } from '../archive/find.ts';
import type { BenchResult } from './run.ts';
import { SeededArchive } from './seeded-archive.ts';

const FIRST_HOUR = 494_000;
const SHARDS = 16;
const COMMITS = 20_000;
const PER_HOUR = 12 * SHARDS;
const YEAR_HOURS = 365 * 24;

export async function run(): Promise<BenchResult> {
  const hours = Math.ceil(COMMITS / PER_HOUR);
  const wanted = { hours: [FIRST_HOUR + 50, FIRST_HOUR + 50] as [number, number] };
  const archive = new SeededArchive(FIRST_HOUR, hours, SHARDS);
  archive.prepare();
  const place = { store: archive, prefix: '', keyTemplate: DEFAULT_KEY_TEMPLATE };
  const all = await timed(archive, () => new Catalog(archive, '').next(wanted, true));
  const hour = await timed(archive, () => findObjects(place, wanted, null, undefined));
  const listed = await timed(archive, async () => {
    let objects = 0;
    await summarize(place, wanted, undefined, () => objects++);
    return { length: objects };
  });
  if (hour.found !== PER_HOUR || all.found !== PER_HOUR || listed.found !== PER_HOUR)
    throw new Error(`${hour.found}, ${all.found} and ${listed.found} objects instead of ${PER_HOUR}`);

  const year = new SeededArchive(FIRST_HOUR, YEAR_HOURS, SHARDS);
  const listing = await timed(year, async () => {
    const byHour = new Map<number, number>();
    const whole = { store: year, prefix: '', keyTemplate: DEFAULT_KEY_TEMPLATE };
    const range = { hours: [0, 1e9] as [number, number] };
    await summarize(whole, range, undefined, (object) => {
      byHour.set(object.hour, (byHour.get(object.hour) ?? 0) + object.events);
    });
    return { length: byHour.size };
  });
  if (listing.found !== YEAR_HOURS) throw new Error(`${listing.found} hours in a year of ${YEAR_HOURS}`);
  process.stderr.write(
    `an hour among ${archive.commits} commits: ${text(all)} by all commits, ${text(hour)} by keys (cat), ${text(listed)} (ls); ` +
      `ls --hours of a year, ${year.commits} objects: ${text(listing)}\n`,
  );
  return {
    bench: 'hours',
    value: Math.round(listing.seconds * 10) / 10,
    unit: 's for ls --hours of a year of 16 shards',
    bare: Math.round(all.cpu * 1000) / 1000,
    ratio: Math.round((hour.cpu / all.cpu) * 1000) / 1000,
    rssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

interface Timed {
  readonly found: number;
  readonly seconds: number;
  readonly cpu: number;
  readonly requests: number;
}

async function timed(archive: SeededArchive, work: () => Promise<{ length: number }>): Promise<Timed> {
  const { requests } = archive;
  const [at, before] = [performance.now(), process.cpuUsage()];
  const { length: found } = await work();
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - at) / 1000;
  return { found, seconds, cpu: (user + system) / 1e6, requests: archive.requests - requests };
}

function text({ seconds, cpu, requests }: Timed): string {
  return `${seconds.toFixed(2)} s (${cpu.toFixed(2)} s CPU, ${requests} requests)`;
}
