/** `tailrace status --archive`: what an archive last received, without asking the archiver that writes it. */
import { arrivalsOf, type ShardArrivals } from '../archive/arrivals.ts';
import { verifyArchive } from '../archive/verify/verify.ts';
import { age, bytes, count, plain } from '../base/human.ts';
import type { OpenArchive } from './archive-options.ts';

const WINDOW_MS = 3_600_000;
/** Gaps younger than this may still be filled. */
const PENDING_MS = 600_000;

export interface ArchiveStatus {
  readonly at: number;
  readonly shards: readonly ShardArrivals[];
  /** Chunks that are missing among those archived in the last hour. */
  readonly missing: number;
  /** Gaps that may still be filled. */
  readonly pending: number;
}

export async function archiveStatus({ store, prefix, horizon }: OpenArchive): Promise<ArchiveStatus> {
  const at = Date.now();
  const shards = await arrivalsOf(store, prefix, at - WINDOW_MS);
  const range = { from: at - WINDOW_MS, to: at };
  const options = { now: at, pendingFor: PENDING_MS, deep: false, commitsOnly: true, range, horizon };
  const { missing, pending } = await verifyArchive(store, prefix, options);
  return { at, shards, missing, pending };
}

export function describeArchive({ at, shards, missing, pending }: ArchiveStatus): string {
  if (shards.length === 0) return 'nothing is archived yet\n';
  const open = shards.filter(({ closed }) => !closed);
  const lines = open.map(
    ({ shard, newest, written, from, events, bytes: size }) =>
      `${plain(shard)}  newest record ${newest === null ? 'none' : `${age(at - newest)} old`}, ` +
      `last commit ${age(at - written)} ago, ${count(events)} events and ${bytes(size)} in the last ${age(at - from)}`,
  );
  const holes =
    missing > 0
      ? `${count(missing)} chunks of the last hour are missing: run tailrace verify`
      : `no holes in the last hour${pending > 0 ? `, ${count(pending)} gaps may still be filled` : ''}`;
  const closed = shards.length - open.length;
  return `${lines.join('\n')}\n${closed > 0 ? `${closed} closed shards\n` : ''}${holes}\n`;
}
