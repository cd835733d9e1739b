/** Objects as files that DuckDB can read: those of a folder where they are, those of S3 fetched into the run's folder. */
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { atOnce } from '../base/at-once.ts';
import { TailraceError } from '../base/errors.ts';
import { bytes as size } from '../base/human.ts';
import type { CommitObject } from './commit.ts';
import type { ShowProgress } from './find.ts';
import { type LogFile, logFileOf } from './logs-sql.ts';
import { COLD, MISSING, type ObjectBytes } from './reading.ts';

/** So many are fetched at the same time, fewer where one of them is large. */
const SMALL_AT_ONCE = 64;
const LARGE_AT_ONCE = 8;
const LARGE_BYTES = 1024 * 1024;
/** What one of them holds in memory. */
const PIECE_BYTES = 8 * 1024 * 1024;
const READ_BYTES = 256 * 1024;

const DAMAGED =
  'does not match its checksum: tailrace verify --deep says where, tailrace cat reads around it';

/** What has to be known of an object to have it as a file. */
export type FileObject = Pick<
  CommitObject,
  'key' | 'tag' | 'hour' | 'codec' | 'bytes' | 'sha256' | 'foreign' | 'first_time' | 'last_time'
>;

export interface ObjectFiles {
  /** In the order of the entries. */
  readonly files: readonly LogFile[];
  /** Bytes that came from S3. */
  readonly fetched: number;
  /** Objects that could not be had. */
  readonly faults: readonly { readonly key: string; readonly fault: string }[];
}

export interface FetchOptions {
  readonly store: ObjectBytes;
  /** Where the run's files are. */
  readonly folder: string;
  /** The folder that is the archive, when it is one. */
  readonly archiveFolder: string | undefined;
  /** Most bytes that are fetched. */
  readonly limit: number;
  readonly show: ShowProgress | undefined;
}

/** @throws TailraceError QUERY_TOO_LARGE before anything is fetched */
export async function objectFiles(
  entries: readonly { readonly object: FileObject }[],
  options: FetchOptions,
): Promise<ObjectFiles> {
  const { folder, archiveFolder, limit, show } = options;
  const inner = join(folder, 'objects');
  mkdirSync(inner);
  const places = entries.map((entry, i) => {
    const { object } = entry;
    const original = originalOf(object, archiveFolder);
    // DuckDB's errors name the file: it has the object's name.
    const path = original ?? join(inner, `${i}-${basename(object.key)}`);
    return { object, isOriginal: original !== null, file: { path, ...logFileOf(object) } };
  });
  const toFetch = places.filter(({ isOriginal }) => !isOriginal);
  const total = toFetch.reduce((sum, { object }) => sum + object.bytes, 0);
  if (total > limit)
    throw new TailraceError(
      'QUERY_TOO_LARGE',
      `the query needs ${entries.length} objects of ${size(total)} in all, more than --cache ${size(limit)}: ` +
        'name a tag and a shorter time (--explain lists the objects), or raise --cache',
    );
  const faults: { key: string; fault: string }[] = [];
  const absent = new Set<FileObject>();
  let done = 0;
  const isSmall = places.every(({ object }) => object.bytes < LARGE_BYTES);
  await atOnce(isSmall ? SMALL_AT_ONCE : LARGE_AT_ONCE, places, async ({ object, isOriginal, file }) => {
    const fault = isOriginal
      ? await originalFault(object, file.path)
      : await fetchObject(options.store, object, file.path);
    if (fault !== null) {
      faults.push({ key: object.key, fault });
      absent.add(object);
    }
    done += 1;
    show?.(done, places.length, total === 0 ? 'objects' : `objects, ${size(total)} fetched`);
  });
  return {
    files: places.filter(({ object }) => !absent.has(object)).map(({ file }) => file),
    fetched: total,
    faults,
  };
}

/** The object's file in the folder that is the archive; null when it is not there, or of another size. */
function originalOf({ key, bytes }: FileObject, archiveFolder: string | undefined): string | null {
  if (archiveFolder === undefined) return null;
  const path = join(archiveFolder, key);
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() && stat.size === bytes ? path : null;
}

/** @returns why the object cannot be had; null when it can */
async function fetchObject(store: ObjectBytes, object: FileObject, path: string): Promise<string | null> {
  const { key, bytes, sha256 } = object;
  if (bytes < LARGE_BYTES) return fetchSmall(store, object, path);
  const hash = createHash('sha256');
  const file = await open(path, 'wx');
  try {
    for (let at = 0; at < bytes; at += PIECE_BYTES) {
      const isWhole = bytes <= PIECE_BYTES;
      const piece = await (isWhole
        ? store.get(key)
        : store.range(key, at, Math.min(bytes, at + PIECE_BYTES) - 1));
      if (piece === null) return MISSING.fault;
      hash.update(piece);
      await file.writeFile(piece);
    }
  } catch (error) {
    if ((error as { code?: unknown }).code === 'OBJECT_COLD') return COLD.fault;
    throw error;
  } finally {
    await file.close();
  }
  return hash.digest('hex') === sha256 ? null : DAMAGED;
}

/** A file that is written in one call costs a third of one that is opened, written and closed by the thread pool. */
async function fetchSmall(
  store: ObjectBytes,
  { key, sha256 }: FileObject,
  path: string,
): Promise<string | null> {
  try {
    const bytes = await store.get(key);
    if (bytes === null) return MISSING.fault;
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) return DAMAGED;
    writeFileSync(path, bytes, { flag: 'wx' });
    return null;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'OBJECT_COLD') return COLD.fault;
    throw error;
  }
}

/** DuckDB does not check the checksums of gzip, and lines that it cannot parse have no fields: it would miscount in silence. */
async function originalFault({ sha256 }: FileObject, path: string): Promise<string | null> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: READ_BYTES }))
    hash.update(piece as Buffer);
  return hash.digest('hex') === sha256 ? null : DAMAGED;
}
