/** Files that no longer hold what was read of them: they are read from their start, and a copy with the rest is looked for. */

import * as path from 'node:path';
import type { Logger } from 'pino';
import type { FileAccess } from './access.ts';
import { readHead } from './fingerprint.ts';
import type { Follower } from './follower.ts';
import { type Generation, NO_FILE } from './generation.ts';
import type { Holdings } from './holdings.ts';
import type { Ledger } from './ledger.ts';
import type { Missing } from './missing.ts';
import type { Names } from './names.ts';
import type { OpenFiles } from './open-files.ts';
import type { Folder } from './place.ts';
import { PlainSource } from './source.ts';

const NO_BYTES = Buffer.alloc(0);

export interface TruncationsDependencies {
  readonly access: FileAccess;
  readonly ledger: Ledger;
  readonly names: Names;
  readonly files: OpenFiles;
  readonly holdings: Holdings;
  readonly missing: Missing;
  readonly log: Logger;
  readonly uptime: () => number;
  readonly count: (event: 'truncated' | 'lost_bytes' | 'repeated', by?: number) => void;
  readonly ready: (follower: Follower) => void;
  /** Relists folders and looks at all names in them. */
  readonly relook: (folders: Iterable<Folder>) => void;
}

/** What a truncated file held, of which the rest may be in a copy. */
export interface Rest {
  readonly follower: Follower;
  readonly old: Generation;
  /** Bytes. */
  readonly unread: number;
  /** Where a copy may be. */
  readonly folders: ReadonlySet<Folder>;
}

export class Truncations {
  readonly #dependencies: TruncationsDependencies;

  constructor(dependencies: TruncationsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Finds out which files were truncated, and how all of them begin by now, before anything is compared with them.
   *
   * @returns what they held
   */
  verify(followers: ReadonlySet<Follower>): Rest[] {
    const { files, access } = this.#dependencies;
    const truncated: Follower[] = [];
    for (const follower of followers) {
      if (!files.all.has(follower) || !(follower.source instanceof PlainSource)) continue;
      const holds = access.guarded(follower.file, () => {
        follower.growHead();
        return follower.holds();
      });
      if (holds === false) truncated.push(follower);
    }
    return truncated.map((follower) => this.restart(follower));
  }

  /** Has a truncated file read from its start; returns what it held. */
  restart(follower: Follower): Rest {
    const { ledger, names, files, holdings, missing, log, uptime, count } = this.#dependencies;
    const old = files.all.get(follower)!;
    count('truncated');
    const { unread, source } = follower;
    ledger.refresh(old);
    const { file } = old;
    old.follower = null;
    old.ended = true;
    ledger.bind(old, NO_FILE);
    old.truncated = true;
    log.info(
      { file: follower.file, offset: follower.offset },
      'file was truncated: reading it from its start',
    );
    const head = source instanceof PlainSource ? readHead(source.fd) : NO_BYTES;
    if (follower.sharesLine(head)) {
      count('repeated');
      log.warn(
        { file: follower.file },
        'file was truncated and begins as before: its first lines may come a second time',
      );
    }
    follower.restart(head, uptime());
    const next = ledger.create(old.log, old.at);
    next.follower = follower;
    files.all.set(follower, next);
    ledger.bind(next, file);
    const folders = new Set<Folder>();
    for (const name of [...old.names]) {
      const place = names.place(name)!;
      if (place.home) folders.add(place.home);
      old.names.delete(name);
      next.names.add(name);
      place.generation = next;
    }
    folders.add(names.folder(path.dirname(old.at)));
    ledger.refresh(next);
    holdings.reconsiderCopies(old);
    missing.seek(old);
    return { follower, old, unread, folders };
  }

  /** Looks for copies with what was not read, in each folder once for all of them. */
  search(rests: readonly Rest[]): void {
    const sought = rests.filter(({ old }) => old.sought);
    if (sought.length > 0) this.#dependencies.relook(new Set(sought.flatMap(({ folders }) => [...folders])));
    for (const rest of rests) this.#conclude(rest);
  }

  #conclude({ follower, old, unread }: Rest): void {
    const { missing, log, count, ready } = this.#dependencies;
    const found = !old.sought;
    missing.forget(old);
    if (unread > 0 && !found && old.follower === null) {
      count('lost_bytes', unread);
      log.warn(
        { file: follower.file, bytes: unread },
        'truncated before its end was read, and there is no copy',
      );
    }
    ready(follower);
  }
}
