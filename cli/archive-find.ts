/** Finds the objects that a command is asked for: by their keys where these say tag and hour, else by all commits. */
import { Catalog, type CatalogEntry, inOrder } from '../archive/catalog.ts';
import { type Commit, CommitCorruptError } from '../archive/commit.ts';
import { commitKey } from '../archive/commit-keys.ts';
import { readCommit } from '../archive/commit-log.ts';
import { type ListedObject, Listing } from '../archive/listing.ts';
import { atOnce } from '../base/at-once.ts';
import type { OpenArchive } from './archive-options.ts';
import type { Progress } from './progress.ts';

export interface Wanted {
  readonly tag?: ((tag: string) => boolean) | undefined;
  /** Whole hours since 1970, both included. */
  readonly hours: readonly [number, number];
}

/** What a listing or a catalog says of an object. */
export interface Summary {
  readonly tag: string;
  readonly hour: number;
  readonly events: number;
  readonly bytes: number;
  readonly rawBytes: number;
}

const READS_AT_ONCE = 32;

/**
 * The objects with their commits' descriptions, hour by hour.
 *
 * @param upTo of each log, as `incarnation/shard`, the newest commit that counts; all of them when it is null
 */
export async function findObjects(
  archive: OpenArchive,
  wanted: Wanted,
  upTo: ReadonlyMap<string, number> | null,
  line: Progress | null,
): Promise<CatalogEntry[]> {
  const { store, prefix, keyTemplate } = archive;
  const listing = new Listing(store, prefix, keyTemplate);
  if (!(await listing.fits())) {
    const { tag, hours } = wanted;
    const entries = await new Catalog(store, prefix, line?.show).next(
      { hours, ...(tag ? { tag } : {}) },
      true,
    );
    return entries.filter((entry) => counts(entry, upTo));
  }
  const listed: ListedObject[] = [];
  await listing.each(wanted, (object) => {
    if (counts(object, upTo)) listed.push(object);
  });
  const commits = await commitsOf(archive, listed, line);
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
  archive: OpenArchive,
  wanted: Wanted,
  line: Progress | null,
  take: (summary: Summary) => void,
): Promise<void> {
  const { store, prefix, keyTemplate } = archive;
  const listing = new Listing(store, prefix, keyTemplate);
  const silent: ListedObject[] = [];
  let objects = 0;
  if (!(await listing.fits())) {
    for (const { object } of await findObjects(archive, wanted, null, line))
      take({ ...object, rawBytes: object.raw_bytes });
    return;
  }
  await listing.each(wanted, (object) => {
    objects += 1;
    line?.show(objects, objects, 'objects');
    const { tag, hour, bytes, counts } = object;
    if (tag === null || counts === null) silent.push(object);
    else take({ tag, hour, bytes, ...counts });
  });
  const commits = await commitsOf(archive, silent, line);
  for (const one of silent) {
    const object = commits.get(nameOf(one))!.objects.find(({ key }) => key === one.key);
    if (object && (!wanted.tag || wanted.tag(object.tag))) take({ ...object, rawBytes: object.raw_bytes });
  }
}

type Place = Pick<ListedObject, 'incarnation' | 'shard' | 'number'>;

function nameOf({ incarnation, shard, number }: Place): string {
  return commitKey('', incarnation, shard, number);
}

function counts({ incarnation, shard, number }: Place, upTo: ReadonlyMap<string, number> | null): boolean {
  return upTo === null || number <= (upTo.get(`${incarnation}/${shard}`) ?? 0);
}

async function commitsOf(
  { store, prefix }: OpenArchive,
  objects: readonly ListedObject[],
  line: Progress | null,
): Promise<ReadonlyMap<string, Commit>> {
  const places = new Map(objects.map((object) => [nameOf(object), object]));
  const commits = new Map<string, Commit>();
  await atOnce(READS_AT_ONCE, [...places], async ([name, { incarnation, shard, number }]) => {
    commits.set(name, await readCommit(store, { prefix, incarnation, shard }, number));
    line?.show(commits.size, places.size, 'commits');
  });
  return commits;
}
