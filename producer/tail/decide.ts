/**
 * What is to be done with a file: one decision from what the file holds and what the ledger knows, without effects.
 *
 * A generation is the run of bytes that was written as one log. The ledger knows each by its content; a file is that
 * generation when it holds what was read of it, whatever the file is called and wherever it lies. Device, inode and
 * birth tell two files apart whose content does not. Names decide only where content fits two explanations:
 *
 * - a log's own path, whose earlier file lies elsewhere now, holds its next generation, even if both begin alike;
 * - a file under a new name that holds nothing but the beginning of another generation is a copy, and waits until it
 *   differs: a copy of a log that goes on is worth nothing, and after a truncation it holds the rest.
 *
 * Where neither tells, a file that holds all that was read of a vanished generation is that generation: what two logs
 * have in common to the byte comes once (`alike`). What may come twice is counted (`repeats`): a shorter file at a log's
 * path, one that holds what the log's earlier file does elsewhere, and one that is older than what it may be a copy of.
 */

/** Where a file lies, as far as its name says. */
export type Where =
  /** At the path of a log that was followed before. */
  | 'log'
  /** Under a pattern, but by a name that is new, or that looks like the rotated form of another log's. */
  | 'named'
  /** Next to a log, by a name that its rotated generations may have; or compressed. */
  | 'adjacent'
  /** Next to a log, by a name that says nothing: looked at only to recover a generation. */
  | 'foreign';

/** What is known of a file before it is read. */
export interface FileFacts {
  readonly where: Where;
  readonly compressed: boolean;
  /** Bytes of the log in it: of a gzip file modulo 4 GiB, and -1 where nothing says so. */
  readonly size: number;
  /** Whether the input never looked before. */
  readonly fresh: boolean;
  /** For a file next to a log: whether it may have been written since the log was followed. */
  readonly news: boolean;
  /** Whether it was last written before it was made, as what `cp -p`, rsync and tar restore. */
  readonly restored: boolean;
}

/** Where the file of a generation is: under some name; truncated, so that only copies hold it; or nowhere. */
export type Whereabouts = 'present' | 'copies' | 'gone';

/** A generation of the ledger that a file may hold. */
export interface Candidate<G> {
  readonly generation: G;
  /** Bytes of it that went into events. */
  readonly offset: number;
  /** Whether it was there before the log was followed, or was read to its end from a compressed file. */
  readonly whole: boolean;
  /** Whether it is nothing but the note that a file was a copy of another generation, up to `offset`. */
  readonly noted: boolean;
  /** Whether its log goes on in another file, and all of it was read. */
  readonly ended: boolean;
  /** Whether its fingerprint covers as much as one can: then another log that begins alike is unlikely. */
  readonly sure: boolean;
  /** Whether this very file held it when it was last looked at. */
  readonly sameFile: boolean;
  /** Whether the file begins as it does, as far as the file goes. */
  readonly begins: boolean;
  /** Whether more of it is known than the file has. */
  readonly longer: boolean;
  /** Whether the file holds all that was read of it; of a compressed file its beginning has to do. */
  readonly holds: boolean;
  /** Whether the very file that held it lacks what a power loss has taken, and nothing else. */
  readonly cut: boolean;
  readonly whereabouts: Whereabouts;
  /** Whether it is being read from a compressed file: what else that holds is not known yet. */
  readonly opaque: boolean;
  /** Whether it belongs to the log at whose path the file lies. */
  readonly ofThisLog: boolean;
  /**
   * Whether the file may be a copy of what the generation's own file holds now; `older` when it holds nothing else, but
   * is older than that file. Asked only where it matters.
   */
  readonly copy: () => boolean | 'older';
  /** Whether the generation's own file is itself a copy, and this one holds all of that and more. */
  readonly outgrows: () => boolean;
}

export type Action<G> =
  /** It is this generation: go on at `offset`. */
  | {
      readonly do: 'follow';
      readonly generation: G;
      readonly offset: number;
      readonly alike: boolean;
      /** What stood before the position was lost, as `cut` says: there is nothing to compare it with. */
      readonly cut?: true;
    }
  /** It is a generation of its own: read it from its first byte. */
  | { readonly do: 'read'; readonly repeats: boolean }
  /** It is this generation, and nothing in it is unread. */
  | { readonly do: 'pass'; readonly generation: G }
  /** It may be a copy of this generation, whose own file is there. */
  | { readonly do: 'wait'; readonly generation: G }
  /** Whether it is a copy of this generation is known when that was read to its end. */
  | { readonly do: 'later'; readonly generation: G }
  /** It was there before its log was followed. */
  | { readonly do: 'history' }
  | { readonly do: 'ignore' }
  /** This file no longer holds what was read of this generation: only copies can. Decide once more without it. */
  | { readonly do: 'truncated'; readonly generation: G };

const GZIP_SIZES = 2 ** 32;

export function decide<G>(file: FileFacts, candidates: readonly Candidate<G>[]): Action<G> {
  const same = candidates.find(({ sameFile }) => sameFile);
  if (same?.noted) return decideNoted(file, candidates, same);
  if (same) {
    const { generation, offset } = same;
    // All that is left of it was read: what comes next stands behind it.
    if (same.cut)
      return { do: 'follow', generation, offset: Math.min(offset, file.size), alike: false, cut: true };
    if (!same.holds) return { do: 'truncated', generation };
    if (file.compressed && same.whole) return { do: 'pass', generation: same.generation };
    return { do: 'follow', generation: same.generation, offset: same.offset, alike: false };
  }
  // A note about a copy says less than any original.
  const furthest = candidates.toSorted((a, b) => Number(a.noted) - Number(b.noted) || b.offset - a.offset);
  return (file.compressed ? decideCompressed(file, furthest) : decidePlain(file, furthest)) ?? unknown(file);
}

