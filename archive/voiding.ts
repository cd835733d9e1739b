/** Fences the objects that a commit names but whose data is gone, so that nobody can write them any more. */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { TailraceError } from '../base/errors.ts';
import type { Commit, CommitObject } from './commit.ts';
import type { ArchiveStore } from './store.ts';

/** An archive of nothing stands under a voided name: readers that find it by itself see no event, and no error. */
const NOTHING = { gzip: gzipSync(''), zstd: zstdCompressSync('') } as const;

/** Whether an object of this length is one that stands under a voided name. */
export function isVoid(codec: 'gzip' | 'zstd', bytes: number): boolean {
  return bytes === NOTHING[codec].length;
}

export type Standing = 'data' | 'missing' | 'void';

/** Whether an object has its data, has none yet, or never will. */
export async function standing(store: ArchiveStore, object: CommitObject): Promise<Standing> {
  const bytes = await store.head(object.key);
  if (bytes === null) return 'missing';
  if (bytes === object.bytes) return 'data';
  if (isVoid(object.codec, bytes)) return 'void';
  throw new TailraceError(
    'OBJECT_DIFFERS',
    `${object.key} has ${bytes} bytes, its commit says ${object.bytes}: something else writes to this archive`,
  );
}

/** Puts nothing under the object's name, unless data got there first. */
export async function fence(store: ArchiveStore, object: CommitObject): Promise<Standing> {
  // rule: a name whose data is lost is fenced off
  await store.putIfAbsent(object.key, [NOTHING[object.codec]], object.codec);
  return standing(store, object);
}

/** Fences what a commit of a log that nobody can complete any more still lacks; returns what is void of it then. */
export async function fenceMissing(store: ArchiveStore, commit: Commit): Promise<CommitObject[]> {
  const lost: CommitObject[] = [];
  for (const object of commit.objects) {
    let now = await standing(store, object);
    if (now === 'missing') now = await fence(store, object);
    if (now === 'void') lost.push(object);
  }
  return lost;
}
