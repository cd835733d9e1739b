/** Where the bytes of a generation of a log come from: an open file, or a compressed one. */
import { type BigIntStats, closeSync, fstatSync, readSync, statSync } from 'node:fs';

/** When a file was made; null where the file system does not say, or what it says is the last change. */
export function birthOf({ birthtimeNs, ctimeNs }: BigIntStats): bigint | null {
  return birthtimeNs > 0n && birthtimeNs !== ctimeNs ? birthtimeNs : null;
}

/** Device and inode: what names a file while it exists. */
export function fileKey(stats: BigIntStats): string {
  return `${stats.dev}:${stats.ino}`;
}

export function isSameFile(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}

export interface Source {
  /**
   * Copies up to `length` bytes from `position` on into `buffer` at `at` and returns how many; fewer than asked for
   * means that there are no more now.
   */
  read(buffer: Buffer, at: number, length: number, position: number): number;
  /** Whether it keeps this very file open. */
  holds(stats: BigIntStats): boolean;
  /** Whether bytes before the position can be reread. */
  readonly seekable: boolean;
  close(): void;
}

/** A file as it lies there. */
export class PlainSource implements Source {
  readonly seekable = true;
  /** Is closed with it. */
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  stats(): BigIntStats {
    return fstatSync(this.fd, { bigint: true });
  }

  holds(stats: BigIntStats): boolean {
    try {
      return isSameFile(this.stats(), stats);
    } catch {
      // Its volume is gone.
      return false;
    }
  }

  read(buffer: Buffer, at: number, length: number, position: number): number {
    let read = 0;
    while (read < length) {
      const n = readSync(this.fd, buffer, at + read, length - read, position + read);
      if (n === 0) break;
      read += n;
    }
    return read;
  }

  close(): void {
    closeSync(this.fd);
  }
}

/**
 * What a path leads to; null when nothing does.
 *
 * @throws the system's error when it cannot be known: a folder that may not be entered, a ring of links
 */
export function statOf(file: string): BigIntStats | null {
  try {
    return statSync(file, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return null;
    throw error;
  }
}
