/** Renders an agent's status as text. */

import { age, bytes, count, plain } from '../base/human.ts';
import type { AgentStatus } from '../producer/status.ts';

/** @param before an earlier status, to compute rates from; null when there is none */
export function describeAgent(status: AgentStatus, before: AgentStatus | null): string {
  const { acknowledged, events, instance, lanes, reasons, sealed, spool, stream } = status;
  const rates = before ? ratesOf(status, before) : null;
  const lines = [
    `agent ${status.pid} on ${plain(status.host)}: ${status.state}, up ${age(status.uptime_ms)}`,
    ...reasons.map((reason) => `  ! ${plain(reason)}`),
  ];
  for (const [name, counters] of Object.entries(status.inputs)) {
    const numbers = Object.entries(counters)
      .filter(([key, value]) => value > 0 || key === 'events')
      .map(
        ([key, value]) =>
          `${plain(key.replaceAll('_', ' '))} ${key.includes('bytes') ? bytes(value) : count(value)}`,
      );
    lines.push(`  input ${plain(name)}: ${numbers.join(', ')}`);
  }
  lines.push(
    `  events        in ${count(events.in)} = open ${count(events.open)} + spooled ${count(events.spooled)} + acknowledged ${count(events.acknowledged)}${events.quarantined > 0 ? ` + quarantined ${count(events.quarantined)}` : ''}`,
    `  sealed        ${count(sealed.chunks)} chunks, ${bytes(sealed.bytes)}${rates ? `, ${count(rates.sealed)} events/s` : ''}`,
    `  acknowledged  ${count(acknowledged.chunks)} chunks in ${count(acknowledged.records)} records, ${bytes(acknowledged.bytes)}${rates ? `, ${count(rates.acknowledged)} events/s, ${bytes(rates.bytes)}/s` : ''}`,
    `  spool         ${count(spool.chunks)} chunks, ${bytes(spool.bytes)} in ${count(spool.segments)} files${spool.chunks > 0 ? `, oldest ${age(spool.oldest_age_ms)}` : ''}${spool.quarantined > 0 ? `, ${count(spool.quarantined)} damaged ranges` : ''}`,
    `  stream        ${stream.condition}, ${count(stream.requests)} requests, ${count(stream.failed_requests)} failed, ${count(stream.retried_records)} records retried`,
  );
  for (const { lane, shard, active, chunks, bytes: size, throttled_ms } of lanes) {
    const state = throttled_ms > 0 ? `, throttled for ${age(throttled_ms)}` : active ? '' : ', backlog';
    lines.push(
      `  lane ${lane.slice(0, 8)}… ${shard === null ? '' : `on ${plain(shard)}: `}${count(chunks)} chunks, ${bytes(size)} pending${state}`,
    );
  }
  for (const [shard, counters] of Object.entries(status.shards)) {
    lines.push(
      `  ${plain(shard)}: ${count(counters['acknowledged_records'] ?? 0)} records, ${bytes(counters['acknowledged_bytes'] ?? 0)}`,
    );
  }
  if (instance.id !== null) {
    const notes = [
      instance.lifecycle,
      instance.interruption === null ? null : `interrupted at ${instance.interruption}`,
      instance.rebalance === null ? null : 'rebalance recommended',
    ].filter((text) => text !== null);
    lines.push(`  instance ${plain(instance.id)}${notes.length > 0 ? `: ${plain(notes.join(', '))}` : ''}`);
  }
  return `${lines.join('\n')}\n`;
}

function ratesOf(
  now: AgentStatus,
  before: AgentStatus,
): { sealed: number; acknowledged: number; bytes: number } {
  const seconds = Math.max(0.001, (now.uptime_ms - before.uptime_ms) / 1000);
  const rate = (a: number, b: number): number => Math.max(0, Math.round((a - b) / seconds));
  return {
    sealed: rate(now.sealed.events, before.sealed.events),
    acknowledged: rate(now.acknowledged.events, before.acknowledged.events),
    bytes: rate(now.acknowledged.bytes, before.acknowledged.bytes),
  };
}
