/** The objects that a statement needs, and no others. */
import type { CatalogEntry } from '../../archive/catalog.ts';
import { type ArchivePlace, finalObjects, findObjects, type ShowProgress } from '../../archive/find.ts';
import { logFileOf } from '../../archive/logs-sql.ts';
import type { EventRange } from '../../archive/reading.ts';
import { type Box, isNeeded } from './predicate.ts';
import { type NeededTable, neededTables } from './tables.ts';

const HOUR_US = 3600e6;
const NO_END = 1e9;

export interface Chosen {
  /** Parquet objects in place of the data objects that they were made of. */
  readonly tables: readonly NeededTable[];
  readonly entries: readonly CatalogEntry[];
  /** Needed, but of commits that are not final. */
  readonly unfinished: readonly CatalogEntry[];
}

const NOTHING: Chosen = { tables: [], entries: [], unfinished: [] };

/** What the statement allows and the options ask for, together. */
export function narrowed(
  boxes: readonly Box[],
  tag: ((tag: string) => boolean) | undefined,
  range: EventRange | null,
): Box[] {
  return boxes.map((box) => ({
    tag: tag && box.tag ? (name) => tag(name) && box.tag!(name) : (tag ?? box.tag),
    time: range
      ? [Math.max(box.time[0], range.from * 1000), Math.min(box.time[1], range.to * 1000 + 999)]
      : box.time,
    hour: box.hour,
  }));
}

/** @param withTables whether Parquet objects are taken where there are any */
export async function chooseObjects(
  archive: ArchivePlace,
  boxes: readonly Box[],
  withTables: boolean,
  show: ShowProgress | undefined,
): Promise<Chosen> {
  const possible = boxes.filter(({ time, hour }) => time[0] <= time[1] && hour[0] <= hour[1]);
  if (possible.length === 0) return NOTHING;
  const firsts = possible.map(({ time, hour }) => Math.max(time[0], hour[0]));
  const lasts = possible.map(({ time, hour }) => Math.min(time[1], hour[1] + HOUR_US));
  const hours: [number, number] = [
    Math.max(0, Math.floor(Math.min(...firsts) / HOUR_US)),
    Math.min(NO_END, Math.floor(Math.max(...lasts) / HOUR_US)),
  ];
  if (hours[0] > hours[1]) return NOTHING;
  const isLimited = possible.every(({ tag }) => tag !== null);
  const tag = isLimited ? (name: string) => possible.some((box) => box.tag!(name)) : undefined;
  const tables = withTables ? await neededTables(archive, hours, possible) : [];
  const except = new Set(tables.flatMap(({ table }) => table.sources.map(({ key }) => key)));
  const found = await findObjects(archive, { tag, hours, except }, null, show);
  const needed = found.filter((entry) => isNeeded(logFileOf(entry.object), possible));
  return { tables, ...(await finalObjects(archive, needed)) };
}
