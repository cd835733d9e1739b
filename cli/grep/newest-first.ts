/** Searches objects, several at the same time, and gives out what is found newest first over all of them. */
import type { CatalogEntry } from '../../archive/catalog.ts';
import { type FoundBlock, NewestFirst } from './blocks.ts';
import { type Found, type Search, searchObject } from './search.ts';

/** Objects that are fetched and searched at the same time; Node inflates in four threads. */
const SEARCHED_AT_ONCE = 8;

export type Step =
  | { readonly block: FoundBlock & { readonly tag: string } }
  | { readonly key: string; readonly fault: string }
  /** How many objects are searched; no event that comes later is newer than `back`, milliseconds since 1970. */
  | { readonly done: number; readonly back: number };

/** @param entries in any order; they are put in that of the search */
export async function* searchNewestFirst(entries: CatalogEntry[], search: Search): AsyncGenerator<Step> {
  entries.sort((a, b) => lastTimeOf(b) - lastTimeOf(a));
  const coming: Promise<Found>[] = [];
  const found = new NewestFirst<FoundBlock & { readonly tag: string }>();
  for (let i = 0; i < entries.length; i++) {
    while (coming.length < SEARCHED_AT_ONCE && i + coming.length < entries.length) {
      const next = searchObject(entries[i + coming.length]!, search);
      // A failure is reported when its turn comes.
      next.catch(() => {});
      coming.push(next);
    }
    const { object } = entries[i]!;
    const { blocks, faults } = await coming.shift()!;
    for (const fault of faults) yield { key: object.key, fault };
    found.add(blocks.map((block) => ({ ...block, tag: object.tag })));
    const next = entries[i + 1];
    const back = next ? lastTimeOf(next) : Number.NEGATIVE_INFINITY;
    for (const block of found.take(back)) yield { block };
    yield { done: i + 1, back };
  }
}

function lastTimeOf({ object }: CatalogEntry): number {
  // Foreign records are under the hour of their arrival.
  const end = (object.hour + 1) * 3_600_000 - 1;
  return object.foreign > 0 ? end : (object.last_time ?? end);
}
