/** Lists the keys under a bucket's folder in S3's order without reading irrelevant folders. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';

export interface WalkOptions {
  readonly prefix: string;
  /** Only keys after this one; '' for all. May be advanced during the walk. */
  after: string;
}

/**
 * S3 orders keys by their UTF-8 bytes. Within one folder that is the order of the names with `/` appended to folder names:
 * `a.b` comes before `a/b`, because `.` comes before `/`.
 */
export async function* walk(root: string, options: WalkOptions): AsyncGenerator<string> {
  yield* walkFolder(root, '', options);
}

async function* walkFolder(root: string, base: string, options: WalkOptions): AsyncGenerator<string> {
  const entries = await fs.readdir(path.join(root, base), { withFileTypes: true }).catch(() => []);
  const keys: string[] = [];
  for (const entry of entries) {
    if (entry.isFile()) keys.push(base + entry.name);
    else if (entry.isDirectory()) keys.push(`${base}${entry.name}/`);
  }
  keys.sort(compareKeys);
  for (const key of keys) {
    if (key.endsWith('/')) {
      if (!key.startsWith(options.prefix) && !options.prefix.startsWith(key)) continue;
      // All keys of the folder come after `after`, or some may because `after` is inside the folder.
      if (compareKeys(key, options.after) < 0 && !options.after.startsWith(key)) continue;
      yield* walkFolder(root, key, options);
    } else if (key.startsWith(options.prefix) && compareKeys(key, options.after) > 0) {
      yield key;
    }
  }
}

/** Orders by UTF-8 bytes; JavaScript's own order (UTF-16) differs beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates encode code points beyond all others. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

export interface ListRequest {
  readonly prefix: string;
  readonly delimiter: string;
  readonly startAfter: string;
  readonly maxKeys: number;
}

export interface Listing {
  readonly keys: readonly string[];
  readonly commonPrefixes: readonly string[];
  /** The startAfter of the next page; null on the last one. */
  readonly next: string | null;
}

/** Sorts after every key that starts with `prefix`: no key contains this last code point. */
const LAST = '\u{10FFFF}';

/** One page of a listing: keys, and common prefixes up to the delimiter in place of the keys below them. */
export async function listPage(
  keysFrom: (options: WalkOptions) => AsyncIterable<string>,
  request: ListRequest,
): Promise<Listing> {
  const keys: string[] = [];
  const commonPrefixes: string[] = [];
  if (request.maxKeys === 0) return { keys, commonPrefixes, next: null };
  const walking: WalkOptions = { prefix: request.prefix, after: request.startAfter };
  for await (const key of keysFrom(walking)) {
    if (compareKeys(key, walking.after) <= 0) continue;
    if (keys.length + commonPrefixes.length === request.maxKeys) {
      return { keys, commonPrefixes, next: walking.after };
    }
    const end = request.delimiter === '' ? -1 : key.indexOf(request.delimiter, request.prefix.length);
    if (end === -1) {
      keys.push(key);
      walking.after = key;
    } else {
      const commonPrefix = key.slice(0, end + request.delimiter.length);
      commonPrefixes.push(commonPrefix);
      walking.after = commonPrefix + LAST;
    }
  }
  return { keys, commonPrefixes, next: null };
}
