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
}

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
  /** Time of change of the folder when the siblings were last looked at. */
  folderSignature = '';
  lookedAt = 0;
  /** When a file of it was last there; 0 before it was looked for. */
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
    for (const done of readLedger(saved)) this.#done.set(done.fingerprint.hash, done);
  }

  *followers(): Generator<Follower> {
    yield* this.rotated.values();
    if (this.live) yield this.live;
  }

  /** The generation in the ledger that begins as `head` does. */
  doneOf(head: Buffer): Done | null {
    for (const done of this.#done.values()) {
      const { bytes, hash } = done.fingerprint;
      if (head.length >= bytes && fingerprint(head, bytes).hash === hash) return done;
    }
    return null;
  }

  /** Notes that a generation was read up to an offset. */
  note(read: Pick<SavedFollower, 'fingerprint' | 'offset' | 'check' | 'skipping'>): void {
    const { bytes, hash } = read.fingerprint;
    if (bytes === 0) return;
    const { offset, check, skipping } = read;
    this.#done.set(hash, { fingerprint: { bytes, hash }, offset, check, skipping });
    this.dirty = true;
  }

  /** Forgets generations of which no file has been there for a while. */
  prune(now: number): void {
    const present = new Set([...this.siblings.values()].map((sibling) => sibling.done));
    for (const hash of this.#done.keys()) {
      const since = this.#unseenSince.get(hash);
      if (present.has(hash)) this.#unseenSince.delete(hash);
      else if (since === undefined) this.#unseenSince.set(hash, now);
      else if (now - since > FORGET_AFTER) {
        this.#done.delete(hash);
        this.#unseenSince.delete(hash);
        this.dirty = true;
      }
    }
  }

  toJson(): Exclude<Json, null> {
    return [...this.#done.values()].map(({ fingerprint: head, offset, check, skipping }) => [
      head.bytes,
      head.hash,
      offset,
      check.bytes,
      check.hash,
      ...(skipping ? [1] : []),
    ]);
  }
}

function readLedger(saved: Json | undefined): Done[] {
  if (!Array.isArray(saved)) return [];
  return saved.flatMap((entry: Json) => {
    if (!Array.isArray(entry)) return [];
    const [bytes, hash, offset, checkBytes, checkHash, skipping] = entry as readonly Json[];
    if (typeof bytes !== 'number' || typeof hash !== 'string' || typeof offset !== 'number') return [];
    return [
      {
        fingerprint: { bytes, hash },
        offset,
        check: { bytes: Number(checkBytes), hash: String(checkHash) },
        skipping: skipping === 1,
      },
    ];
  });
}
