/** Finds the objects that a command is asked for: by their keys where these say tag and hour, else by all commits. */
import { atOnce } from '../base/at-once.ts';
import { Catalog, type CatalogEntry, inOrder, isWhole } from './catalog.ts';
import { type Commit, CommitCorruptError } from './commit.ts';
import { commitKey } from './commit-keys.ts';
import { newestCommit, readCommit } from './commit-log.ts';
import { type ListableStore, type ListedObject, Listing } from './listing.ts';

/** Where an archive is, and how its keys are made. */
export interface ArchivePlace {
  readonly store: ListableStore;
  readonly prefix: string;
  readonly keyTemplate: string;
}

/** Shows `done of total what`. */
export type ShowProgress = (done: number, total: number, what: string) => void;

export interface Wanted {
  readonly tag?: ((tag: string) => boolean) | undefined;
  /** Whole hours since 1970, both included. */
  readonly hours: readonly [number, number];
  /** Keys of objects that are not wanted. */
  readonly except?: ReadonlySet<string> | undefined;
}

/** What a listing or a catalog says of an object. */
export interface Summary {
  readonly tag: string;
  readonly hour: number;
  readonly events: number;
  readonly bytes: number;
  readonly rawBytes: number;
}

const READS_AT_ONCE = 64;

/**
 * The objects with their commits' descriptions, hour by hour.
 *
 * @param upTo of each log, as `incarnation/shard`, the newest commit that counts; all of them when it is null
 */
export async function findObjects(
  archive: ArchivePlace,
  wanted: Wanted,
  upTo: ReadonlyMap<string, number> | null,
  show: ShowProgress | undefined,
): Promise<CatalogEntry[]> {
  const { store, prefix, keyTemplate } = archive;
  const listing = new Listing(store, prefix, keyTemplate);
  if (!(await listing.fits())) {
    const { tag, hours } = wanted;
    const entries = await new Catalog(store, prefix, show).next({ hours, ...(tag ? { tag } : {}) }, true);
    return entries.filter((entry) => counts(entry, upTo) && !wanted.except?.has(entry.object.key));
  }
  const listed: ListedObject[] = [];
  await listing.each(wanted, (object) => {
    if (counts(object, upTo) && !wanted.except?.has(object.key)) listed.push(object);
  });
  const commits = await commitsOf(archive, listed, show);
  const entries = listed.flatMap((one): CatalogEntry[] => {
    const { incarnation, shard, number, key } = one;
    const object = commits.get(nameOf(one))!.objects.find((other) => other.key === key);
    if (!object)
      throw new CommitCorruptError(key, 'is named by no commit: something else writes to this archive');
    return wanted.tag && !wanted.tag(object.tag) ? [] : [{ object, incarnation, shard, number }];
  });
  return entries.sort(inOrder);
}

/** Calls `take` for what each object holds; commits are read only where keys do not say it. */
export async function summarize(
  archive: ArchivePlace,
  wanted: Wanted,
  show: ShowProgress | undefined,
  take: (summary: Summary) => void,
): Promise<void> {
  const { store, prefix, keyTemplate } = archive;
  const listing = new Listing(store, prefix, keyTemplate);
  const silent: ListedObject[] = [];
  let objects = 0;
  if (!(await listing.fits())) {
    for (const { object } of await findObjects(archive, wanted, null, show))
      take({ ...object, rawBytes: object.raw_bytes });
    return;
  }
  await listing.each(wanted, (object) => {
    objects += 1;
    show?.(objects, objects, 'objects');
    const { tag, hour, bytes, counts } = object;
    if (tag === null || counts === null) silent.push(object);
    else take({ tag, hour, bytes, ...counts });
  });
  const commits = await commitsOf(archive, silent, show);
  for (const one of silent) {
    const object = commits.get(nameOf(one))!.objects.find(({ key }) => key === one.key);
    if (object && (!wanted.tag || wanted.tag(object.tag))) take({ ...object, rawBytes: object.raw_bytes });
  }
}

interface FinalObjects {
  readonly entries: readonly CatalogEntry[];
  /** Left out: objects of a newest commit whose data is not all there yet, so that it may still be voided. */
  readonly unfinished: readonly CatalogEntry[];
}

/** The objects of commits that nothing can change any more: all of their data is there. */
export async function finalObjects(
  { store, prefix }: Pick<ArchivePlace, 'store' | 'prefix'>,
  entries: readonly CatalogEntry[],
): Promise<FinalObjects> {
  const logs = new Map(
    entries.map(({ incarnation, shard }) => [`${incarnation}/${shard}`, { incarnation, shard }]),
  );
  /** Of each log whose newest commit lacks data, the number of that commit. */
  const lacking = new Map<string, number>();
  await atOnce(READS_AT_ONCE, [...logs], async ([name, log]) => {
    const newest = await newestCommit(store, { prefix, ...log });
    if (newest !== null && !(await isWhole(store, newest))) lacking.set(name, newest.number);
  });
  const isUnfinished = ({ incarnation, shard, number }: CatalogEntry): boolean =>
    number >= (lacking.get(`${incarnation}/${shard}`) ?? Number.POSITIVE_INFINITY);
  return {
    entries: entries.filter((entry) => !isUnfinished(entry)),
    unfinished: entries.filter(isUnfinished),
  };
}

/** How many objects an archive has, and their bytes. */
export async function totalOf(
  archive: ArchivePlace,
  show: ShowProgress | undefined,
): Promise<{ objects: number; bytes: number }> {
  const total = { objects: 0, bytes: 0 };
  await summarize(archive, { hours: [0, 1e9] }, show, ({ bytes }) => {
    total.objects += 1;
    total.bytes += bytes;
  });
  return total;
}

type Place = Pick<ListedObject, 'incarnation' | 'shard' | 'number'>;

function nameOf({ incarnation, shard, number }: Place): string {
  return commitKey('', incarnation, shard, number);
}

function counts({ incarnation, shard, number }: Place, upTo: ReadonlyMap<string, number> | null): boolean {
  return upTo === null || number <= (upTo.get(`${incarnation}/${shard}`) ?? 0);
}

async function commitsOf(
  { store, prefix }: ArchivePlace,
  objects: readonly ListedObject[],
  show: ShowProgress | undefined,
): Promise<ReadonlyMap<string, Commit>> {
  const places = new Map(objects.map((object) => [nameOf(object), object]));
  const commits = new Map<string, Commit>();
  await atOnce(READS_AT_ONCE, [...places], async ([name, { incarnation, shard, number }]) => {
    commits.set(name, await readCommit(store, { prefix, incarnation, shard }, number));
    show?.(commits.size, places.size, 'commits');
  });
  return commits;
}
