/** Which of KCL's leases do not belong to the stream as it is now, and what is to become of them; no I/O. */
import { compareSequence } from '../../archive/commit-keys.ts';
import type { StreamShard } from '../../archive/kinesis-stream.ts';

/** A lease as KCL's table has it. */
export interface Lease {
  readonly shard: string;
  readonly owner: string | null;
  /** A sequence number, TRIM_HORIZON, LATEST, AT_TIMESTAMP or SHARD_END. */
  readonly checkpoint: string;
  /** KCL changes it with every renewal. */
  readonly counter: string;
}

/**
 * - delete: the shard is gone from the stream; child shards close its log (docs/archive-format.md)
 * - rewind: the checkpoint is of an earlier stream of this name, and KCL would fail on it or never read the shard
 * - create: KCL would create the lease only after minutes, or never
 */
export type LeaseRepair =
  | { readonly kind: 'delete' | 'rewind'; readonly lease: Lease; readonly why: string }
  | { readonly kind: 'create'; readonly shard: StreamShard; readonly why: string };

export interface LeaseFacts {
  /** All shards that the stream has, closed ones included. */
  readonly shards: readonly StreamShard[];
  readonly leases: readonly Lease[];
  /** Whose leases may be deleted and rewound, besides those of nobody: this worker's id. */
  readonly worker: string;
  /** Shards whose commit log in this stream's incarnation is closed. */
  readonly archived: ReadonlySet<string>;
}

const SHARD_END = 'SHARD_END';

/** Whether the decision needs to know if the log of this closed shard is closed. */
export function asksForLog(shard: StreamShard, lease: Lease | undefined): boolean {
  return shard.closed && (lease === undefined || lease.checkpoint === SHARD_END);
}

export function leaseRepairs(facts: LeaseFacts): LeaseRepair[] {
  const { shards, leases, worker } = facts;
  const shardsById = new Map(shards.map((shard) => [shard.id, shard]));
  const repairs: LeaseRepair[] = [];
  for (const lease of leases) {
    const shard = shardsById.get(lease.shard);
    // Another worker that lives ends the lease by itself; one that is dead loses it after the failover time.
    const isFree = lease.owner === null || lease.owner === worker;
    if (!shard) {
      if (isFree) repairs.push({ kind: 'delete', lease, why: 'the shard is no longer in the stream' });
      continue;
    }
    const why = staleCheckpoint(lease, shard, facts.archived);
    // Nobody works on a lease that has ended, whoever ended it.
    if (why !== null && (isFree || lease.checkpoint === SHARD_END))
      repairs.push({ kind: 'rewind', lease, why });
  }
  // On an empty table KCL creates all leases by itself, and knows best where to begin.
  if (leases.length === 0) return repairs;
  const leased = new Set(leases.map((lease) => lease.shard));
  for (const shard of shards) {
    // KCL deletes the lease of a shard that is done, while the stream still lists the shard.
    if (leased.has(shard.id) || facts.archived.has(shard.id)) continue;
    // At the end of a shard KCL creates the leases of its children.
    if (shard.parents.some((parent) => shardsById.has(parent) && !facts.archived.has(parent))) continue;
    repairs.push({ kind: 'create', shard, why: 'the stream has the shard, the table has no lease for it' });
  }
  return repairs;
}

function staleCheckpoint(lease: Lease, shard: StreamShard, archived: ReadonlySet<string>): string | null {
  const { checkpoint } = lease;
  if (checkpoint === SHARD_END) {
    if (!shard.closed) return 'the lease has ended, the shard is open';
    return archived.has(shard.id) ? null : 'the lease has ended, the shard is not archived to its end';
  }
  // Sequence numbers grow over all streams: one before the shard's first is of another stream.
  if (/^\d+$/.test(checkpoint) && compareSequence(checkpoint, shard.startingSequence) < 0) {
    return "the checkpoint is older than the shard's first sequence number";
  }
  return null;
}
