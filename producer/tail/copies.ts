/** Whether one file is a copy of another: by the bytes at the beginning and at the end of the shorter one. */
import type { BigIntStats } from 'node:fs';
import { FINGERPRINT_BYTES } from './fingerprint.ts';
import { CHECK_BYTES } from './follower.ts';
import { birthOf, type PlainSource } from './source.ts';

/** Nanoseconds by which a time of change may be too early that a copy or a compressor has handed on. */
const MTIME_SLACK = 2_000_000_000n;

/** What a log holds, wherever that comes from. */
export interface Bytes {
  readonly size: number;
  /** Fewer than `length` where it ends. */
  read(from: number, length: number): Buffer;
}

/** A file that may be a copy. */
export interface Suspect {
  /** Its first bytes. */
  readonly head: Buffer;
  readonly compressed: boolean;
  readonly stats: BigIntStats;
  /** What is in it; `partial` while it is being compressed, and `large` when that is too much to hold. */
  readonly bytes: () => Bytes | 'partial' | 'large';
}

/** The bytes of an open file. */
export function bytesOf(source: PlainSource): Bytes {
  return {
    size: Number(source.stats().size),
    read(from, length) {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, source.read(bytes, 0, length, from));
    },
  };
}

/** Bytes that were decompressed. */
export function bytesIn(all: Buffer): Bytes {
  return { size: all.length, read: (from, length) => all.subarray(from, from + length) };
}

/**
 * Whether a file may be a copy of another one: not when it ends with bytes that are not in the original, provided that
 * nothing that was read of that one has gone since; nor when it is older, although it holds nothing else.
 *
 * @param born when the original was made; null where that says nothing
 * @param intact asked last, because a copy is made before its original is truncated
 */
export function mayBeCopy(
  original: Bytes,
  born: bigint | null,
  suspect: Suspect,
  intact: () => boolean,
): boolean | 'older' {
  const alike = startsAlike(original, suspect.head) && goesOnAlike(original, suspect);
  if (born !== null && isOlder(suspect, born)) return alike && suspect.head.length > 0 ? 'older' : false;
  return alike || !intact();
}

function isOlder({ stats, compressed }: Suspect, born: bigint): boolean {
  const suspectBorn = compressed ? null : birthOf(stats);
  return stats.mtimeNs < born - MTIME_SLACK || (suspectBorn !== null && suspectBorn < born);
}

/** Whether a file holds all of another one. */
export function contains(file: Suspect, other: Bytes): boolean {
  const bytes = file.bytes();
  if (typeof bytes === 'string' || bytes.size < other.size) return false;
  const length = Math.min(FINGERPRINT_BYTES, other.size);
  return [0, other.size - length].every((at) => bytes.read(at, length).equals(other.read(at, length)));
}

function startsAlike(original: Bytes, head: Buffer): boolean {
  const own = original.read(0, FINGERPRINT_BYTES);
  const length = Math.min(own.length, head.length);
  return own.compare(head, 0, length, 0, length) === 0;
}

/** Whether the last bytes of the other file stand here, at the same place. */
function goesOnAlike(original: Bytes, suspect: Suspect): boolean {
  const bytes = suspect.bytes();
  if (typeof bytes === 'string') return bytes === 'partial';
  const at = Math.max(0, bytes.size - CHECK_BYTES);
  const theirs = bytes.read(at, CHECK_BYTES);
  // Zeros may be what the copy has not received yet.
  return original.read(at, theirs.length).equals(theirs) || theirs.every((byte) => byte === 0);
}
