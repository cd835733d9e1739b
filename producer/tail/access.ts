/** Opens what lies where logs are; what the system refuses is logged once, counted, and retried with the next look. */
import type { BigIntStats } from 'node:fs';
import * as path from 'node:path';
import type { Logger } from 'pino';
import { binaryKind, UTF_16 } from './binary.ts';
import { readHead } from './fingerprint.ts';
import { openFollowed, UNTRUSTED } from './links.ts';
import type { Symlinks } from './options.ts';
import { PlainSource } from './source.ts';

const NOBODY: ReadonlySet<number> = new Set();

/** What says nothing of a file but that it cannot be seen now; a file that may not be read is none of the input's. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ESTALE', 'ETIMEDOUT']);

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
  /** Files that could not be opened and folders that could not be listed, and why, so that it is logged once. */
  readonly #refused = new Map<string, string>();
  /** Files that can be opened and are not logs, and why. */
  readonly #rejected = new Map<string, string>();
  /** Whether something could not be seen since this was last reset: a whole look resets it. */
  blind = false;
  /** Files of which the last other system call failed, and how. */
  readonly #failed = new Map<string, string>();

  constructor(dependencies: FileAccessDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Null when the file is gone, or refused; `rejected` when it is not a log, for as long as it does not change.
   *
   * @param owners users whose links led to its folder
   * @param quiet for a file that nobody asked for: a refusal is neither logged nor counted
   */
  open(file: string, owners: ReadonlySet<number> = NOBODY, quiet = false): OpenedFile | 'rejected' | null {
    let source: PlainSource | null = null;
    try {
      source = new PlainSource(openFollowed(file, this.#dependencies.symlinks, owners));
      const stats = source.stats();
      const head = stats.isFile() ? readHead(source.fd) : null;
      this.#refused.delete(file);
      const binary = head === null ? null : binaryKind(head, this.#dependencies.encoded);
      if (head !== null && binary === null) {
        this.#rejected.delete(file);
        return { source, stats, head };
      }
      source.close();
      if (!quiet) this.reject(file, head === null ? 'not a file' : `not text: ${binary}`);
      // Lines in another encoding are lines: they wait for the configuration.
      return binary === UTF_16 ? null : 'rejected';
    } catch (error) {
      source?.close();
      if (codeOf(error) === 'ENOENT') this.forget(file);
      else if (!quiet) this.refuse(file, error);
      return null;
    }
  }

  /** The descriptor of a file; null when the file is gone, or refused. The rest is as for {@link open}. */
  descriptor(file: string, owners: ReadonlySet<number> = NOBODY, quiet = false): number | null {
    try {
      const fd = openFollowed(file, this.#dependencies.symlinks, owners);
      this.#refused.delete(file);
      return fd;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') this.forget(file);
      else if (!quiet) this.refuse(file, error);
      return null;
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
      this.#note(this.#failed, file, error);
      return null;
    }
  }

  /** Whether this file, or the folder that it is in, was refused when it was last tried. */
  refuses(file: string): boolean {
    return [file, path.dirname(file)].some((each) => this.#refused.has(each) || this.#failed.has(each));
  }

  /** How the last call of {@link guarded} for a file failed; undefined when it did not. */
  failure(file: string): string | undefined {
    return this.#failed.get(file);
  }

  /** A name that leads nowhere any more. */
  forget(file: string): void {
    this.#refused.delete(file);
    this.#rejected.delete(file);
  }

  /** Notes that a folder was listed, or with which of the system's codes that failed. */
  listed(folder: string, code: string | null): void {
    if (code === null) {
      this.#refused.delete(folder);
      return;
    }
    this.#failedWith(code);
    if (this.#refused.get(folder) === code) return;
    this.#refused.set(folder, code);
    if (isExhausted(code)) return;
    this.#dependencies.count('refused');
    this.#dependencies.log.error({ folder, code }, 'cannot read the folder; it is retried');
  }

  /** Notes that a file that may be a log cannot be opened. */
  refuse(file: string, error: unknown): void {
    this.#note(this.#refused, file, error);
  }

  /** Notes that a file is not a log that can be read, whoever opens it. */
  reject(file: string, reason: string): void {
    if (this.#rejected.get(file) === reason) return;
    this.#rejected.set(file, reason);
    this.#dependencies.count('refused');
    this.#dependencies.log.error(
      { file, code: reason },
      'not a log that can be read: ignored until it changes',
    );
  }

  #failedWith(code: string): void {
    if (isExhausted(code)) this.#dependencies.exhausted();
    this.blind ||= PASSING.has(code);
  }

  #note(known: Map<string, string>, file: string, error: unknown): void {
    const code = codeOf(error);
    this.#failedWith(code);
    if (known.get(file) === code) return;
    known.set(file, code);
    if (isExhausted(code)) return;
    this.#dependencies.count('refused');
    const why = code === UNTRUSTED ? { why: (error as Error).message } : {};
    this.#dependencies.log.error({ file, code, ...why }, 'cannot open or read the file; it is retried');
  }
}

function isExhausted(code: string): boolean {
  return code === 'EMFILE' || code === 'ENFILE';
}

/** Whether a system call failed, as opposed to our code. */
export function isOfSystem(error: unknown): error is NodeJS.ErrnoException {
  return typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