/** A file that was a copy: of use when its original was truncated, and one of its own when it has become different. */
function decideNoted<G>(file: FileFacts, candidates: readonly Candidate<G>[], note: Candidate<G>): Action<G> {
  const others = candidates.filter((candidate) => candidate !== note);
  const action = decide(file, others);
  if (action.do !== 'read' || !note.holds) return action;
  if (file.compressed || file.size === note.offset) return { do: 'pass', generation: note.generation };
  // It goes on by itself. Where its original is still there, both may have begun alike from the first.
  if (others.some(({ whereabouts }) => whereabouts === 'present')) return { do: 'read', repeats: true };
  return { do: 'follow', generation: note.generation, offset: note.offset, alike: false };
}

function decidePlain<G>(file: FileFacts, furthest: readonly Candidate<G>[]): Action<G> | null {
  const named = file.where === 'log' || file.where === 'named';
  // At a log's own path lies its next generation: no copy, and no rest of one that was truncated.
  const eligible = furthest.filter(({ whereabouts }) => file.where !== 'log' || whereabouts === 'gone');
  const known = eligible.filter(({ noted }) => !noted);
  // An editor may have put it there, or a log that repeats itself begins once more.
  let repeats = file.where === 'log' && furthest.some(isReplaced);
  for (const { generation, offset, sure, holds, whereabouts } of known) {
    if (!holds || file.size !== offset) continue;
    if (whereabouts === 'present') return { do: 'wait', generation };
    if (whereabouts === 'copies' || !named) return { do: 'pass', generation };
    return { do: 'follow', generation, offset, alike: !sure };
  }
  for (const { generation, offset, sure, holds, whereabouts, opaque, copy, outgrows } of known) {
    if (!holds || file.size <= offset) continue;
    if (whereabouts !== 'present')
      return { do: 'follow', generation, offset, alike: whereabouts === 'gone' && !sure };
    if (opaque) return { do: 'later', generation };
    const copied = copy();
    if (copied === true) return { do: 'wait', generation };
    if (outgrows()) return { do: 'follow', generation, offset, alike: false };
    if (copied === 'older') repeats = true;
  }
  for (const { generation, offset, ended, begins, longer, whereabouts, opaque, copy } of known) {
    if (!begins || (file.size >= offset && !longer)) continue;
    if (whereabouts === 'present') {
      // Half a copy of a file that nobody writes to is less likely than a short generation that begins alike.
      if (ended && !named) continue;
      if (opaque) return { do: 'later', generation };
      const copied = copy();
      if (copied === true) return { do: 'wait', generation };
      if (copied === 'older') repeats = true;
    } else if (!named) {
      return { do: 'pass', generation };
    } else if (file.where !== 'log' && copy() === true) {
      // Its file has no name any more, but is still open.
      return { do: 'wait', generation };
    } else if (file.restored) {
      return { do: 'follow', generation, offset: file.size, alike: false };
    } else {
      repeats = true;
    }
  }
  return ofNotes(file, eligible) ?? (repeats ? { do: 'read', repeats } : null);
}

/** Whether the file of a log seems to have been put in the place of another one, which is still there. */
function isReplaced<G>({ noted, whereabouts, ofThisLog, offset, holds }: Candidate<G>): boolean {
  return !noted && whereabouts === 'present' && ofThisLog && offset > 0 && holds;
}

/** A file that is what another one was when that was found to be a copy. */
function ofNotes<G>(file: FileFacts, candidates: readonly Candidate<G>[]): Action<G> | null {
  const note = candidates.find(({ noted, holds, offset }) => noted && holds && file.size === offset);
  if (!note) return null;
  return { do: note.whereabouts === 'present' ? 'wait' : 'pass', generation: note.generation };
}

/** Of a compressed file only its size says how much of it was read; where that does not, the rest is looked for. */
function decideCompressed<G>(file: FileFacts, furthest: readonly Candidate<G>[]): Action<G> | null {
  const known = furthest
    .filter(({ noted, begins }) => begins && !noted)
    .toSorted((a, b) => Number(a.whereabouts === 'present') - Number(b.whereabouts === 'present'));
  for (const { generation, offset, whole, whereabouts } of known) {
    const same = file.size === offset % GZIP_SIZES || (whole && whereabouts !== 'present');
    if (same) return { do: whereabouts === 'present' ? 'wait' : 'pass', generation };
  }
  for (const { generation, offset, whereabouts, opaque, copy, outgrows } of known) {
    if (whereabouts === 'present' && opaque) return { do: 'later', generation };
    // While it is being compressed the file itself is still there, and still open once its name is gone.
    if (copy() === true) return { do: 'wait', generation };
    if (file.size >= 0 && file.size < offset && offset < GZIP_SIZES) continue;
    if (whereabouts === 'present' && !outgrows()) continue;
    return { do: 'follow', generation, offset, alike: false };
  }
  return ofNotes(file, furthest);
}

function unknown<G>(file: FileFacts): Action<G> {
  if (file.where === 'foreign') return { do: 'ignore' };
  if (file.where === 'adjacent' || file.compressed)
    return file.news ? { do: 'read', repeats: false } : { do: 'history' };
  return { do: 'read', repeats: false };
}
