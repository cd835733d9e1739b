/** Which generation of a log a file beside it holds, by the ledger of those that were read, and where to go on in it. */
import { FINGERPRINT_BYTES } from './fingerprint.ts';
import { BEFORE_OUR_TIME, type Done } from './log.ts';

/** What is known of a file beside a log before it is read. */
export interface Beside {
  /** Bytes of the log in it, of a gzip file modulo 4 GiB; -1 when nothing says so. */
  readonly size: number;
  /** Device and inode of a file as it lies there, null for a compressed one. */
  readonly key: string | null;
  /** Whether it holds the last bytes that were read of a generation; for files that are not compressed. */
  readonly holds: (done: Done) => boolean;
  /** Whether another file was found to be that generation. */
  readonly elsewhere: (done: Done) => boolean;
}

const GZIP_SIZES = 2 ** 32;

/**
 * Finds the generation that a file holds.
 *
 * @param candidates generations that begin as the file does
 * @returns the generation, and whether there may be something unread behind it; null for one that was never read
 */
export function generationOf(
  candidates: readonly Done[],
  file: Beside,
): { readonly done: Done; readonly rest: boolean } | null {
  const furthest = candidates.toSorted((a, b) => b.offset - a.offset);
  const found = file.key === null ? inCompressed(furthest, file) : inPlain(furthest, file);
  if (found !== null) return found;
  const longer = furthest.find((done) => file.size < done.offset && mayBe(done, file));
  return longer && file.key !== null ? { done: longer, rest: false } : null;
}

function inPlain(furthest: readonly Done[], file: Beside): { done: Done; rest: boolean } | null {
  for (const done of furthest) {
    if (done.offset === BEFORE_OUR_TIME) return { done, rest: false };
    if (file.size === done.offset && file.holds(done)) return { done, rest: false };
  }
  for (const done of furthest) {
    // What begins with the few bytes of a short file need not be that file, grown: only its own inode says so.
    const sure = mayGrow(done) || file.key === done.key;
    if (file.size > done.offset && sure && file.holds(done)) return { done, rest: true };
  }
  return null;
}

/** The generation of which a file holds as much as was read, to the byte; null when there is none. */
export function sameGeneration(candidates: readonly Done[], file: Beside): Done | null {
  const size = (done: Done): number => (file.key === null ? done.offset % GZIP_SIZES : done.offset);
  return candidates.find((done) => file.size === size(done) && file.holds(done)) ?? null;
}

/** Of a compressed file only its size says how much of it was read; where that doesn't, what follows is looked for. */
function inCompressed(furthest: readonly Done[], file: Beside): { done: Done; rest: boolean } | null {
  for (const done of furthest) {
    if (done.offset === BEFORE_OUR_TIME || done.whole || file.size === done.offset % GZIP_SIZES)
      return { done, rest: false };
  }
  for (const done of furthest) {
    if (mayGrow(done) || mayBe(done, file)) return { done, rest: true };
  }
  return null;
}

/** Whether a file that has more than what was read of this generation is that generation, and no other one. */
function mayGrow(done: Done): boolean {
  // Of a truncated file there are only copies.
  return done.key === '' || done.fingerprint.bytes === FINGERPRINT_BYTES;
}

/** Whether a file that can't be told from a generation may be it: not when that one's own file is another. */
function mayBe(done: Done, file: Beside): boolean {
  return done.key === '' || done.key === file.key || !file.elsewhere(done);
}
