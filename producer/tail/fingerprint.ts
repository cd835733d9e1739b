/** Fingerprints: a generation of a log file is known by a hash of its first bytes, wherever it is moved or copied. */
import { hash } from 'node:crypto';
import { readSync } from 'node:fs';

/** Bytes that a fingerprint covers at most: several lines of any log, their times among them. */
export const FINGERPRINT_BYTES = 1024;
/** Bytes that the short hash of a head covers, by which fingerprints are looked up. */
const PREFIX_BYTES = 32;

export interface Fingerprint {
  /** Bytes covered: less than the maximum only while the file is that short. */
  readonly bytes: number;
  /** Hex; empty for no bytes. */
  readonly hash: string;
}

export const NO_FINGERPRINT: Fingerprint = { bytes: 0, hash: '' };
/** The prefix of a head that is too short for one. */
export const NO_PREFIX = -1;

/** The fingerprint of a file's head, of which `bytes` are covered. */
export function fingerprint(head: Uint8Array, bytes = Math.min(head.length, FINGERPRINT_BYTES)): Fingerprint {
  if (bytes === 0) return NO_FINGERPRINT;
  return { bytes, hash: hash('sha256', head.subarray(0, bytes), 'hex').slice(0, 24) };
}

/** Whether `head`, the first bytes of a file, begin as the file of that fingerprint did. Nothing matches no bytes. */
export function begins(head: Uint8Array, known: Fingerprint): boolean {
  return known.bytes > 0 && head.length >= known.bytes && fingerprint(head, known.bytes).hash === known.hash;
}

/** Whether there are bytes, and all of them are zero. */
export function isZeros(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.every((byte) => byte === 0);
}

/** A number for the first 32 bytes of a head: FNV-1a. */
export function prefixOf(head: Uint8Array): number {
  if (head.length < PREFIX_BYTES) return NO_PREFIX;
  let value = 0x811c9dc5;
  for (let i = 0; i < PREFIX_BYTES; i++) value = Math.imul(value ^ head[i]!, 0x01000193);
  return value >>> 0;
}

/** Reads the head of an open file. */
export function readHead(fd: number): Buffer {
  const head = Buffer.alloc(FINGERPRINT_BYTES);
  return head.subarray(0, readSync(fd, head, 0, FINGERPRINT_BYTES, 0));
}
