/** Shows a running pipeline: a view that repaints itself on a terminal, an occasional line elsewhere. */
import type { PipelineStatus } from './pipeline.ts';
import type { ShardView } from './status.ts';

export interface Snapshot extends PipelineStatus {
  /** Milliseconds since the pipeline started. */
  readonly elapsedMs: number;
  /** Events per second over the last few seconds. */
  readonly made: number;
  readonly archived: number;
  readonly phase: string;
}

const GROUPS = /\B(?=(\d{3})+(?!\d))/g;

function count(value: number): string {
  return String(Math.round(value)).replace(GROUPS, ' ');
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = String(seconds % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

function seconds(ms: number | null): string {
  return ms === null ? '-' : `${(ms / 1000).toFixed(1)} s`;
}

/** Age of the oldest event that has been accepted and is not archived yet. */
function lag({ agent, consumer }: PipelineStatus): number {
  return Math.max(agent?.oldestMs ?? 0, consumer?.oldestMs ?? 0);
}

/** An agent that has exited can no longer report what it sent last, but whatever is archived was sent. */
function sentEvents({ agent, consumer }: PipelineStatus): number {
  return Math.max(agent?.acknowledged ?? 0, consumer?.archived ?? 0);
}

/** KCL tells a shard's process of a lease that it gives up at a stop as it does of one that another worker took. */
function stateOf({ phase }: ShardView): string {
  return phase === 'lost' ? 'no lease' : phase;
}

/** The view, one string per line. */
export function viewLines(snapshot: Snapshot, dataDir: string): string[] {
  const { demo, agent, consumer } = snapshot;
  const archived = consumer?.archived ?? 0;
  const sent = sentEvents(snapshot);
  const row = (label: string, value: number, rest: string): string =>
    `  ${label.padEnd(16)}${count(value).padStart(12)}   ${rest}`;
  const lines = [
    `tailrace  ${clock(snapshot.elapsedMs)}  ${snapshot.phase}`,
    '',
    row(
      'events made',
      demo.made,
      `${count(snapshot.made)}/s   access log ${count(demo.log)}, rotated ${demo.rotations} times; application events ${count(demo.forward)}`,
    ),
    row(
      'sent to Kinesis',
      sent,
      agent
        ? `${count(agent.records)} records; ${count(Math.max(0, demo.made - sent))} remaining, spool ${size(agent.spoolBytes)}`
        : 'the agent is starting',
    ),
    row(
      'archived in S3',
      archived,
      consumer
        ? `${count(snapshot.archived)}/s   lag ${seconds(lag(snapshot))}; ${count(consumer.objects)} objects, ${size(consumer.bytes)}`
        : 'the consumer is starting',
    ),
    '',
    `  ${'shard'.padEnd(22)}${'state'.padEnd(14)}${'records'.padStart(10)}${'archived'.padStart(12)}${'waiting'.padStart(11)}${'behind'.padStart(10)}`,
  ];
  for (const shard of consumer?.shards ?? []) {
    lines.push(
      `  ${shard.id.padEnd(22)}${stateOf(shard).padEnd(14)}${count(shard.records).padStart(10)}${count(shard.archived).padStart(12)}${size(shard.pendingBytes).padStart(11)}${seconds(shard.behindMs).padStart(10)}`,
    );
    if (shard.trouble !== null) lines.push(`      ${shard.trouble}`);
  }
  if ((consumer?.shards.length ?? 0) === 0) lines.push('  KCL is starting');
  for (const reason of agent?.reasons ?? []) lines.push('', `  the agent is ${agent?.state}: ${reason}`);
  lines.push('', `  data, logs and configurations: ${dataDir}`);
  return lines;
}

/** The same on one line, for logs. */
export function viewLine(snapshot: Snapshot): string {
  const { demo, consumer } = snapshot;
  return `${clock(snapshot.elapsedMs)} made ${demo.made} sent ${sentEvents(snapshot)} archived ${consumer?.archived ?? 0} lag ${seconds(lag(snapshot))} objects ${consumer?.objects ?? 0}`;
}

/** A block of lines at the bottom of a terminal that is repainted in place; lines above it scroll as usual. */
export class Painter {
  readonly #out: NodeJS.WriteStream;
  #height = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  paint(lines: readonly string[]): void {
    const columns = this.#out.columns ?? 80;
    const rows = this.#out.rows ?? 24;
    const shown = lines.slice(0, rows - 1).map((line) => line.slice(0, columns - 1));
    this.#out.write(`${this.#back()}${shown.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
    this.#height = shown.length;
  }

  /** Writes a line above the block. */
  say(line: string): void {
    this.#out.write(`${this.#back()}\x1b[J${line}\n`);
    this.#height = 0;
  }

  #back(): string {
    return this.#height > 0 ? `\x1b[${this.#height}A\r` : '';
  }
}
