/** Ends the process at a chosen step of the commit protocol, once: for tests of what comes after. */
import * as fs from 'node:fs';
import { TailraceError } from '../chunk/errors.ts';
import type { ArchiveStore, ObjectKind } from './store.ts';

/**
 * @param spec `commit` (right after a commit was put), `object` (after a data object) or `before` (before a commit),
 *   `:` and the name of a file that is made when it has happened; nothing happens when it is there
 */
export function withFault(store: ArchiveStore, spec: string | undefined): ArchiveStore {
  if (spec === undefined) return store;
  const [point, flag] = [spec.slice(0, spec.indexOf(':')), spec.slice(spec.indexOf(':') + 1)];
  if (!['commit', 'object', 'before'].includes(point)) {
    throw new TailraceError('CONFIG', `TAILRACE_FAULT: there is no point ${point}`);
  }
  const endAt = (here: string): void => {
    if (here !== point) return;
    try {
      fs.writeFileSync(flag, String(process.pid), { flag: 'wx' });
    } catch {
      return;
    }
    process.kill(process.pid, 'SIGKILL');
  };
  return {
    get: (key) => store.get(key),
    head: (key) => store.head(key),
    first: (prefix) => store.first(prefix),
    folders: (prefix) => store.folders(prefix),
    async putIfAbsent(key: string, body: readonly Uint8Array[], kind: ObjectKind, sha256?: string) {
      if (kind === 'commit') endAt('before');
      const outcome = await store.putIfAbsent(key, body, kind, sha256);
      endAt(kind === 'commit' ? 'commit' : 'object');
      return outcome;
    },
  };
}
