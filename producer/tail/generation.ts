/** A generation of a log: what is known of the content of one file, wherever it lies; and its form in the state. */
import * as z from 'zod/mini';
import { checkState, type Json } from '../state.ts';
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

const count = z.int().check(z.nonnegative());

/** What {@link Generation.toJson} writes. */
const stored = z.tuple([
  z.string(),
  z.string(),
  count,
  count,
  z.string(),
  z.int(),
  count,
  z.string(),
  count,
  z.string(),
  z.string(),
  z.string(),
]);

const mark = z.tuple([count, z.string()]);

/** What versions up to 0.1 wrote of an open file. */
const storedOpenFile = z.object({
  path: z.string(),
  at: z.optional(z.string()),
  offset: count,
  fingerprint: mark,
  check: z.optional(z.nullable(mark)),
  skipping: z.optional(z.boolean()),
  born: z.optional(z.string()),
});

/** What they wrote of a closed one: bytes and hash of its head, offset, bytes and hash before it, flags, inode, birth. */
const storedClosedFile = z.tuple([count, z.string(), count], z.union([z.string(), count]));

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

  /**
   * The opposite of {@link toJson}.
   *
   * @throws TailraceError STATE_INVALID for anything else, here and below: a position that is not known is not guessed
   */
  static fromJson(name: string, id: number, json: Json): Generation {
    const [log, at, offset, bytes, hash, prefix, checkBytes, checkHash, flags, key, born, mtime] = checkState(
      name,
      json,
      stored,
    );
    const read = readOf(offset, [bytes, hash], [checkBytes, checkHash], (flags & SKIPPING) !== 0);
    const generation = new Generation(id, log, at === '' ? log : at, read);
    generation.prefix = prefix;
    generation.file = { key, born };
    generation.mtime = mtime;
    generation.whole = (flags & WHOLE) !== 0;
    generation.ended = (flags & ENDED) !== 0;
    generation.ageless = (flags & AGELESS) !== 0;
    generation.truncated = (flags & TRUNCATED) !== 0;
    generation.copied = (flags & COPIED) !== 0;
    generation.noted = (flags & NOTED) !== 0;
    generation.dirty = false;
    return generation;
  }

  /** Reads what versions up to 0.1 wrote of an open file: an object under `file <device and inode>`. */
  static fromOpenFile(name: string, id: number, key: string, json: Json): Generation {
    const {
      path,
      at = path,
      offset,
      fingerprint: head,
      check,
      skipping = false,
      born = '',
    } = checkState(name, json, storedOpenFile);
    const generation = new Generation(id, path, at, readOf(offset, head, check ?? [0, ''], skipping));
    generation.file = { key, born };
    return generation;
  }

  /** Reads what versions up to 0.1 wrote of a closed file: an entry of the array under `log <path>`. */
  static fromClosedFile(name: string, id: number, log: string, json: Json): Generation {
    const [bytes, hash, offset, checkBytes = 0, checkHash = '', flags = 0, key = '', born = ''] = checkState(
      name,
      json,
      storedClosedFile,
    );
    const check = [Number(checkBytes), String(checkHash)] as const;
    const read = readOf(offset, [bytes, hash], check, (Number(flags) & SKIPPING) !== 0);
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

type Mark = readonly [bytes: number, hash: string];

function readOf(offset: number, head: Mark, check: Mark, skipping: boolean): Position {
  const pair = ([bytes, hash]: Mark): Fingerprint => ({ bytes, hash });
  return { offset, fingerprint: pair(head), check: pair(check), skipping };
}
