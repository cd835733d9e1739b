/** Puts what statuses, CloudWatch and the archive say of the same producers and shards into one line each; pure. */

import { SHARD_BYTES, SHARD_RECORDS } from '../../functions/scale/rules.ts';
import type { AgentStatus } from '../../producer/status.ts';
import type { ConsumerLine, Level, ProducerLine, Rate, ShardLine } from './api.ts';
import type { ArchivedProducer } from './archived-producers.ts';
import type { StreamSeen } from './aws-watch.ts';
import type { ShardRecent } from './recent.ts';
import { type AgentSeen, STALE_MS, type WorkerSeen } from './status-watch.ts';

/** A producer of which nothing was archived for so long is silent: as tailrace hours has it. */
const SILENT_MS = 900_000;
/** Reading further behind than this is worth a look, or a person. */
const NOTED_MS = 60_000;
export const BAD_MS = 900_000;

const ORDER: Readonly<Record<Level, number>> = { bad: 0, note: 1, unknown: 2, good: 3 };

export function producerLines(
  archived: readonly ArchivedProducer[],
  agents: readonly AgentSeen[],
  rates: ReadonlyMap<string, Rate>,
  now: number,
): ProducerLine[] {
  const known = new Map(archived.map((one) => [one.producer, one]));
  const seen = new Map(agents.map((agent) => [agent.status.producer, agent]));
  const lines = [...new Set([...known.keys(), ...seen.keys()])].map((producer) => {
    const line = archivedLine(producer, known.get(producer), rates.get(producer) ?? null, now);
    const agent = seen.get(producer);
    return agent ? withStatus(line, agent, now) : line;
  });
  return lines.sort(
    (a, b) =>
      ORDER[a.level] - ORDER[b.level] ||
      (b.rate?.events ?? 0) - (a.rate?.events ?? 0) ||
      (a.producer < b.producer ? -1 : 1),
  );
}

function archivedLine(
  producer: string,
  archived: ArchivedProducer | undefined,
  rate: Rate | null,
  now: number,
): ProducerLine {
  const isSilent = archived !== undefined && now - archived.heard > SILENT_MS;
  const state =
    archived === undefined
      ? 'not archived yet'
      : archived.stopped
        ? 'stopped'
        : isSilent
          ? 'silent'
          : 'sending';
  return {
    ...{ producer, state },
    // What it sent in its last minutes is not its present rate.
    rate: state === 'stopped' || state === 'silent' ? null : rate,
    host: null,
    version: null,
    level: state === 'silent' ? 'note' : state === 'not archived yet' ? 'unknown' : 'good',
    reasons: [],
    started: archived?.started ?? null,
    heard: archived?.heard ?? null,
    lastCut: archived?.lastCut ?? null,
    until: archived?.until ?? null,
    spool: null,
    instance: null,
  };
}

function withStatus(line: ProducerLine, { at, status, rate }: AgentSeen, now: number): ProducerLine {
  const isStale = now - at > STALE_MS;
  return {
    ...line,
    host: status.host,
    version: status.version ?? null,
    state: isStale ? 'unknown' : status.state,
    level: isStale ? 'note' : { ready: 'good', degraded: 'bad', stopping: 'note' }[status.state],
    reasons: isStale ? ['its status is old'] : status.reasons,
    started: line.started ?? at - status.uptime_ms,
    rate: rate ?? line.rate,
    spool: {
      bytes: status.spool.bytes,
      chunks: status.spool.chunks,
      oldestMs: status.spool.oldest_age_ms,
    },
    instance: instanceText(status),
  } as ProducerLine;
}

function instanceText({ instance }: AgentStatus): string | null {
  const { id, lifecycle, interruption, rebalance } = instance;
  const notes = [
    id,
    lifecycle === 'InService' ? null : lifecycle,
    interruption === null ? null : `interrupted at ${interruption}`,
    rebalance === null ? null : 'rebalance recommended',
  ].filter((text) => text !== null);
  return notes.length === 0 ? null : notes.join(', ');
}

export function shardLines(
  archived: ReadonlyMap<string, ShardRecent>,
  workers: readonly WorkerSeen[],
  stream: StreamSeen | null,
): ShardLine[] {
  const held = new Map<string, WorkerSeen>();
  for (const worker of workers)
    for (const [shard, line] of Object.entries(worker.status.shards))
      if (line.connected && shard !== '') held.set(shard, worker);
  const unread = new Map(workers.flatMap(({ status }) => Object.entries(status.unread_ms)));
  const ids = new Set([
    ...(stream?.open ?? []).map(({ id }) => id),
    ...held.keys(),
    ...unread.keys(),
    ...[...archived].flatMap(([shard, { closed }]) => (closed ? [] : [shard])),
  ]);
  return [...ids]
    .map((shard) => shardLine(shard, archived.get(shard), held.get(shard), stream, unread.get(shard)))
    .filter(({ state }) => state !== 'ended')
    .sort((a, b) => (a.shard < b.shard ? -1 : 1));
}

function shardLine(
  shard: string,
  archived: ShardRecent | undefined,
  worker: WorkerSeen | undefined,
  stream: StreamSeen | null,
  unreadMs: number | undefined,
): ShardLine {
  const line = worker?.status.shards[shard];
  const measured = stream?.rates.get(shard);
  const live = worker?.rates.get(shard);
  const bytes = measured?.bytes ?? live?.bytes ?? archived?.rate.bytes ?? null;
  // What a consumer counts are KCL's user records, which are those of Kinesis where nothing is aggregated.
  const records = measured?.records ?? live?.records ?? archived?.rate.records ?? null;
  const refused = measured?.refused ?? null;
  const behindMs = line?.millis_behind_latest ?? stream?.lags.get(shard) ?? null;
  const trouble = troubleOf(line, unreadMs);
  return {
    ...{ shard, bytes, records, refused, behindMs, trouble },
    state: archived?.closed
      ? 'ended'
      : (line?.phase.replaceAll('_', ' ') ?? (unreadMs ? 'not read' : 'archived')),
    level:
      trouble !== null || (behindMs ?? 0) > BAD_MS ? 'bad' : (behindMs ?? 0) > NOTED_MS ? 'note' : 'good',
    heat:
      bytes === null
        ? null
        : Math.max(bytes / SHARD_BYTES, ((records ?? 0) + (refused ?? 0)) / SHARD_RECORDS),
    // A consumer counts events when it commits, in bursts minutes apart: their rate is that of the commits.
    events: archived?.rate.events ?? null,
    pendingBytes: line?.pending_bytes ?? null,
    oldestPendingMs: line?.oldest_pending_ms ?? null,
    newest: archived?.newest ?? null,
    lastCommit: archived?.lastCommit ?? null,
    commits: archived?.commits ?? null,
  };
}

function troubleOf(
  line: WorkerSeen['status']['shards'][string] | undefined,
  unreadMs: number | undefined,
): string | null {
  if (!line?.connected) return unreadMs !== undefined && unreadMs > NOTED_MS ? 'no worker reads it' : null;
  if (line.phase === 'stopped') return line.trouble ?? 'it is stopped';
  return line.s3_trouble ?? (line.stuck ? `stuck: ${line.stuck_in}` : null);
}

export function consumerLines(workers: readonly WorkerSeen[]): ConsumerLine[] {
  return workers.map(({ status }) => ({
    worker: status.worker_id,
    stream: status.stream,
    version: status.version ?? null,
    phase: status.phase,
    faults: status.faults,
    restarts: status.daemon_restarts,
    shards: Object.entries(status.shards).filter(([shard, { connected }]) => connected && shard !== '')
      .length,
  }));
}
