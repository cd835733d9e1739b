/** What the worker knows of all its shards: /status, /health and /metrics. */
import { Counter, Gauge, Registry } from 'prom-client';
import type { ConsumerConfig } from './config.ts';
import { COUNTERS, type CounterName, type ShardCounters, type ShardReport, zeroCounters } from './report.ts';

interface ShardEntry {
  report: ShardReport;
  /** What earlier processes of the shard counted. */
  before: ShardCounters;
  errorsBefore: Record<string, number>;
  connected: boolean;
}

export type WorkerPhase = 'starting' | 'running' | 'restarting' | 'stopping' | 'failed';

export interface ShardLine extends ShardCounters {
  readonly phase: string;
  readonly trouble: string | null;
  readonly connected: boolean;
  readonly pid: number;
  readonly millis_behind_latest: number | null;
  readonly last_commit_at: number | null;
  readonly pending_bytes: number;
  readonly oldest_pending_ms: number | null;
  readonly stuck: boolean;
  readonly lanes: number;
}

/** The JSON of /status. */
export interface WorkerStatus {
  readonly application: string;
  readonly worker_id: string;
  readonly stream: string;
  readonly phase: WorkerPhase;
  readonly daemon_pid: number | null;
  readonly daemon_restarts: number;
  readonly shards: Readonly<Record<string, ShardLine>>;
  readonly totals: ShardCounters;
}

const HELP: Readonly<Record<CounterName, string>> = {
  records: 'User records taken in',
  bytes_received: 'Bytes of user records taken in',
  chunks: 'Chunks archived',
  events: 'Events archived',
  bytes: 'Bytes of data objects',
  duplicates: 'Chunks skipped because they are archived already',
  commits: 'Commits written',
  objects: 'Data objects named by commits',
  small_objects: 'Data objects below 1 MiB',
  followed: "Other workers' commits followed or completed",
  voided_objects: 'Data objects whose data was lost and which were voided',
  foreign: 'Foreign records archived',
  damaged: 'Damaged chunks archived as foreign bytes',
  unproven: 'Chunks archived although their lane may have been forgotten',
  passed_over: 'User records seen again that the log covers',
  s3_errors: 'S3 calls that failed and were tried again',
  checkpoints: 'Checkpoints written',
};

export class Board {
  phase: WorkerPhase = 'starting';
  daemonRestarts = 0;
  /** Of the Java process, while it runs. */
  daemonPid: number | null = null;
  readonly #config: ConsumerConfig;
  readonly #shards = new Map<string, ShardEntry>();
  readonly #now: () => number;

  constructor(config: ConsumerConfig, now: () => number = Date.now) {
    this.#config = config;
    this.#now = now;
  }

  update(report: ShardReport): void {
    const entry = this.#shards.get(report.shard);
    if (!entry) {
      this.#shards.set(report.shard, { report, before: zeroCounters(), errorsBefore: {}, connected: true });
      return;
    }
    if (entry.report.pid !== report.pid) {
      for (const name of COUNTERS) entry.before[name] += entry.report.counters[name];
      for (const [reason, n] of Object.entries(entry.report.s3_errors_by_reason)) {
        entry.errorsBefore[reason] = (entry.errorsBefore[reason] ?? 0) + n;
      }
    }
    entry.report = report;
    entry.connected = true;
  }

  /** The process of a shard is gone; what it counted stays. */
  gone(shard: string, pid: number): void {
    const entry = this.#shards.get(shard);
    if (entry?.report.pid === pid) entry.connected = false;
  }

  /** Shards whose process lives and has not come to an end. */
  get active(): number {
    let active = 0;
    for (const { connected, report } of this.#shards.values()) {
      if (connected && report.phase !== 'ended' && report.phase !== 'lost') active += 1;
    }
    return active;
  }

  /** Why the worker is not well; empty when it is. */
  faults(): string[] {
    const faults: string[] = [];
    if (this.phase === 'failed' || this.phase === 'restarting') faults.push(`the daemon is ${this.phase}`);
    for (const [shard, line] of Object.entries(this.status().shards)) {
      if (!line.connected) continue;
      if (line.phase === 'stopped') faults.push(`${shard} is stopped: ${line.trouble}`);
      else if (line.stuck) faults.push(`${shard} is stuck in one call`);
    }
    return faults;
  }

