/** Fetches a consumer's status over its HTTP port and renders it as text. */
import { addressText } from '../base/address.ts';
import { TailraceError } from '../base/errors.ts';
import { parseHostPort } from '../base/host-port.ts';
import { age, bytes, count, plain } from '../base/human.ts';
import type { ShardLine, WorkerStatus } from '../consumer/status/board.ts';

const ANSWER_MS = 5000;
/** A worker that listens on all addresses can be reached on this one. */
const EVERYWHERE = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/** @throws TailraceError NO_CONSUMER when no consumer responds there */
export async function askConsumer(listen: string): Promise<WorkerStatus> {
  const { host, port } = parseHostPort(listen)!;
  const url = `http://${addressText({ host: EVERYWHERE.get(host) ?? host, port })}/status`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.ok) return (await answer.json()) as WorkerStatus;
    throw new Error(`HTTP status ${answer.status}`);
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    throw new TailraceError('NO_CONSUMER', `no consumer responds at ${url}: ${cause?.code ?? message}`, {
      cause: error,
    });
  }
}

/** @param before an earlier status, to compute rates from; null when there is none */
export function describeConsumer(status: WorkerStatus, before: WorkerStatus | null): string {
  const { application, worker_id, stream, phase, faults, daemon_pid, daemon_restarts, totals } = status;
  const daemon = daemon_pid === null ? 'no daemon' : `daemon ${daemon_pid}`;
  const restarts =
    daemon_restarts === 0
      ? ''
      : `, ${count(daemon_restarts)} ${daemon_restarts === 1 ? 'restart' : 'restarts'}`;
  const held = Object.entries(status.shards).filter(([, line]) => line.connected);
  const lines = [
    `consumer ${plain(worker_id)} of ${plain(application)} on ${plain(stream)}: ${phase}, ${daemon}${restarts}, ${count(held.length)} shards`,
    ...faults.map((fault) => `  ! ${plain(fault)}`),
  ];
  for (const [shard, line] of held) {
    lines.push(`  ${plain(shard)}: ${stateOf(line)}`, `    ${countersOf(line, before?.shards[shard])}`);
  }
  lines.push(`  total: ${countersOf(totals, before?.totals)}`);
  return `${lines.join('\n')}\n`;
}

function stateOf(line: ShardLine): string {
  const { millis_behind_latest: behind, pending_bytes, oldest_pending_ms: oldest } = line;
  const parts = [
    line.trouble === null ? line.phase.replaceAll('_', ' ') : plain(line.trouble),
    behind === null ? null : behind === 0 ? 'caught up' : `${age(behind)} behind`,
    oldest === null ? 'nothing pending' : `${bytes(pending_bytes)} pending, oldest ${age(oldest)}`,
  ];
  return parts.filter((part) => part !== null).join(', ');
}

type Counters = WorkerStatus['totals'];

/** Two statuses are one second apart. */
function countersOf(now: Counters, before: Counters | undefined): string {
  const rate = before ? ` (${bytes(Math.max(0, now.bytes_received - before.bytes_received))}/s in)` : '';
  const parts = [
    `${count(now.events)} events in ${count(now.chunks)} chunks, ${bytes(now.bytes)}${rate}`,
    `${count(now.commits)} commits`,
    `${count(now.duplicates)} duplicates skipped`,
    `${count(now.s3_errors)} S3 errors`,
  ];
  const asides = {
    foreign: 'foreign',
    damaged: 'damaged',
    rewritten: 'lines rewritten for strict readers',
    unproven: 'unproven',
    voided_objects: 'voided',
  };
  for (const [name, what] of Object.entries(asides)) {
    const value = now[name as keyof typeof asides];
    if (value > 0) parts.push(`${count(value)} ${what}`);
  }
  return parts.join(', ');
}
