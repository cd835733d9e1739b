/**
 * The empty objects that stand under voided names. Some readers of files trip over them; once no worker is left that ran when
 * their commit was written, nobody can write them any more, and they can be deleted.
 */
import { atOnce } from '../base/at-once.ts';
import { Catalog } from './catalog.ts';
import { commitKey } from './commit-keys.ts';
import { readCommit } from './commit-log.ts';
import type { ArchivePlace, ShowProgress, Wanted } from './find.ts';
import { Listing } from './listing.ts';
import { isVoid } from './voiding.ts';

export interface VoidedObject {
  readonly key: string;
  readonly tag: string;
  /** Whole hours since 1970. */
  readonly hour: number;
}

const READS_AT_ONCE = 32;

/** Those that a commit lists as voided and that are still there, in the order of their keys. */
export async function voidedObjects(
  archive: ArchivePlace,
  wanted: Wanted,
  show: ShowProgress | undefined,
): Promise<VoidedObject[]> {
  const { store, prefix, keyTemplate } = archive;
  const listing = new Listing(store, prefix, keyTemplate);
  const found = (await listing.fits())
    ? await byKeys(archive, listing, wanted)
    : await byCommits(archive, wanted, show);
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}

async function byKeys(
  { store, prefix }: ArchivePlace,
  listing: Listing,
  wanted: Wanted,
): Promise<VoidedObject[]> {
  const places = new Map<string, { incarnation: string; shard: string; number: number; keys: Set<string> }>();
  await listing.each(
    wanted,
    ({ key, incarnation, shard, number }) => {
      const name = commitKey(prefix, incarnation, shard, number + 1);
      const place = places.get(name) ?? { incarnation, shard, number, keys: new Set() };
      places.set(name, place);
      place.keys.add(key);
    },
    'void',
  );
  const found: VoidedObject[] = [];
  await atOnce(READS_AT_ONCE, [...places], async ([next, { incarnation, shard, number, keys }]) => {
    // Until the next commit lists it, whoever completes the log looks for it.
    if ((await store.head(next)) === null) return;
    const log = { prefix, incarnation, shard };
    const [{ objects }, { voided }] = await Promise.all([
      readCommit(store, log, number),
      readCommit(store, log, number + 1),
    ]);
    const lost = new Set(voided.map(({ key }) => key));
    for (const { key, tag, hour } of objects)
      if (keys.has(key) && lost.has(key) && (!wanted.tag || wanted.tag(tag))) found.push({ key, tag, hour });
  });
  return found;
}

async function byCommits(
  { store, prefix }: ArchivePlace,
  { tag: isWanted, hours: [first, last] }: Wanted,
  show: ShowProgress | undefined,
): Promise<VoidedObject[]> {
  const lost: (VoidedObject & { codec: 'gzip' | 'zstd' })[] = [];
  await new Catalog(store, prefix, show).each((commits) => {
    commits.forEach(({ objects }, i) => {
      const voided = new Set(commits[i + 1]?.voided.map(({ key }) => key));
      for (const { key, tag, hour, codec } of objects)
        if (voided.has(key) && hour >= first && hour <= last && (!isWanted || isWanted(tag)))
          lost.push({ key, tag, hour, codec });
    });
  });
  const found: VoidedObject[] = [];
  await atOnce(READS_AT_ONCE, lost, async ({ codec, ...object }) => {
    const bytes = await store.head(object.key);
    if (bytes !== null && isVoid(codec, bytes)) found.push(object);
  });
  return found;
}