  status(): WorkerStatus {
    const shards: Record<string, ShardLine> = {};
    const totals = zeroCounters();
    for (const name of [...this.#shards.keys()].sort()) {
      const line = this.#line(this.#shards.get(name)!);
      shards[name] = line;
      for (const counter of COUNTERS) totals[counter] += line[counter];
    }
    return {
      application: this.#config.application,
      worker_id: this.#config.worker_id,
      stream: this.#config.stream.name,
      phase: this.phase,
      daemon_pid: this.daemonPid,
      daemon_restarts: this.daemonRestarts,
      shards,
      totals,
    };
  }

  #line({ report, before, connected }: ShardEntry): ShardLine {
    const counters = zeroCounters();
    for (const name of COUNTERS) counters[name] = before[name] + report.counters[name];
    const { busy_since: busy, pending_since: pending } = report;
    return {
      ...counters,
      phase: report.phase,
      trouble: report.trouble,
      connected,
      pid: report.pid,
      millis_behind_latest: report.millis_behind_latest,
      last_commit_at: report.last_commit_at,
      pending_bytes: report.pending_bytes,
      oldest_pending_ms: pending === null ? null : Math.max(0, this.#now() - pending),
      stuck: connected && busy !== null && this.#now() - busy > this.#config.stuck_after,
      lanes: report.lanes,
    };
  }

  /** The text of /metrics, in Prometheus' format. */
  metrics(): Promise<string> {
    const registers = [new Registry()];
    const status = this.status();
    const labelNames = ['shard'] as const;
    for (const name of COUNTERS) {
      const counter = new Counter({
        name: `tailrace_consumer_${name}_total`,
        help: HELP[name],
        labelNames,
        registers,
      });
      for (const [shard, line] of Object.entries(status.shards)) counter.inc({ shard }, line[name]);
    }
    const gauge = (name: string, help: string, value: (line: ShardLine) => number | null): void => {
      const one = new Gauge({ name: `tailrace_consumer_${name}`, help, labelNames, registers });
      for (const [shard, line] of Object.entries(status.shards)) {
        const now = value(line);
        if (line.connected && now !== null) one.set({ shard }, now);
      }
    };
    gauge('behind_latest_seconds', 'How far behind the end of the shard', (line) =>
      line.millis_behind_latest === null ? null : line.millis_behind_latest / 1000,
    );
    gauge('pending_bytes', 'Bytes of records that no commit covers yet', (line) => line.pending_bytes);
    gauge(
      'oldest_pending_seconds',
      'Age of the oldest record that no commit covers yet',
      (line) => (line.oldest_pending_ms ?? 0) / 1000,
    );
    gauge('last_commit_timestamp_seconds', 'When the last commit was written', (line) =>
      line.last_commit_at === null ? null : line.last_commit_at / 1000,
    );
    gauge('stuck', '1 when one call of KCL takes longer than stuck_after', (line) => (line.stuck ? 1 : 0));
    gauge('stopped', '1 when the shard needs somebody to act', (line) => (line.phase === 'stopped' ? 1 : 0));
    gauge('lanes', 'Lanes in memory', (line) => line.lanes);
    const errors = new Counter({
      name: 'tailrace_consumer_s3_errors_by_reason_total',
      help: 'S3 calls that failed and were tried again, by reason',
      labelNames: ['shard', 'reason'],
      registers,
    });
    for (const [shard, entry] of this.#shards) {
      const all = [
        ...Object.entries(entry.errorsBefore),
        ...Object.entries(entry.report.s3_errors_by_reason),
      ];
      for (const [reason, n] of all) errors.inc({ shard, reason }, n);
    }
    new Counter({
      name: 'tailrace_consumer_daemon_restarts_total',
      help: 'How often the daemon was started again',
      registers,
    }).inc(this.daemonRestarts);
    new Gauge({ name: 'tailrace_consumer_up', help: '1 while the daemon runs', registers }).set(
      this.phase === 'running' ? 1 : 0,
    );
    return registers[0]!.metrics();
  }
}
