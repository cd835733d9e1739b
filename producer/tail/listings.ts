/** Folders as they were listed last: a folder is relisted only when its time of change has moved. */
import { type Dirent, readdirSync } from 'node:fs';
import { statOf } from './source.ts';

/** Milliseconds after a change during which another one may leave the same time: clocks of file systems are coarse. */
const COARSE = 2000;

interface Listing {
  signature: string;
  /** Whether an unchanged time of change proves an unchanged folder. */
  settled: boolean;
  entries: readonly Dirent[];
  round: number;
}

export class Listings {
  readonly #folders = new Map<string, Listing>();
  readonly #now: () => number;
  readonly #listed: (folder: string, code: string | null) => void;
  /** Folders that could not be read when they were last asked for. */
  readonly #unread = new Set<string>();
  #round = 0;

  /**
   * @param now milliseconds since 1970
   * @param listed called when a folder was asked for, with the system's code when it exists but cannot be read
   */
  constructor(now: () => number, listed: (folder: string, code: string | null) => void) {
    this.#now = now;
    this.#listed = listed;
  }

  /** Begins a look: each folder is checked at most once until the next one. Returns whether any may have changed. */
  begin(force: boolean): boolean {
    this.#round++;
    if (force) this.#folders.clear();
    let changed = force || this.#folders.size === 0 || this.#unread.size > 0;
    this.#unread.clear();
    for (const [folder, listing] of this.#folders) {
      if (!listing.settled || signatureOf(folder) !== listing.signature) {
        this.#folders.delete(folder);
        changed = true;
      } else listing.round = this.#round;
    }
    return changed;
  }

  /** The entries of a folder; null when they cannot be known now. The same array means that nothing changed. */
  list(folder: string): readonly Dirent[] | null {
    const known = this.#folders.get(folder);
    if (known?.round === this.#round) return known.entries;
    const signature = signatureOf(folder);
    if (known?.settled && known.signature === signature) {
      known.round = this.#round;
      return known.entries;
    }
    try {
      const entries = signature === '' ? [] : readdirSync(folder, { withFileTypes: true });
      const changed = Number(signature.slice(signature.indexOf(':') + 1)) / 1e6;
      const settled = signature === '' || this.#now() - changed > COARSE;
      this.#folders.set(folder, { signature, settled, entries, round: this.#round });
      this.#listed(folder, null);
      return entries;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return [];
      this.#unread.add(folder);
      this.#listed(folder, code);
      return null;
    }
  }

  /** Has a folder relisted with the next call. */
  forget(folder: string): void {
    this.#folders.delete(folder);
  }
}

/** Empty when nothing is there. */
function signatureOf(folder: string): string {
  try {
    const stats = statOf(folder);
    return stats === null ? '' : `${stats.ino}:${stats.mtimeNs}`;
  } catch {
    // Listing it says why.
    return '?:0';
  }
}
