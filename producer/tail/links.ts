/**
 * Opens files in folders where others make the entries. The agent may read what they may not, so a symbolic link of
 * theirs leads it only where they could have gone by themselves: it counts when it is root's, or belongs to the user
 * whose file it leads to, or when everybody may read that file. (nginx has the like as `disable_symlinks if_not_owner`,
 * Linux for folders with the sticky bit as `fs.protected_symlinks`.)
 *
 *     path ─→ followLinks: a path without links, and whose links led there
 *          ─→ openWithoutLinks: from folder to folder by descriptors, so that nothing is exchanged meanwhile
 *          ─→ do the links count for the file that is open now?
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
} from 'node:fs';
import * as path from 'node:path';
import type { Symlinks } from './options.ts';

/** Links in one path; the kernel's own limit. */
const MAX_LINKS = 40;
/** Times that a path is tried while somebody changes it. */
const TRIES = 3;
/** open(2) of Linux: a descriptor that only names what it is of. */
const O_PATH = 0o10000000;
const ROOT = 0;
const EVERYBODY_READS = 0o004;
const EVERYBODY_ENTERS = 0o001;
/** A named pipe would hold the whole agent up until somebody writes into it. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK;
/** The code of the error about a link that does not count. */
export const UNTRUSTED = 'untrusted link';

/** Where a path leads to. */
export interface Way {
  /** Without links. */
  readonly path: string;
  /** The users whose links it came by. */
  readonly owners: ReadonlySet<number>;
}

/**
 * Follows the links of a path.
 *
 * @throws the system's error: ENOENT where nothing is, ELOOP for a ring of links, ESTALE when one is changed just now
 */
export function followLinks(file: string): Way {
  const owners = new Set<number>();
  let done = '/';
  let links = 0;
  for (const left = parts(path.resolve(file)); left.length > 0; ) {
    const name = left.shift()!;
    if (name === '..') {
      done = path.dirname(done);
      continue;
    }
    const at = path.join(done, name);
    const stats = lstatSync(at, { bigint: true });
    if (!stats.isSymbolicLink()) {
      done = at;
      continue;
    }
    links++;
    if (links > MAX_LINKS) throw failure('ELOOP', file);
    const target = readlinkSync(at);
    // Its owner and its target are those of one link.
    if (!isSame(stats, lstatSync(at, { bigint: true }))) throw failure('ESTALE', file);
    owners.add(Number(stats.uid));
    left.unshift(...parts(target));
    if (target.startsWith('/')) done = '/';
  }
  return { path: done, owners };
}

/** Follows the links of the paths of one look: what leads to a folder is followed once for all its files. */
export class Ways {
  readonly #folders = new Map<string, Way>();

  /** @throws as {@link followLinks} */
  of(file: string): Way {
    const folder = path.dirname(file);
    let way = this.#folders.get(folder);
    if (way === undefined) {
      way = followLinks(folder);
      this.#folders.set(folder, way);
    }
    const at = path.join(way.path, path.basename(file));
    return lstatSync(at).isSymbolicLink() ? followLinks(file) : { path: at, owners: way.owners };
  }
}

/**
 * Opens a followed file for reading.
 *
 * @param owners users whose links led to the path itself
 * @returns its descriptor
 * @throws the system's error, and as {@link openByLinks}
 */
export function openFollowed(file: string, symlinks: Symlinks, owners: Iterable<number> = []): number {
  return symlinks === 'trusted' ? openByLinks(file, owners) : openSync(file, READ);
}

/**
 * Opens a file for reading, by links that count.
 *
 * @param owners users whose links led to the path itself
 * @returns its descriptor
 * @throws the system's error; one with the code {@link UNTRUSTED} for a link that does not count
 */
export function openByLinks(file: string, owners: Iterable<number> = []): number {
  for (let tries = 1; ; tries++) {
    try {
      const way = followLinks(file);
      const { fd, everybody } = openWithoutLinks(way.path);
      const uid = Number(fstatSync(fd).uid);
      const other = [...way.owners, ...owners].find((owner) => owner !== ROOT && owner !== uid);
      if (other === undefined || everybody) return fd;
      closeSync(fd);
      throw untrusted(file, other, uid);
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      // A link that came or went meanwhile.
      if (tries < TRIES && ['ESTALE', 'ELOOP', 'ENOTDIR', 'ENOENT'].includes(code)) continue;
      throw error;
    }
  }
}

/** Opens a file by folders that are not links; tells whether everybody could. */
function openWithoutLinks(file: string): { readonly fd: number; readonly everybody: boolean } {
  const flags = READ | constants.O_NOFOLLOW;
  // Only Linux names what lies in a folder that is open.
  if (process.platform !== 'linux') return { fd: openSync(file, flags), everybody: false };
  const names = parts(file);
  const last = names.pop() ?? '.';
  const folder = constants.O_DIRECTORY | constants.O_NOFOLLOW | O_PATH;
  let everybody = true;
  let at = openSync('/', folder);
  try {
    for (const name of names) {
      const next = openSync(`/proc/self/fd/${at}/${name}`, folder);
      closeSync(at);
      at = next;
      everybody &&= (fstatSync(at).mode & EVERYBODY_ENTERS) !== 0;
    }
    const fd = openSync(`/proc/self/fd/${at}/${last}`, flags);
    everybody &&= (fstatSync(fd).mode & EVERYBODY_READS) !== 0;
    return { fd, everybody };
  } finally {
    closeSync(at);
  }
}

function parts(file: string): string[] {
  return file.split('/').filter((name) => name !== '' && name !== '.');
}

/** Not exchanged between two looks: a name that is given to another file changes that file's ctime. */
function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.ctimeNs === b.ctimeNs;
}

function failure(code: string, file: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: open '${file}'`), { code, syscall: 'open', path: file });
}

function untrusted(file: string, link: number, owner: number): NodeJS.ErrnoException {
  const message = `a link of user ${link} leads to a file of user ${owner}, which not everybody may read: \
it is not followed; \`symlinks: all\` has every link followed`;
  return Object.assign(new Error(message), { code: UNTRUSTED, syscall: 'open', path: file });
}
