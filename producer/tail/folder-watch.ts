/**
 * Wakes an input whose files lie still: a folder is watched while nothing in it grows, and no longer from its first
 * event on. Files that grow are looked at ten times a second in any case, and an event for each line that a web server
 * writes would cost more than parsing it.
 *
 * Only how soon a line is seen depends on it: where watching fails, files are still looked at.
 */
import { type FSWatcher, watch } from 'node:fs';

/** Folders watched at most: the kernel's limit of watches is shared with everybody. */
const MAX_FOLDERS = 1024;

export class FolderWatch {
  readonly #woken: (folder: string, names: ReadonlySet<string> | null) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Folders that cannot be watched, so that it is not tried each second. */
  readonly #refused = new Set<string>();

  /**
   * @param woken called once for a folder in which something happened, with the names that it happened to where the
   * system says so; the folder is watched until then
   */
  constructor(woken: (folder: string, names: ReadonlySet<string> | null) => void) {
    this.#woken = woken;
  }

  /** Watches these folders and no others. */
  watch(folders: ReadonlySet<string>): void {
    for (const folder of this.#watchers.keys()) if (!folders.has(folder)) this.#close(folder);
    for (const folder of folders) {
      if (this.#watchers.size >= MAX_FOLDERS) return;
      if (!this.#watchers.has(folder) && !this.#refused.has(folder)) this.#open(folder);
    }
  }

  watches(folder: string): boolean {
    return this.#watchers.has(folder);
  }

  close(): void {
    for (const folder of this.#watchers.keys()) this.#close(folder);
  }

  #open(folder: string): void {
    try {
      const names = new Set<string>();
      let complete = true;
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (this.#watchers.get(folder) !== watcher) return;
        const first = names.size === 0 && complete;
        if (name === null) complete = false;
        else names.add(name);
        // Events that came along with the first one are delivered before this.
        if (first) setImmediate(() => this.#report(folder, watcher, complete ? names : null));
      });
      watcher.on('error', () => {
        this.#refused.add(folder);
        this.#close(folder);
      });
      this.#watchers.set(folder, watcher);
    } catch (error) {
      // A folder that is not there yet may come; any other answer stays the same.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#refused.add(folder);
    }
  }

  #report(folder: string, watcher: FSWatcher, names: ReadonlySet<string> | null): void {
    if (this.#watchers.get(folder) !== watcher) return;
    this.#close(folder);
    this.#woken(folder, names);
  }

  #close(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }
}
