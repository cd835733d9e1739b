/**
 * Whether the objects that commits name are there, at their length, and no others among them: a commit says what was
 * archived, not whether somebody has deleted, cut short or copied an object since. Costs a LIST for each 1000 objects.
 */
import { atOnce } from '../../base/at-once.ts';
import { commitFolder, parseCommitKey, parseObjectName } from '../commit-keys.ts';
import { logsOf } from '../commit-log.ts';
import type { ListableStore } from '../listing.ts';
import { isVoid } from '../voiding.ts';
import type { Book, Placed } from './book.ts';

export interface PresentOptions {
  readonly prefix: string;
  /** Whether the object may have been expired. */
  readonly isExpired: (placed: Placed) => boolean;
  /** Whether the book has all commits: only then it is known what nobody names. */
  readonly whole: boolean;
  /** Whether every object is read as well, which says what is missing or cut. */
  readonly deep: boolean;
  readonly onProgress?: ((done: number, total: number, what: 'objects') => void) | undefined;
}

const LISTS_AT_ONCE = 32;
const PROGRESS_EVERY = 1000;
/** So many objects of a fault are named; the others are counted. */
const NAMED = 20;

export async function checkPresent(store: ListableStore, book: Book, options: PresentOptions): Promise<void> {
  const { whole, onProgress, isExpired } = options;
  const expected = new Map(book.live.map((placed) => [placed.object.key, placed]));
  // Those have been looked at one by one, and may be given up or completed at this moment.
  const newest = new Set(book.newest.map(({ object }) => object.key));
  const total = expected.size;
  const wrong: string[] = [];
  const strangers: string[] = [];
  let done = 0;
  await atOnce(LISTS_AT_ONCE, foldersOf(options, expected.keys()), async (folder) => {
    for await (const { key, bytes } of store.list(folder)) {
      const placed = expected.get(key);
      expected.delete(key);
      if (placed) {
        done += 1;
        if (done % PROGRESS_EVERY === 0) onProgress?.(done, total, 'objects');
        const { object } = placed;
        if (bytes === object.bytes || newest.has(key)) continue;
        wrong.push(
          isVoid(object.codec, bytes)
            ? `${key} holds nothing, and no commit gives it up`
            : `${key} has ${bytes} bytes, its commit says ${object.bytes}`,
        );
      } else if (whole && !isHidden(key, options.prefix) && !isEmpty(key, bytes, book)) strangers.push(key);
    }
  });
  const missing = [...expected.values()].filter(
    (placed) => !newest.has(placed.object.key) && !isExpired(placed),
  );
  if (!options.deep) {
    note(book.problems, wrong, (key) => key, 'objects have another length than their commits say');
    note(
      book.problems,
      missing.map(({ object }) => object.key),
      (key) => `${key} is missing: expired by a lifecycle rule (say --expire-after), or deleted`,
      'objects are missing',
    );
  }
  note(
    book.problems,
    await unnamed(store, book, strangers, options.prefix),
    (key) => `${key} is named by no commit: readers of the folder count its events, and a commit may be gone`,
    'objects are named by no commit',
  );
}

function note(
  problems: string[],
  found: readonly string[],
  text: (one: string) => string,
  more: string,
): void {
  for (const one of found.slice(0, NAMED)) problems.push(text(one));
  if (found.length > NAMED) problems.push(`${found.length - NAMED} more ${more}`);
}

/** What to list: all that the data lies in, or the folders of the objects that are looked for. */
function foldersOf({ prefix, whole }: PresentOptions, keys: Iterable<string>): string[] {
  const folders = new Set<string>();
  for (const key of keys) {
    const rest = key.slice(prefix.length);
    const end = whole ? rest.indexOf('/') : rest.lastIndexOf('/');
    folders.add(prefix + rest.slice(0, end + 1));
  }
  // Where one lies in another, its objects would be listed twice.
  return [...folders].filter((folder) => ![...parentsOf(folder)].some((parent) => folders.has(parent)));
}

function* parentsOf(folder: string): Generator<string> {
  for (let at = folder.lastIndexOf('/', folder.length - 2); at >= 0; at = folder.lastIndexOf('/', at - 1))
    yield folder.slice(0, at + 1);
  if (folder !== '') yield '';
}

/** Whether what reads folders passes over it, or it is a table of its own. */
function isHidden(key: string, prefix: string): boolean {
  return /(?:^|\/)[_.][^/]*(?:\/|$)/.test(key.slice(prefix.length)) || /(?:\.parquet|\/)$/.test(key);
}

/** Whether it is the archive of nothing that stands under a name that was given up. */
function isEmpty(key: string, bytes: number, book: Book): boolean {
  if (!book.voidedKeys.has(key)) return false;
  const name = parseObjectName(key.slice(key.lastIndexOf('/') + 1));
  return name !== null && isVoid(name.codec, bytes);
}

/** Of the objects that no commit of the book names those that no commit has been written for meanwhile. */
async function unnamed(
  store: ListableStore,
  book: Book,
  keys: readonly string[],
  prefix: string,
): Promise<string[]> {
  if (keys.length === 0) return [];
  const newest = new Map<string, number>();
  await atOnce(LISTS_AT_ONCE, await logsOf(store, prefix), async ({ incarnation, shard }) => {
    const key = await store.first(commitFolder(prefix, incarnation, shard));
    newest.set(`${incarnation}/${shard}`, (key === null ? null : parseCommitKey(key))?.number ?? 0);
  });
  return keys.filter((key) => {
    const name = parseObjectName(key.slice(key.lastIndexOf('/') + 1));
    if (name === null) return true;
    const log = `${name.incarnation}/${name.shard}`;
    return name.number <= (book.newestNumbers.get(log) ?? 0) || name.number > (newest.get(log) ?? 0);
  });
}
