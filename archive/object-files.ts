/** Objects as files that DuckDB can read: those of a folder where they are, those of S3 fetched into the run's folder. */
import { createHash } from 'node:crypto';
import { mkdirSync, statSync, symlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { atOnce } from '../base/at-once.ts';
import { TailraceError } from '../base/errors.ts';
import { bytes as size } from '../base/human.ts';
import type { CatalogEntry } from './catalog.ts';
import type { CommitObject } from './commit.ts';
import type { ShowProgress } from './find.ts';
import { folderOfFile, logFileOf } from './logs-sql.ts';
import { COLD, MISSING, type ObjectBytes } from './reading.ts';

const FETCHED_AT_ONCE = 8;
/** What one of them holds in memory. */
const PIECE_BYTES = 8 * 1024 * 1024;

export interface ObjectFiles {
  /** In the order of the entries. */
  readonly paths: readonly string[];
  /** Of each path. */
  readonly keys: ReadonlyMap<string, string>;
  readonly tags: readonly string[];
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
  entries: readonly CatalogEntry[],
  options: FetchOptions,
): Promise<ObjectFiles> {
  const { folder, archiveFolder, limit, show } = options;
  const tags = [...new Set(entries.map(({ object }) => object.tag))];
  const places = entries.map((entry, i) => {
    const inner = join(folder, 'objects', folderOfFile(logFileOf(entry.object), tags));
    mkdirSync(inner, { recursive: true });
    return {
      object: entry.object,
      path: join(inner, `${i}.ndjson.${entry.object.codec === 'gzip' ? 'gz' : 'zst'}`),
    };
  });
  const toFetch = places.filter(({ object, path }) => !linked(object, path, archiveFolder));
  const total = toFetch.reduce((sum, { object }) => sum + object.bytes, 0);
  if (total > limit)
    throw new TailraceError(
      'QUERY_TOO_LARGE',
      `the query needs ${entries.length} objects of ${size(total)} in all, more than --cache ${size(limit)}: ` +
        'name a tag and a shorter time (--explain lists the objects), or raise --cache',
    );
  const faults: { key: string; fault: string }[] = [];
  const absent = new Set<string>();
  let done = 0;
  await atOnce(FETCHED_AT_ONCE, toFetch, async ({ object, path }) => {
    const fault = await fetchObject(options.store, object, path);
    if (fault !== null) {
      faults.push({ key: object.key, fault });
      absent.add(path);
    }
    done += 1;
    show?.(done, toFetch.length, `objects fetched, ${size(total)}`);
  });
  const there = places.filter(({ path }) => !absent.has(path));
  return {
    paths: there.map(({ path }) => path),
    keys: new Map(there.map(({ path, object }) => [path, object.key])),
    tags,
    fetched: total,
    faults,
  };
}

/** Whether the archive is in a folder, and has the object as a file of the right size there. */
function linked({ key, bytes }: CommitObject, path: string, archiveFolder: string | undefined): boolean {
  if (archiveFolder === undefined) return false;
  const original = join(archiveFolder, key);
  const stat = statSync(original, { throwIfNoEntry: false });
  if (!stat?.isFile() || stat.size !== bytes) return false;
  symlinkSync(original, path);
  return true;
}

/** @returns why the object cannot be had; null when it can */
async function fetchObject(store: ObjectBytes, object: CommitObject, path: string): Promise<string | null> {
  const { key, bytes, sha256 } = object;
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
  return hash.digest('hex') === sha256
    ? null
    : 'does not match its checksum: tailrace verify --deep says where, tailrace cat reads around it';
}
