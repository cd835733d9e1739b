/**
 * Goes on where another agent has stopped: its positions become generations of the ledger before the first file is
 * judged, as if this input had read so far itself.
 *
 * A position holds when its file is as long, and a line ends before it. Where the file is another one by now, or was
 * truncated, the oldest rotated file that was made since the other agent stopped holds the rest.
 */
import type { BigIntStats } from 'node:fs';
import * as path from 'node:path';
import type { Logger } from 'pino';
import { crc64, type OldPosition, type OldPositions } from '../predecessor/positions.ts';
import type { FileAccess } from './access.ts';
import { type Bytes, bytesOf } from './copies.ts';
import type { Examined, Examiner } from './examine.ts';
import { fingerprint } from './fingerprint.ts';
import { CHECK_BYTES } from './follower.ts';
import { UNREAD } from './generation.ts';
import { identityOf, type Ledger } from './ledger.ts';
import { followLinks } from './links.ts';
import type { Names } from './names.ts';
import type { Folder, Place } from './place.ts';
import { compressionOf } from './rotation.ts';
import { birthOf } from './source.ts';

/** Bytes of a first line at most that Vector takes a checksum of, unless it is configured to take more. */
const FIRST_LINE_BYTES = 102_400;
/** Paths that one message names at most. */
const NAMED = 10;

export interface FoundFile {
  readonly place: Place;
  readonly folder: Folder | null;
  readonly stats: BigIntStats;
}

export interface TakeOverDependencies {
  readonly access: FileAccess;
  readonly ledger: Ledger;
  readonly names: Names;
  readonly examiner: Examiner;
  readonly log: Logger;
}

/** A position whose file is not, or no longer, what it was. */
interface Orphan {
  readonly log: string;
  readonly offset: number;
  /** The last bytes before it in the file that has its inode now. */
  readonly before: Buffer | null;
}

/** Notes in the ledger how far another agent has read these files: all that there are. */
export function takeOver(
  positions: OldPositions,
  files: readonly FoundFile[],
  dependencies: TakeOverDependencies,
): void {
  const { log, names } = dependencies;
  const rotated = new Rotated(positions.at, files, dependencies);
  const orphans: Orphan[] = [];
  const taken = new Set<OldPosition>();
  for (const file of files) {
    if (compressionOf(file.place.name) !== null) continue;
    const position = positionOf(file, positions.list, dependencies);
    if (position === null || taken.has(position)) continue;
    taken.add(position);
    const orphan = claim(position, file, rotated, dependencies);
    if (orphan) orphans.push(orphan);
  }
  for (const position of positions.list) {
    const { file, offset } = position;
    if (taken.has(position) || file === null || !names.covers(file.path) || names.excludes(file.path))
      continue;
    orphans.push({ log: file.path, offset, before: null });
  }
  const lost = orphans.filter((orphan) => orphan.offset > 0 && !rotated.adopt(orphan));
  log.info({ positions: taken.size }, 'goes on where the other agent has stopped');
  if (lost.length > 0)
    log.warn(
      {
        files: lost.slice(0, NAMED).map((each) => ({ file: each.log, offset: each.offset })),
        all: lost.length,
      },
      'files that the other agent was reading are gone: what they held behind these positions, if anything, is not read',
    );
}

/** The rotated files that were made since the other agent stopped. */
class Rotated {
  readonly #at: number;
  readonly #files: readonly FoundFile[];
  readonly #dependencies: TakeOverDependencies;

  constructor(at: number, files: readonly FoundFile[], dependencies: TakeOverDependencies) {
    this.#at = Math.floor(at);
    this.#files = files;
    this.#dependencies = dependencies;
  }

  /** Whether a copy was made of a file before it was truncated: it holds something else before the position. */
  hasCopy(log: string, before: Buffer, offset: number): boolean {
    return this.#of(log).some((file) => {
      const { theirs } = this.#look(file, offset);
      return theirs !== null && !theirs.equals(before);
    });
  }

  /**
   * Has the rest of a log read from the rotated file that holds it.
   *
   * @returns whether there is one
   */
  adopt({ log, offset, before }: Orphan): boolean {
    for (const file of this.#of(log)) {
      const { opened, theirs } = this.#look(file, offset);
      if (opened === null || theirs === null || !endsLine(theirs)) continue;
      if (before !== null && theirs.equals(before)) continue;
      note(log, offset, opened, theirs, this.#dependencies);
      return true;
    }
    return false;
  }

  /** Those of a log, the oldest first. */
  #of(log: string): FoundFile[] {
    const made = this.#files.filter(({ place, folder, stats }) => {
      const hint = folder?.logs.hint(place.name);
      return hint?.usual === true && hint.log.path === log && Number(madeAt(stats) / 1_000_000n) >= this.#at;
    });
    return made.toSorted((a, b) => Number(madeAt(a.stats) - madeAt(b.stats)));
  }

  /** What a file is, and its last bytes before a position. */
  #look({ place, folder }: FoundFile, offset: number): { opened: Examined | null; theirs: Buffer | null } {
    const compressed = compressionOf(place.name);
    if (compressed === 'other') return { opened: null, theirs: null };
    const opened = this.#dependencies.examiner.examine(place, compressed, folder?.owners, true);
    if (opened === null || typeof opened === 'string') return { opened: null, theirs: null };
    const bytes = opened.bytes();
    const theirs = typeof bytes === 'string' ? null : checkOf(bytes, offset);
    opened.close();
    return { opened, theirs };
  }
}

