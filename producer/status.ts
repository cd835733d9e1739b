/** What an agent reports about itself, for people and programs: its status and its health. */
import { hostname } from 'node:os';
import * as z from 'zod/mini';
import { VERSION } from '../base/version.ts';
import type { Counters } from './counters.ts';
import type { Health } from './http.ts';
import type { Identity } from './identity.ts';
import type { Input } from './input.ts';
import type { InstanceState } from './instance/watch.ts';
import type { Sender } from './sender/sender.ts';
import type { Spool } from './spool/spool.ts';

/** Age of the oldest unsent chunk beyond which the agent is degraded. */
const OLD_MS = 300_000;

const count = z.number();
/** Counters by the value of a label. */
const byName = z.record(z.string(), z.record(z.string(), count));

/** The answer of the control socket to `status`, and what `tailrace status --json` prints. */
export const agentStatus = z.object({
  pid: count,
  /** The release; agents of before it was said have none. */
  version: z.optional(z.string()),
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

/** Counters of events that inputs passed to the builders; of the forward input's, those that were dropped are taken off. */
const IN = ['tail', 'forward', 'journald'].map((input) => `tailrace_agent_${input}_events_total`);

export function balanceOf(counters: Counters, spooled: number): EventBalance {
  const total = (name: string): number => counters.total(`tailrace_agent_${name}_total`);
  const recovered = total('recovered_events');
  const received = IN.reduce((sum, name) => sum + counters.total(name), 0);
  const taken = received - total('forward_dropped_events');
  return {
    in: taken + recovered,
    open: taken - total('sealed_events'),
    spooled,
    acknowledged: total('acknowledged_events'),
    quarantined: total('quarantined_events'),
  };
}

/** Counters that carry a label, as `{ label value: { short name: number } }`. */
function byLabel(counters: Counters, label: string): Record<string, Record<string, number>> {
  const grouped: Record<string, Record<string, number>> = {};
  for (const { name, labels, value } of counters) {
    const group = labels[label];
    if (group === undefined) continue;
    grouped[group] ??= {};
    const reason = labels['reason'] === undefined ? '' : `_${labels['reason']}`;
    const short = `${name.replace(/^tailrace_agent_(tail_|forward_|journald_)?/, '').replace(/_total$/, '')}${reason}`;
    grouped[group][short] = (grouped[group][short] ?? 0) + value;
  }
  return grouped;
}

export function oldestAge(sender: Sender): number {
  const oldest = sender.oldest;
  return oldest === null ? 0 : Math.max(0, Date.now() - oldest);
}

/** What the agent says of itself comes from these. */
export interface AgentParts {
  readonly identity: Identity;
  readonly counters: Counters;
  readonly spool: Spool;
  readonly sender: Sender;
  readonly inputs: readonly Pick<Input, 'name' | 'trouble'>[];
  readonly instance: InstanceState;
  /** Bytes of lines that are not in a chunk yet. */
  readonly openBytes: number;
  /** Whether the instance is about to terminate. */
  readonly ending: boolean;
  /** Whether the full spool holds the inputs back. */
  readonly held: boolean;
  readonly stopping: boolean;
  /** Milliseconds of `performance.now()`. */
  readonly started: number;
}

export function healthOf({ sender, spool, inputs, held, stopping }: AgentParts): Health {
  const reasons: string[] = [];
  if (sender.trouble !== null) reasons.push(sender.trouble.message);
  const { blocked, quarantined } = spool.status();
  if (blocked !== null) reasons.push(blocked);
  else if (held) reasons.push('the spool is full: inputs are paused');
  if (quarantined > 0) reasons.push(`${quarantined} damaged ranges of the spool are in quarantine`);
  for (const { name, trouble } of inputs) if (trouble) reasons.push(`input ${name}: ${trouble}`);
  const age = oldestAge(sender);
  if (age > OLD_MS)
    reasons.push(`the oldest unsent chunk has waited for ${Math.round(age / 60_000)} minutes`);
  return { state: stopping ? 'stopping' : reasons.length > 0 ? 'degraded' : 'ready', reasons };
}

export function statusOf(agent: AgentParts): AgentStatus {
  const { identity, counters, spool, sender, inputs, instance, started } = agent;
  const total = (name: string): number => counters.total(`tailrace_agent_${name}_total`);
  return {
    pid: process.pid,
    version: VERSION,
    host: hostname(),
    ...healthOf(agent),
    producer: identity.producer,
    epoch: identity.epoch,
    uptime_ms: Math.round(performance.now() - started),
    inputs: byLabel(counters, 'input'),
    troubled_inputs: inputs.flatMap(({ name, trouble }) => (trouble ? [name] : [])),
    events: balanceOf(counters, sender.waitingEvents),
    sealed: {
      chunks: total('sealed_chunks'),
      events: total('sealed_events'),
      bytes: total('sealed_bytes'),
    },
    acknowledged: {
      chunks: total('acknowledged_chunks'),
      events: total('acknowledged_events'),
      bytes: total('acknowledged_bytes'),
      records: total('acknowledged_records'),
    },
    spool: { ...spool.status(), oldest_age_ms: oldestAge(sender) },
    stream: {
      condition: sender.trouble?.condition ?? 'ok',
      requests: total('put_requests'),
      failed_requests: total('failed_requests'),
      retried_records: total('retried_records'),
    },
    lanes: sender.lanes(),
    shards: byLabel(counters, 'shard'),
    instance: instance,
  };
}
