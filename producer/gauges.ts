/** The gauges of /metrics: what goes up and down. */
import type { Gauges } from './http.ts';
import { CONDITIONS } from './sender/failures.ts';
import { type AgentParts, balanceOf, healthOf, oldestAge } from './status.ts';

export function gaugesOf(agent: AgentParts): Gauges {
  const { spool, sender, counters, openBytes, ending, inputs } = agent;
  const { state } = healthOf(agent);
  const { bytes, chunks, segments, quarantined, blocked } = spool.status();
  const lanes = sender.lanes();
  const active = lanes.filter(({ active }) => active);
  const condition = sender.trouble?.condition;
  const one = (help: string, value: number) => ({ help, values: [{ labels: {}, value }] });
  return {
    tailrace_agent_ready: one('1 when ready, 0 when degraded or stopping.', state === 'ready' ? 1 : 0),
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
      ending ? 1 : 0,
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