/** When a file was made, in nanoseconds since 1970; when it was written last where nothing says that. */
function madeAt(stats: BigIntStats): bigint {
  return birthOf(stats) ?? stats.mtimeNs;
}

/** The position of a file by its inode, in the folder that it was in; or by its first line. */
function positionOf(
  { place, folder, stats }: FoundFile,
  list: readonly OldPosition[],
  { access }: TakeOverDependencies,
): OldPosition | null {
  const inode = String(stats.ino);
  const folders = new Set([path.dirname(place.path), path.dirname(place.target), folder?.path]);
  // Of two with one inode the later one is of a file that was made since.
  const own = list.findLast(({ file }) => {
    if (file?.inode !== inode) return false;
    return file.path === '' || folders.has(path.dirname(file.path)) || folders.has(folderOf(file.path));
  });
  if (own !== undefined || !list.some(({ firstLine }) => firstLine !== null)) return own ?? null;
  const opened = access.open(place.path, place.covered ? undefined : folder?.owners, true);
  if (opened === null || opened === 'rejected') return null;
  const bytes = bytesOf(opened.source).read(0, FIRST_LINE_BYTES);
  opened.source.close();
  const end = bytes.indexOf(0x0a);
  if (end < 0 && bytes.length < FIRST_LINE_BYTES) return null;
  const checksum = crc64(end < 0 ? bytes : bytes.subarray(0, end + 1));
  return list.find(({ firstLine }) => firstLine === checksum) ?? null;
}

/** Where a link leads to its file is where rotation leaves it. */
function folderOf(file: string): string | undefined {
  try {
    return path.dirname(followLinks(file).path);
  } catch {
    return undefined;
  }
}

/** @returns what is left to be found elsewhere, if the position is not one in this file */
function claim(
  { offset, file: named }: OldPosition,
  file: FoundFile,
  rotated: Rotated,
  dependencies: TakeOverDependencies,
): Orphan | null {
  const { access, names, log } = dependencies;
  const { place, folder } = file;
  const hint = folder?.logs.hint(place.name);
  const known = named !== null && names.covers(named.path) ? named.path : null;
  const of = known ?? hint?.log.path ?? place.path;
  const opened = access.open(place.path, place.covered ? undefined : folder?.owners, true);
  if (opened === null || opened === 'rejected') {
    log.warn({ file: place.path, offset }, 'cannot be opened: read from its start once it can be');
    return null;
  }
  const { source, head, stats } = opened;
  try {
    const before = checkOf(bytesOf(source), offset);
    if (before !== null && endsLine(before) && !(offset > 0 && rotated.hasCopy(place.path, before, offset))) {
      note(of, offset, { head, stats, source }, before, dependencies, place);
      return null;
    }
    log.warn(
      { file: place.path, offset, size: Number(stats.size) },
      'no longer holds what the other agent has read of it: read from its start',
    );
    return { log: of, offset, before };
  } finally {
    source.close();
  }
}

/** The last bytes before a position; null when there are fewer. */
function checkOf(bytes: Bytes, offset: number): Buffer | null {
  const length = Math.min(CHECK_BYTES, offset);
  const before = bytes.read(offset - length, length);
  return before.length === length ? before : null;
}

/** Whether a line ends with these bytes; in UTF-16 its newline has two. */
function endsLine(before: Buffer): boolean {
  const [other, last] = before.subarray(-2);
  return before.length === 0 || before.at(-1) === 0x0a || (last === 0 && other === 0x0a);
}

/** Notes that a log was read up to there. */
function note(
  log: string,
  offset: number,
  { head, stats, source }: Pick<Examined, 'head' | 'stats' | 'source'>,
  before: Buffer,
  { ledger }: TakeOverDependencies,
  place?: Place,
): void {
  const generation = ledger.create(log, place?.target ?? log, {
    ...UNREAD,
    offset,
    fingerprint: fingerprint(head),
    check: source === null ? UNREAD.check : fingerprint(before, before.length),
  });
  if (place) ledger.bind(generation, identityOf(stats));
}
