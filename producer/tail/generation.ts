/** A generation of a log: what is known of the content of one file, wherever it lies; and its form in the state. */
import type { Json } from '../state.ts';
import { type Fingerprint, fingerprint, NO_PREFIX } from './fingerprint.ts';
import type { Follower, Position } from './follower.ts';

export const UNREAD: Position = {
  offset: 0,
  fingerprint: { bytes: 0, hash: '' },
  check: { bytes: 0, hash: '' },
  skipping: false,
};

/** Which file holds a generation. */
export interface FileIdentity {
  /** Device and inode; empty when only copies hold the generation. */
  readonly key: string;
  /** When the file was made, in nanoseconds since 1970: an inode is reused. */
  readonly born: string;
}

export const NO_FILE: FileIdentity = { key: '', born: '' };

/** Flags of a generation in the state. */
const SKIPPING = 1;
const WHOLE = 2;
const ENDED = 4;
const NOTED = 8;
const COPIED = 16;
const AGELESS = 32;
const TRUNCATED = 64;
/** What earlier versions wrote as the offset of a compressed file that was there before the log was followed. */
const BEFORE_OUR_TIME = Number.MAX_SAFE_INTEGER;

export class Generation {
  readonly id: number;
  /** The path of the log that it belongs to: it names the tag. */
  readonly log: string;
  /** Where its file lay when it was last seen. */
  at: string;
  read: Position;
  /** {@link prefixOf} its first bytes; unknown for what an earlier version wrote. */
  prefix: number = NO_PREFIX;
  file: FileIdentity = NO_FILE;
  /** Time of last change of its file when all of it was read; empty when unknown. */
  mtime = '';
  /** Whether it was there before the log was followed, or was read to its end from a compressed file. */
  whole = false;
  /** Whether it was read to its end, and its file is no longer the log's: what follows is a surprise. */
  ended = false;
  /** Whether it is nothing but the note that a file is a copy, up to this offset. */
  noted = false;
  /** Whether its file was truncated, so that only copies hold it. */
  truncated = false;
  /** Whether its file is a copy of the one that it was written to. */
  copied = false;
  /** Whether its file may be a copy, as it was first seen under a new name: when that was made says nothing. */
  ageless = false;
  /** The open file, while there is one. */
  follower: Follower | null = null;
  /** The names that hold its file. */
  readonly names = new Set<string>();
  /** The names of what seems to be a copy of it. */
  readonly copies = new Set<string>();
  /** Whether it vanished, or was truncated, before all of it was read: it is looked for under any name. */
  sought = false;
  /** When no name of it was seen first, by the monotonic clock; null while there is one. */
  unseenSince: number | null = null;
  /** Whether the state has to be updated. */
  dirty = true;

  constructor(id: number, log: string, at: string, read: Position = UNREAD) {
    this.id = id;
    this.log = log;
    this.at = at;
    this.read = read;
  }

  get key(): string {
    return this.file.key;
  }

  /** Notes what its follower has read. */
  update(): void {
    const { follower } = this;
    if (!follower?.dirty) return;
    this.read = follower.position();
    this.prefix = follower.prefix;
    this.mtime = follower.sizeSeen === BigInt(follower.offset) ? String(follower.mtimeSeen) : '';
    follower.dirty = false;
    this.dirty = true;
  }

  toJson(): Exclude<Json, null> {
    const { offset, fingerprint: head, check, skipping } = this.read;
    return [
      this.log,
      this.at === this.log ? '' : this.at,
      offset,
      head.bytes,
      head.hash,
      this.prefix,
      check.bytes,
      check.hash,
      (skipping ? SKIPPING : 0) |
        (this.whole ? WHOLE : 0) |
        (this.ended ? ENDED : 0) |
        (this.noted ? NOTED : 0) |
        (this.copied ? COPIED : 0) |
        (this.ageless ? AGELESS : 0) |
        (this.truncated ? TRUNCATED : 0),
      this.file.key,
      this.file.born,
      this.mtime,
    ];
  }

  /** The opposite of {@link toJson}; null for what it did not write. */
  static fromJson(id: number, json: Json): Generation | null {
    if (!Array.isArray(json)) return null;
    const [log, at, offset, bytes, hash, prefix, checkBytes, checkHash, flags, key, born, mtime] = json;
    if (typeof log !== 'string' || typeof offset !== 'number' || typeof bytes !== 'number') return null;
    const read = readOf(offset, [bytes, hash], [checkBytes, checkHash], (Number(flags) & SKIPPING) !== 0);
    const generation = new Generation(id, log, at === '' ? log : String(at), read);
    generation.prefix = Number(prefix);
    generation.file = { key: String(key), born: String(born) };
    generation.mtime = String(mtime);
    generation.whole = (Number(flags) & WHOLE) !== 0;
    generation.ended = (Number(flags) & ENDED) !== 0;
    generation.ageless = (Number(flags) & AGELESS) !== 0;
    generation.truncated = (Number(flags) & TRUNCATED) !== 0;
    generation.copied = (Number(flags) & COPIED) !== 0;
    generation.noted = (Number(flags) & NOTED) !== 0;
    generation.dirty = false;
    return generation;
  }

  /** Reads what versions up to 0.1 wrote of an open file: an object under `file <device and inode>`. */
  static fromOpenFile(id: number, key: string, json: Json): Generation | null {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return null;
    const value = json as { readonly [key: string]: Json };
    const { path, offset, fingerprint: head, check, skipping, born, at } = value;
    if (typeof path !== 'string' || typeof offset !== 'number' || !Array.isArray(head)) return null;
    const read = readOf(offset, head, Array.isArray(check) ? check : [0, ''], skipping === true);
    const generation = new Generation(id, path, typeof at === 'string' ? at : path, read);
    generation.file = { key, born: typeof born === 'string' ? born : '' };
    return generation;
  }

  /** Reads what versions up to 0.1 wrote of a closed file: an entry of the array under `log <path>`. */
  static fromClosedFile(id: number, log: string, json: Json): Generation | null {
    if (!Array.isArray(json)) return null;
    const [bytes, hash, offset, checkBytes, checkHash, flags = 0, key = '', born = ''] = json;
    if (typeof bytes !== 'number' || typeof offset !== 'number') return null;
    const read = readOf(offset, [bytes, hash], [checkBytes, checkHash], (Number(flags) & SKIPPING) !== 0);
    const generation = new Generation(id, log, log, read);
    generation.file = { key: String(key), born: String(born) };
    generation.whole = (Number(flags) & WHOLE) !== 0 || offset === BEFORE_OUR_TIME;
    generation.truncated = key === '';
    generation.ended = true;
    return generation;
  }
}

/** What was read of a file that was passed over: all that it holds. */
export function passedOver(head: Buffer, size: number): Position {
  return { offset: Math.max(size, 0), fingerprint: fingerprint(head), check: UNREAD.check, skipping: false };
}

function readOf(
  offset: number,
  head: readonly unknown[],
  check: readonly unknown[],
  skipping: boolean,
): Position {
  const pair = ([bytes, hash]: readonly unknown[]): Fingerprint => ({
    bytes: Number(bytes),
    hash: String(hash),
  });
  return { offset, fingerprint: pair(head), check: pair(check), skipping };
}
