/** Pipelines for the console's page to show: one that is well, and one that has about everything that can be wrong. */

import type { GroupsView } from '../../cli/console/api.ts';
import type { Source } from '../../cli/console/sources.ts';
import type { AgentSeen } from '../../cli/console/status-watch.ts';
import type { WorkerStatus } from '../../consumer/status/board.ts';
import { zeroCounters } from '../../consumer/status/report.ts';
import type { MadeChunk } from '../support/chunks.ts';
import { ChunkSource } from '../support/chunks.ts';
import { MemoryArchive } from '../support/memory-archive.ts';
import { archiveInto, HOUR } from '../support/small-archive.ts';

const MINUTE = 60_000;
const HOUR_MS = 60 * MINUTE;
const HOURS = 30;
const SHARDS = 4;
const AGENTS = 7;
/** In the middle of an hour. */
export const PRESENT = HOUR * HOUR_MS + 34 * MINUTE;
const BEGIN = PRESENT - HOURS * HOUR_MS;
const TAGS = ['nginx.access', 'nginx.access', 'shop.orders', 'nginx.error'];

export interface Scenario {
  readonly archive: MemoryArchive;
  readonly sources: readonly Source[];
  readonly groups: GroupsView | null;
}

/** @param isTroubled whether chunks are missing, agents are in need, and instances are retained */
export async function scenario(isTroubled: boolean): Promise<Scenario> {
  const archive = new MemoryArchive();
  const agents = Array.from(
    { length: AGENTS },
    (_, i) => new ChunkSource({ name: `web-${i + 1}`, epoch: (BEGIN - HOUR_MS) * 65_536 }),
  );
  for (let shard = 0; shard < SHARDS; shard++) {
    const own = agents.filter((_, i) => i % SHARDS === shard);
    const batches: MadeChunk[][] = [];
    const times: number[] = [];
    for (let at = BEGIN; at < PRESENT - MINUTE; at += stepAt(at)) {
      const batch = own.flatMap((agent) => chunksOf(agent, agents.indexOf(agent), at, isTroubled));
      if (batch.length === 0) continue;
      batches.push(batch);
      times.push(at);
    }
    await archiveInto(archive, batches, `shardId-00000000000${shard}`, (n) => times[n] ?? PRESENT);
  }
  return {
    archive,
    sources: [...agents.map((agent, i) => agentSource(agent, i, isTroubled)), consumerSource(isTroubled)],
    groups: isTroubled
      ? TROUBLED
      : { groups: [{ name: 'web', size: AGENTS, retains: true }], waiting: [], retained: [] },
  };
}

/** Batches are made every few minutes lately, and rarely before that. */
function stepAt(at: number): number {
  return at > PRESENT - 3 * HOUR_MS ? 3 * MINUTE : 20 * MINUTE;
}

function chunksOf(agent: ChunkSource, index: number, at: number, isTroubled: boolean): MadeChunk[] {
  // The last one falls silent without a word.
  if (isTroubled && index === AGENTS - 1 && at > PRESENT - 2.5 * HOUR_MS) return [];
  const daily = 1 + Math.sin((at / HOUR_MS / 24) * 2 * Math.PI);
  const events = Math.round(((8 + 30 * daily) * stepAt(at)) / (4 * MINUTE) / (index + 2)) + 1;
  const times = { firstTime: at - 2 * MINUTE, lastTime: at - MINUTE };
  const hour = Math.floor(times.lastTime / HOUR_MS);
  const data = agent.next(TAGS[index % TAGS.length]!, hour, events, times);
  const mark = agent.next('', hour, 0, { firstTime: at - 500, lastTime: at - 500 });
  const isLost = isTroubled && index === 2 && Math.abs(at - (PRESENT - 9 * HOUR_MS)) < 15 * MINUTE;
  return isLost ? [mark] : [data, mark];
}

type Agent = AgentSeen['status'];

function agentSource({ producer, lane }: ChunkSource, index: number, isTroubled: boolean): Source {
  const name = `http://web-${index + 1}:24280`;
  if (isTroubled && index === AGENTS - 1)
    return {
      name,
      ask: async () => {
        throw new Error('ECONNREFUSED');
      },
    };
  const isDegraded = isTroubled && index === 3;
  let asked = 0;
  return {
    name,
    ask: async () => {
      asked += 1;
      const agent = statusOf(producer, lane, index, asked, isDegraded);
      return [{ kind: 'agent', source: name, at: PRESENT + asked * 2000, agent }];
    },
  };
}

