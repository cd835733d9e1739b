/** Opens what lies where logs are; what the system refuses is said once, counted, and tried again with the next look. */
import type { BigIntStats } from 'node:fs';
import type { Logger } from 'pino';
import { binaryKind } from './binary.ts';
import { readHead } from './fingerprint.ts';
import { type List, listFolder } from './glob.ts';
import { openFollowed, UNTRUSTED } from './links.ts';
import type { FollowedLog } from './log.ts';
import type { Symlinks } from './options.ts';
import { PlainSource } from './source.ts';

/** A file of a log, with what it begins with. */
export interface OpenedFile {
  readonly source: PlainSource;
  readonly stats: BigIntStats;
  readonly head: Buffer;
}

export interface FileAccessParts {
  /** Whether the input has an encoding of its own. */
  readonly encoded: boolean;
  readonly symlinks: Symlinks;
  readonly log: Logger;
  readonly count: (event: 'refused') => void;
}

export class FileAccess {
  readonly #parts: FileAccessParts;
  readonly #refusedFolders = new Map<string, string>();

  constructor(parts: FileAccessParts) {
    this.#parts = parts;
  }

  /** Null when the file is gone, or refused. */
  open(log: FollowedLog, file: string): OpenedFile | null {
    let source: PlainSource | null = null;
    try {
      source = new PlainSource(this.#descriptor(log, file));
      const stats = source.stats();
      if (!stats.isFile()) throw notAFile(file);
      const head = readHead(source.fd);
      const binary = binaryKind(head, this.#parts.encoded);
      if (binary !== null) throw notText(file, binary);
      log.refused.delete(file);
      return { source, stats, head };
    } catch (error) {
      source?.close();
      // It may be gone by now.
      if (codeOf(error) !== 'ENOENT') this.#refuse(log, file, error);
      return null;
    }
  }

  /**
   * The descriptor of a file of a log; null when it is gone.
   *
   * @throws the system's error
   */
  descriptor(log: FollowedLog, file: string): number | null {
    try {
      return this.#descriptor(log, file);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    }
  }

  #descriptor(log: FollowedLog, file: string): number {
    return openFollowed(file, this.#parts.symlinks, log.linkOwners);
  }

  /** Does something with a log; null when the system refuses it. Other errors are ours, and thrown. */
  guarded<T>(log: FollowedLog, work: () => T, file = log.path): T | null {
    try {
      return work();
    } catch (error) {
      if (!isOfSystem(error)) throw error;
      this.#refuse(log, file, error);
      return null;
    }
  }

  /** Lists folders, each one once. */
  lister(): List {
    const folders = new Map<string, ReturnType<List>>();
    return (folder) => {
      const known = folders.get(folder);
      if (known) return known;
      const entries = listFolder(folder, (code) => this.#refuseFolder(folder, code));
      folders.set(folder, entries);
      return entries;
    };
  }

  #refuseFolder(folder: string, code: string): void {
    if (this.#refusedFolders.get(folder) === code) return;
    this.#refusedFolders.set(folder, code);
    this.#parts.count('refused');
    this.#parts.log.error({ folder, code }, 'folder can not be read, and will be tried again');
  }

  #refuse(log: FollowedLog, file: string, error: unknown): void {
    const code = codeOf(error);
    if (log.refused.get(file) === code) return;
    log.refused.set(file, code);
    this.#parts.count('refused');
    const why = code === UNTRUSTED ? { why: (error as Error).message } : {};
    this.#parts.log.error({ file, code, ...why }, 'file can not be opened or read, and will be tried again');
  }
}

/** Whether a system call failed, and not we. */
export function isOfSystem(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

/** As the system would say it. */
function notAFile(file: string): Error {
  return Object.assign(new Error(`${file} is no file`), { code: 'no file' });
}

function notText(file: string, kind: string): Error {
  return Object.assign(new Error(`${file} is not a log: ${kind}`), { code: `not text: ${kind}` });
}
