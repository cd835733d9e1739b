/**
 * One followed log: the file at its path now, the earlier generations of it that are still being read, and the
 * ledger of generations that were read already, by their fingerprints.
 *
 * The rule for every case of rotation is one: a generation is what begins with the same bytes. A file beside the log
 * that bears a rotated name is read from where its generation was left, from its first byte when that generation is
 * unknown, and not at all when it was read to its end; whether it was renamed, copied or compressed does not matter.
 */
import type { Json } from '../state.ts';
import { type Fingerprint, fingerprint } from './fingerprint.ts';
import type { Follower, SavedFollower } from './follower.ts';

/** A generation that was read. */
export interface Done {
  readonly fingerprint: Fingerprint;
  /** Bytes of it that went into events; beyond any size for one that was there before the log was followed. */
  readonly offset: number;
  readonly check: Fingerprint;
  readonly skipping: boolean;
  /** Device and inode of the file that holds it; empty when it was truncated, so that there are only copies. */
  readonly key: string;
  /** When that file was made, in nanoseconds since 1970: an inode is given out again. */
  readonly born: string;
  /** Whether it was read to its end from a compressed file. */
  readonly whole: boolean;
}

/** Where a generation lies, as the ledger notes it. */
export type Place = Pick<Done, 'key' | 'born' | 'whole'>;

/** A generation that only copies hold. */
export const TRUNCATED: Place = { key: '', born: '', whole: false };

export const BEFORE_OUR_TIME = Number.MAX_SAFE_INTEGER;
/** Milliseconds that the ledger keeps a generation of which no file is left: a rename may hide one for a moment. */
const FORGET_AFTER = 3_600_000;

export class FollowedLog {
  /** The configured path, which may be a symbolic link. */
  readonly path: string;
  live: Follower | null = null;
  /** Earlier generations being read, by device and inode. */
  readonly rotated = new Map<string, Follower>();
  /** Names beside the log that were looked at, with what they looked like and the generation they hold. */
  readonly siblings = new Map<string, { readonly signature: string; readonly done: string | null }>();
  /** Folder and name of the file that the path means. */
  folder = '';
  base = '';
  /** The users whose symbolic links lead from the path to that file. */
  linkOwners: ReadonlySet<number> = new Set();
  /** Time of change of the folder when the siblings were last looked at. */
  folderSignature = '';
  lookedAt = 0;
  /** When a file of it was last there, by the clock that only goes on; 0 before it was looked for. */
  presentAt = 0;
  /** Until when it is looked at often. */
  activeUntil = 0;
  /** Whether it was followed before: then a rotated file of an unknown generation is news. */
  known: boolean;
  /** Whether the state has to be told. */
  dirty = false;
  /** Files of it that could not be opened, and why, so that it is said once. */
  readonly refused = new Map<string, string>();
  readonly #done = new Map<string, Done>();
  readonly #unseenSince = new Map<string, number>();

  constructor(path: string, saved: Json | undefined) {
    this.path = path;
    this.known = saved !== undefined;
    for (const done of readLedger(saved)) this.#done.set(idOf(done), done);
  }

  *followers(): Generator<Follower> {
    yield* this.rotated.values();
    if (this.live) yield this.live;
  }

  /** The generations in the ledger that begin as `head` does. */
  doneOf(head: Buffer): Done[] {
    return [...this.#done.values()].filter(({ fingerprint: { bytes, hash } }) => {
      return head.length >= bytes && fingerprint(head, bytes).hash === hash;
    });
  }

  /** The generation in the ledger that this very file held when it was closed last. */
  doneIn(key: string, born: string): Done | null {
    let last: Done | null = null;
    for (const done of this.#done.values()) {
      if (done.key === key && done.born === born && done.offset >= (last?.offset ?? 0)) last = done;
    }
    return last;
  }

  /** Notes that a generation was read up to an offset; those that its inode held before stay known. */
  note(
    read: Pick<SavedFollower, 'fingerprint' | 'offset' | 'check' | 'skipping'>,
    place: Place,
  ): Done | null {
    const { bytes, hash } = read.fingerprint;
    if (bytes === 0) return null;
    const { offset, check, skipping } = read;
    const { key, born, whole } = place;
    const done: Done = { fingerprint: { bytes, hash }, offset, check, skipping, key, born, whole };
    this.#done.set(idOf(done), done);
    this.dirty = true;
    return done;
  }

  /** Takes a generation out of the ledger whose rest is going to be read: its follower has the position now. */
  take(done: Done): void {
    if (this.#done.delete(idOf(done))) this.dirty = true;
  }

  /**
   * Forgets generations of which no file has been there for a while.
   *
   * @param now milliseconds of a clock that only goes on: one that is set would make moments of hours
   */
  prune(now: number): void {
    const present = new Set([...this.siblings.values()].map((sibling) => sibling.done));
    for (const id of this.#unseenSince.keys()) if (!this.#done.has(id)) this.#unseenSince.delete(id);
    for (const id of this.#done.keys()) {
      const since = this.#unseenSince.get(id);
      if (present.has(id)) this.#unseenSince.delete(id);
      else if (since === undefined) this.#unseenSince.set(id, now);
      else if (now - since > FORGET_AFTER) {
        this.#done.delete(id);
        this.#unseenSince.delete(id);
        this.dirty = true;
      }
    }
  }

  toJson(): Exclude<Json, null> {
    return [...this.#done.values()].map(
      ({ fingerprint: head, offset, check, skipping, key, born, whole }) => [
        head.bytes,
        head.hash,
        offset,
        check.bytes,
        check.hash,
        (skipping ? SKIPPING : 0) | (whole ? WHOLE : 0),
        key,
        born,
      ],
    );
  }
}

/** Flags of a generation in the state. */
const SKIPPING = 1;
const WHOLE = 2;

/** Names a generation: those that begin alike end otherwise, or elsewhere. */
export function idOf({ fingerprint: { hash }, check, offset }: Done): string {
  return `${hash}:${check.hash}:${offset}`;
}

function readLedger(saved: Json | undefined): Done[] {
  if (!Array.isArray(saved)) return [];
  return saved.flatMap((entry: Json) => {
    if (!Array.isArray(entry)) return [];
    const [bytes, hash, offset, checkBytes, checkHash, flags = 0, key = '', born = ''] =
      entry as readonly Json[];
    if (typeof bytes !== 'number' || typeof hash !== 'string' || typeof offset !== 'number') return [];
    return [
      {
        fingerprint: { bytes, hash },
        offset,
        check: { bytes: Number(checkBytes), hash: String(checkHash) },
        skipping: (Number(flags) & SKIPPING) !== 0,
        key: String(key),
        born: String(born),
        whole: (Number(flags) & WHOLE) !== 0,
      },
    ];
  });
}
