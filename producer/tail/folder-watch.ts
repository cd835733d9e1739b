/**
 * Wakes an input whose files lie still: a folder is watched while nothing in it grows, and no longer from its first
 * event on. While files grow they are looked at ten times a second in any case, and an event for each line that a
 * web server writes would cost more than its parsing.
 *
 * Nothing depends on it but how soon a line is seen: where watching fails, looking once a second goes on.
 */
import { type FSWatcher, watch } from 'node:fs';

/** Folders watched at most: the kernel's limit of watches is shared with everybody. */
const MAX_FOLDERS = 1024;

export class FolderWatch {
  readonly #woken: (folder: string) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Folders that can't be watched, so that it is not tried each second. */
  readonly #refused = new Set<string>();

  /** @param woken called once for a folder in which something happened; it is watched again when asked for anew */
  constructor(woken: (folder: string) => void) {
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

  close(): void {
    for (const folder of this.#watchers.keys()) this.#close(folder);
  }

  #open(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => {
        if (this.#watchers.get(folder) !== watcher) return;
        this.#close(folder);
        this.#woken(folder);
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

  #close(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }
}