function statusOf(producer: string, lane: string, index: number, asked: number, isDegraded: boolean): Agent {
  const events = 4_000_000 + asked * 2 * (620 - 70 * index);
  const chunks = { chunks: 51_000, events, bytes: events * 31 };
  return {
    pid: 4711,
    version: index === 5 ? '0.0.9' : '0.1.0',
    host: `web-${index + 1}`,
    state: isDegraded ? 'degraded' : 'ready',
    reasons: isDegraded ? ['the oldest unsent chunk has waited for 22 minutes'] : [],
    ...{ producer, epoch: '0', uptime_ms: HOURS * HOUR_MS, inputs: {}, troubled_inputs: [] },
    events: { in: events, open: 12, spooled: 40, acknowledged: events - 52, quarantined: 0 },
    sealed: chunks,
    acknowledged: { ...chunks, records: 50_000 },
    spool: {
      ...{ segments: 1, quarantined: 0, blocked: null },
      bytes: isDegraded ? 912_000_000 : 1_900_000,
      chunks: isDegraded ? 8412 : 2,
      oldest_age_ms: isDegraded ? 22 * MINUTE : 400,
    },
    stream: { condition: 'ok', requests: 1, failed_requests: 0, retried_records: 0 },
    lanes: [{ lane, shard: null, active: true, chunks: 2, bytes: 9000, throttled_ms: 0 }],
    shards: {},
    instance: {
      id: `i-0123456789abcde${index}`,
      lifecycle: 'InService',
      interruption: null,
      rebalance: null,
    },
  };
}

/** The shares of a shard's capacity that shards use. */
const USED = [0.34, 0.41, 0.93, 0.22];

function consumerSource(isTroubled: boolean): Source {
  const name = 'http://worker-1:24281';
  let asked = 0;
  return {
    name,
    ask: async () => {
      asked += 1;
      const lines = USED.map((used, i) => {
        const isStopped = isTroubled && i === 3;
        const counters = {
          ...zeroCounters(),
          records: asked * 240 * used,
          bytes_received: asked * 2 * 1024 * 1024 * (isTroubled ? used : used / 2),
          events: asked * 2 * 900 * used,
          commits: 400,
        };
        const line = {
          ...{
            phase: isStopped ? 'stopped' : 'running',
            trouble: isStopped ? 'commit 412 is damaged' : null,
          },
          ...{
            connected: true,
            pid: 1,
            last_commit_at: PRESENT,
            stuck: false,
            stuck_in: null,
            s3_trouble: null,
          },
          millis_behind_latest: isStopped ? 25 * MINUTE : i === 2 && isTroubled ? 95_000 : 0,
          ...{ pending_bytes: 900_000 * (i + 1), oldest_pending_ms: 41_000 + 9000 * i, lanes: 2 },
        };
        return [`shardId-00000000000${i}`, { ...counters, ...line }] as const;
      });
      const worker: WorkerStatus = {
        ...{
          version: '0.1.0',
          application: 'tailrace',
          worker_id: 'worker-1',
          stream: 'weblogs',
          phase: 'running',
        },
        faults: isTroubled ? ['shardId-000000000003 is stopped: commit 412 is damaged'] : [],
        ...{ daemon_pid: 1, host_pid: 2, daemon_restarts: isTroubled ? 2 : 0, deaggregation_failures: 0 },
        ...{ open_shards: SHARDS, unread_ms: {}, refused: {}, forgotten: zeroCounters() },
        shards: Object.fromEntries(lines),
        totals: zeroCounters(),
      };
      return [{ kind: 'consumer', source: name, at: PRESENT + asked * 2000, worker }];
    },
  };
}

const TROUBLED: GroupsView = {
  groups: [
    { name: 'web', size: AGENTS, retains: true },
    { name: 'batch', size: 2, retains: false },
  ],
  waiting: [
    { instance: 'i-0aaaaaaaaaaaaaaa1', group: 'web', state: 'Terminating:Wait', since: PRESENT - 2 * MINUTE },
  ],
  retained: [
    {
      instance: 'i-0bbbbbbbbbbbbbbb2',
      group: 'web',
      state: 'Terminating:Retained',
      since: PRESENT - 3 * HOUR_MS,
    },
  ],
};
