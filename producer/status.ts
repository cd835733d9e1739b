/** What an agent reports about itself: its status for people and programs, and the gauges of /metrics. */
import * as z from 'zod/mini';
import type { Counters } from './counters.ts';
import type { Gauges, Health } from './http.ts';
import type { Input } from './input.ts';
import { CONDITIONS } from './sender/failures.ts';
import type { Sender } from './sender/sender.ts';
import type { Spool } from './spool/spool.ts';

const count = z.number();
/** Counters by the value of a label. */
const byName = z.record(z.string(), z.record(z.string(), count));

/** The answer of the control socket to `status`, and what `tailrace status --json` prints. */
export const agentStatus = z.object({
  pid: count,
  host: z.string(),
  state: z.enum(['ready', 'degraded', 'stopping']),
  reasons: z.readonly(z.array(z.string())),
  producer: z.string(),
  epoch: z.string(),
  uptime_ms: count,
  inputs: byName,
  /** Names of the inputs whose lines do not match their format. */
  troubled_inputs: z.readonly(z.array(z.string())),
  /** Where every event is: in = open + spooled + acknowledged + quarantined, whenever nothing is moving. */
  events: z.object({
    /** From all inputs in this run, plus what an earlier run left in the spool. */
    in: count,
    /** Not sealed yet. */
    open: count,
    spooled: count,
    acknowledged: count,
    quarantined: count,
  }),
  sealed: z.object({ chunks: count, events: count, bytes: count }),
  acknowledged: z.object({ chunks: count, events: count, bytes: count, records: count }),
  spool: z.object({
    bytes: count,
    segments: count,
    chunks: count,
    quarantined: count,
    blocked: z.nullable(z.string()),
    oldest_age_ms: count,
  }),
  stream: z.object({
    /** `ok`, or the condition that prevents sending. */
    condition: z.string(),
    requests: count,
    failed_requests: count,
    retried_records: count,
  }),
  lanes: z.array(
    z.object({
      lane: z.string(),
      shard: z.nullable(z.string()),
      /** Whether new chunks may go to it. */
      active: z.boolean(),
      chunks: count,
      bytes: count,
      throttled_ms: count,
    }),
  ),
  shards: byName,
  instance: z.object({
    id: z.nullable(z.string()),
    lifecycle: z.nullable(z.string()),
    interruption: z.nullable(z.string()),
    rebalance: z.nullable(z.string()),
  }),
});

export type AgentStatus = z.output<typeof agentStatus>;
type EventBalance = AgentStatus['events'];

/** Counters of events that inputs passed to the builders. */
const IN = ['tailrace_agent_tail_events_total', 'tailrace_agent_forward_events_total'];

export function balanceOf(counters: Counters, spooled: number): EventBalance {
  const total = (name: string): number => counters.total(`tailrace_agent_${name}_total`);
  const recovered = total('recovered_events');
  const taken = IN.reduce((sum, name) => sum + counters.total(name), 0);
  return {
    in: taken + recovered,
    open: taken - total('sealed_events'),
    spooled,
    acknowledged: total('acknowledged_events'),
    quarantined: total('quarantined_events'),
  };
}

/** Counters that carry a label, as `{ label value: { short name: number } }`. */
export function byLabel(counters: Counters, label: string): Record<string, Record<string, number>> {
  const grouped: Record<string, Record<string, number>> = {};
  for (const { name, labels, value } of counters) {
    const group = labels[label];
    if (group === undefined) continue;
    grouped[group] ??= {};
    const reason = labels['reason'] === undefined ? '' : `_${labels['reason']}`;
    const short = `${name.replace(/^tailrace_agent_(tail_|forward_)?/, '').replace(/_total$/, '')}${reason}`;
    grouped[group][short] = (grouped[group][short] ?? 0) + value;
  }
  return grouped;
}

export function oldestAge(sender: Sender): number {
  const oldest = sender.oldest;
  return oldest === null ? 0 : Math.max(0, Date.now() - oldest);
}

export interface GaugeDependencies {
  readonly spool: Spool;
  readonly sender: Sender;
  readonly counters: Counters;
  readonly health: Health;
  readonly openBytes: number;
  readonly instanceEnding: boolean;
  readonly inputs: readonly Pick<Input, 'name' | 'trouble'>[];
}

export function gaugesOf(dependencies: GaugeDependencies): Gauges {
  const { spool, sender, counters, health, openBytes, instanceEnding, inputs } = dependencies;
  const { bytes, chunks, segments, quarantined, blocked } = spool.status();
  const lanes = sender.lanes();
  const active = lanes.filter(({ active }) => active);
  const condition = sender.trouble?.condition;
  const one = (help: string, value: number) => ({ help, values: [{ labels: {}, value }] });
  return {
    tailrace_agent_ready: one('1 when ready, 0 when degraded or stopping.', health.state === 'ready' ? 1 : 0),
    tailrace_agent_spool_bytes: one('Bytes of the spool on disk.', bytes),
    tailrace_agent_spool_segments: one('Segment files of the spool.', segments),
    tailrace_agent_spool_chunks: one('Chunks that the stream has not acknowledged.', chunks),
    tailrace_agent_spool_events: one('Events that the stream has not acknowledged.', sender.waitingEvents),
    tailrace_agent_spool_oldest_seconds: one(
      'Age of the oldest unacknowledged chunk, in seconds.',
      oldestAge(sender) / 1000,
    ),
    tailrace_agent_spool_blocked: one('1 while the disk of the spool is full.', blocked === null ? 0 : 1),
    tailrace_agent_quarantined: one('Damaged ranges of the spool in quarantine.', quarantined),
    tailrace_agent_open_bytes: one('Bytes of lines that are not in a chunk yet.', openBytes),
    tailrace_agent_open_events: one(
      'Events that are not in a chunk yet.',
      balanceOf(counters, sender.waitingEvents).open,
    ),
    tailrace_agent_lanes: one('Lanes that new chunks go to.', active.length),
    tailrace_agent_throttled_lanes: one(
      'Lanes in use that their shard throttles.',
      active.filter(({ throttled_ms }) => throttled_ms > 0).length,
    ),
    tailrace_agent_requests_in_flight: one('PutRecords requests in flight.', sender.requests),
    tailrace_agent_instance_ending: one(
      '1 when the instance metadata says that this instance is about to terminate.',
      instanceEnding ? 1 : 0,
    ),
    tailrace_agent_input_trouble: {
      help: '1 while something is wrong with what an input reads: its lines do not match its format.',
      values: inputs.map(({ name, trouble }) => ({ labels: { input: name }, value: trouble ? 1 : 0 })),
    },
    tailrace_agent_stream_condition: {
      help: '1 for the condition that prevents sending; all 0 when requests succeed.',
      values: CONDITIONS.map((name) => ({ labels: { condition: name }, value: name === condition ? 1 : 0 })),
    },
  };
}
