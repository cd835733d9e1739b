/** The log of commits of one shard: its newest commit, any commit by number, and what they amount to. */
import { type Commit, CommitCorruptError, encodeCommit, parseCommit } from './commit.ts';
import { COMMITS_FOLDER, commitFolder, commitKey, parseCommitKey } from './commit-keys.ts';
import { ShardState } from './state.ts';
import type { ArchiveStore } from './store.ts';

/** Where a log is. */
export interface LogName {
  readonly prefix: string;
  readonly incarnation: string;
  readonly shard: string;
}

/** The newest commit of a log; null when there is none. */
export async function newestCommit(store: ArchiveStore, log: LogName): Promise<Commit | null> {
  const folder = commitFolder(log.prefix, log.incarnation, log.shard);
  const key = await store.first(folder);
  if (key === null) return null;
  const parsed = parseCommitKey(key);
  if (parsed === null)
    throw new CommitCorruptError(key, 'is not the name of a commit: remove it from the log');
  return readCommit(store, log, parsed.number);
}

/** @throws CommitCorruptError when there is no such commit, or it is another one's */
export async function readCommit(store: ArchiveStore, log: LogName, number: number): Promise<Commit> {
  const key = commitKey(log.prefix, log.incarnation, log.shard, number);
  const bytes = await store.get(key);
  if (bytes === null) throw new CommitCorruptError(key, 'is missing: the log has a gap');
  const commit = parseCommit(bytes, key);
  if (commit.number !== number || commit.shard !== log.shard || commit.incarnation !== log.incarnation) {
    throw new CommitCorruptError(key, 'is the commit of another place in the logs');
  }
  return commit;
}

export function putCommit(
  store: ArchiveStore,
  prefix: string,
  commit: Commit,
): Promise<'created' | 'exists'> {
  const key = commitKey(prefix, commit.incarnation, commit.shard, commit.number);
  return store.putIfAbsent(key, [encodeCommit(commit)], 'commit');
}

/** What a log says up to `newest`: from the last snapshot on, commit by commit. */
export async function loadState(store: ArchiveStore, log: LogName, newest: Commit): Promise<ShardState> {
  const state = new ShardState();
  const first = newest.snapshot_at;
  const numbers = Array.from({ length: newest.number - first }, (_, i) => first + i);
  const earlier = await Promise.all(numbers.map((number) => readCommit(store, log, number)));
  for (const commit of [...earlier, newest]) state.apply(commit);
  return state;
}

/** The incarnations of a family that have logs, oldest first. */
export async function incarnationsOf(store: ArchiveStore, prefix: string, family: string): Promise<string[]> {
  const folders = await store.folders(`${prefix}${COMMITS_FOLDER}${family}`);
  return folders.map((rest) => family + rest).sort();
}

/** The shards of an incarnation that have logs. */
export function shardsOf(store: ArchiveStore, prefix: string, incarnation: string): Promise<string[]> {
  return store.folders(`${prefix}${COMMITS_FOLDER}${incarnation}/`);
}

/** Every log of an archive, those of the oldest incarnations of a family first. */
export async function logsOf(store: ArchiveStore, prefix: string): Promise<LogName[]> {
  const logs: LogName[] = [];
  for (const incarnation of (await store.folders(prefix + COMMITS_FOLDER)).sort()) {
    const shards = (await shardsOf(store, prefix, incarnation)).sort();
    logs.push(...shards.map((shard) => ({ prefix, incarnation, shard })));
  }
  return logs;
}
