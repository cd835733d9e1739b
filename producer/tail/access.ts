/** Opens what lies where logs are; what the system refuses is logged once, counted, and retried with the next look. */
import type { BigIntStats } from 'node:fs';
import type { Logger } from 'pino';
import { binaryKind } from './binary.ts';
import { readHead } from './fingerprint.ts';
import { openFollowed, UNTRUSTED } from './links.ts';
import type { Symlinks } from './options.ts';
import { PlainSource } from './source.ts';

const NOBODY: ReadonlySet<number> = new Set();

/** A plain file that was opened, with what it begins with. */
export interface OpenedFile {
  readonly source: PlainSource;
  readonly stats: BigIntStats;
  readonly head: Buffer;
}

export interface FileAccessDependencies {
  /** Whether the input has an encoding of its own. */
  readonly encoded: boolean;
  readonly symlinks: Symlinks;
  readonly log: Logger;
  readonly count: (event: 'refused') => void;
  /** Called when no more files can be opened. */
  readonly exhausted: () => void;
}

export class FileAccess {
  readonly #dependencies: FileAccessDependencies;
  /** Files and folders that were refused, and why, so that it is logged once. */
  readonly #refused = new Map<string, string>();

  readonly #failed = new Set<string>();

  constructor(dependencies: FileAccessDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Null when the file is gone, or refused.
   *
   * @param owners users whose links led to its folder
   * @param quiet for a file that nobody asked for: a refusal is neither logged nor counted
   */
  open(file: string, owners: ReadonlySet<number> = NOBODY, quiet = false): OpenedFile | null {
    let source: PlainSource | null = null;
    try {
      source = new PlainSource(openFollowed(file, this.#dependencies.symlinks, owners));
      const stats = source.stats();
      if (!stats.isFile()) throw notAFile(file);
      const head = readHead(source.fd);
      const binary = binaryKind(head, this.#dependencies.encoded);
      if (binary !== null) throw notText(file, binary);
      this.#refused.delete(file);
      return { source, stats, head };
    } catch (error) {
      source?.close();
      // It may be gone by now.
      if (codeOf(error) !== 'ENOENT' && !quiet) this.refuse(file, error);
      return null;
    }
  }

  /**
   * The descriptor of a file; null when it is gone.
   *
   * @throws the system's error
   */
  descriptor(file: string, owners: ReadonlySet<number> = NOBODY): number | null {
    try {
      return openFollowed(file, this.#dependencies.symlinks, owners);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    }
  }

  /** Does something with a file; null when the system refuses it. Other errors are bugs, and thrown. */
  guarded<T>(file: string, work: () => T): T | null {
    try {
      const result = work();
      if (this.#failed.size > 0) this.#failed.delete(file);
      return result;
    } catch (error) {
      if (!isOfSystem(error)) throw error;
      this.#failed.add(file);
      this.refuse(file, error);
      return null;
    }
  }

  /** Whether this file, or one in this folder, was refused when it was last tried. */
  refuses(file: string): boolean {
    return this.#refused.has(file) || this.#failed.has(file);
  }

  refuseFolder(folder: string, code: string): void {
    if (this.#refused.get(folder) === code) return;
    this.#refused.set(folder, code);
    this.#dependencies.count('refused');
    this.#dependencies.log.error({ folder, code }, 'cannot read the folder; it is retried');
  }

  refuse(file: string, error: unknown): void {
    const code = codeOf(error);
    if (code === 'EMFILE' || code === 'ENFILE') this.#dependencies.exhausted();
    if (this.#refused.get(file) === code) return;
    this.#refused.set(file, code);
    if (code === 'EMFILE' || code === 'ENFILE') return;
    this.#dependencies.count('refused');
    const why = code === UNTRUSTED ? { why: (error as Error).message } : {};
    this.#dependencies.log.error({ file, code, ...why }, 'cannot open or read the file; it is retried');
  }
}

/** Whether a system call failed, as opposed to our code. */
export function isOfSystem(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

/** As the system would say it. */
function notAFile(file: string): Error {
  return Object.assign(new Error(`${file} is not a regular file`), { code: 'not a file', syscall: 'open' });
}

function notText(file: string, kind: string): Error {
  return Object.assign(new Error(`${file} is not a log: ${kind}`), { code: `not text: ${kind}` });
}
