/** Fetches the status of the agent and the consumer, and extracts what the view shows. */
import { ask } from '../producer/control/protocol.ts';

export interface AgentView {
  readonly state: string;
  /** Why it is not ready. */
  readonly reasons: readonly string[];
  readonly sealed: number;
  readonly acknowledged: number;
  readonly records: number;
  readonly spoolBytes: number;
  readonly oldestMs: number;
}

export interface ShardView {
  readonly id: string;
  readonly phase: string;
  readonly records: number;
  readonly archived: number;
  readonly pendingBytes: number;
  readonly behindMs: number | null;
  /** What is blocking it, for people. */
  readonly trouble: string | null;
}

export interface ConsumerView {
  readonly phase: string;
  /** Shards of the stream that are not closed; null while that is not known. */
  readonly openShards: number | null;
  readonly restarts: number;
  readonly archived: number;
  readonly objects: number;
  readonly bytes: number;
  readonly duplicates: number;
  /** Age of the oldest record that has been read and is not archived. */
  readonly oldestMs: number;
  readonly shards: readonly ShardView[];
}

const ANSWER_MS = 2000;

/** @returns null while the agent does not respond or is not ready for input */
export async function agentStatus(stateDir: string): Promise<AgentView | null> {
  try {
    for await (const answer of ask(stateDir, { command: 'status' })) {
      const { state, reasons, sealed, acknowledged, spool } = answer as Record<string, Fields>;
      if (acknowledged === undefined || String(state) === 'starting') return null;
      return {
        state: String(state ?? ''),
        reasons: Array.isArray(reasons) ? reasons.map(String) : [],
        sealed: number(sealed?.events),
        acknowledged: number(acknowledged?.events),
        records: number(acknowledged?.records),
        spoolBytes: number(spool?.bytes),
        oldestMs: number(spool?.oldest_age_ms),
      };
    }
  } catch {
    // Not up yet, or already gone.
  }
  return null;
}

type Fields = Readonly<Record<string, unknown>>;

/** @returns null while the consumer does not respond */
export async function consumerStatus(port: number): Promise<ConsumerView | null> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/status`, {
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const status = (await response.json()) as Record<string, unknown>;
    const totals = (status.totals ?? {}) as Fields;
    const shards = Object.entries((status.shards ?? {}) as Record<string, Fields>).map(([id, shard]) => ({
      id,
      phase: String(shard.phase ?? ''),
      records: number(shard.records),
      archived: number(shard.events),
      pendingBytes: number(shard.pending_bytes),
      behindMs: typeof shard.millis_behind_latest === 'number' ? shard.millis_behind_latest : null,
      trouble: typeof shard.trouble === 'string' ? shard.trouble : null,
      oldestMs: number(shard.oldest_pending_ms),
    }));
    return {
      phase: String(status.phase ?? ''),
      openShards: typeof status.open_shards === 'number' ? status.open_shards : null,
      restarts: number(status.daemon_restarts),
      archived: number(totals.events),
      objects: number(totals.objects),
      bytes: number(totals.bytes),
      duplicates: number(totals.duplicates),
      oldestMs: Math.max(0, ...shards.map((shard) => shard.oldestMs)),
      shards,
    };
  } catch {
    return null;
  }
}

/** Whether every open shard is read, and every shard to the stream's end. */
export function hasReadAll({ openShards, shards }: Pick<ConsumerView, 'openShards' | 'shards'>): boolean {
  const open = shards.filter(({ phase }) => phase !== 'ended' && phase !== 'lost');
  return openShards !== null && open.length >= openShards && open.every(({ behindMs }) => behindMs === 0);
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
