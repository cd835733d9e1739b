/** What the worker knows of all its shards: /status, /health and /metrics. */
import { Counter, Gauge, Registry } from 'prom-client';
import { uptime } from '../../base/uptime.ts';
import type { ConsumerConfig } from '../config.ts';
import { COUNTERS, type CounterName, type ShardCounters, type ShardReport, zeroCounters } from './report.ts';

interface ShardEntry {
  report: ShardReport;
  /** What processes of the shard counted that are gone. */
  before: ShardCounters;
  errorsBefore: Record<string, number>;
  /** Processes that a later one has replaced but that still end: their lease came back before they were gone. */
  readonly replaced: Map<number, ShardReport>;
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
  /** The call it is stuck in, or that none comes; null when it is not stuck. */
  readonly stuck_in: string | null;
  /** What S3 says to every call, while that is something that only a person can change. */
  readonly s3_trouble: string | null;
  readonly lanes: number;
}

/** The JSON of /status. */
export interface WorkerStatus {
  readonly application: string;
  readonly worker_id: string;
  readonly stream: string;
  readonly phase: WorkerPhase;
  /** Why it is not well; empty when it is. */
  readonly faults: readonly string[];
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
  readonly #uptime: () => number;

  constructor(config: ConsumerConfig, clock: () => number = uptime) {
    this.#config = config;
    this.#uptime = clock;
  }

  update(report: ShardReport): void {
    const entry = this.#shards.get(report.shard);
    if (!entry) {
      const [before, errorsBefore, replaced] = [zeroCounters(), {}, new Map<number, ShardReport>()];
      this.#shards.set(report.shard, { report, before, errorsBefore, replaced, connected: true });
      return;
    }
    if (entry.replaced.has(report.pid)) {
      entry.replaced.set(report.pid, report);
      return;
    }
    if (entry.report.pid !== report.pid) {
      if (entry.connected) entry.replaced.set(entry.report.pid, entry.report);
      else settle(entry, entry.report);
    }
    entry.report = report;
    entry.connected = true;
  }

  /** The process of a shard is gone; what it counted stays. */
  gone(shard: string, pid: number): void {
    const entry = this.#shards.get(shard);
    const replaced = entry?.replaced.get(pid);
    if (entry && replaced) {
      entry.replaced.delete(pid);
      settle(entry, replaced);
    } else if (entry?.report.pid === pid) entry.connected = false;
  }

  /** Shards whose process lives and has not come to an end. */
  get active(): number {
    let active = 0;
    for (const { connected, report } of this.#shards.values()) {
      if (connected && report.phase !== 'ended' && report.phase !== 'lost') active += 1;
    }
    return active;
  }

  #faults(shards: Readonly<Record<string, ShardLine>>): string[] {
    const faults: string[] = [];
    if (this.phase === 'failed' || this.phase === 'restarting') faults.push(`the daemon is ${this.phase}`);
    for (const [shard, line] of Object.entries(shards)) {
      if (!line.connected) continue;
      if (line.phase === 'stopped') faults.push(`${shard} is stopped: ${line.trouble}`);
      else if (line.s3_trouble !== null) faults.push(`${shard} can't write: ${line.s3_trouble}`);
      else if (line.stuck) faults.push(`${shard} is stuck: ${line.stuck_in}`);
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
      faults: this.#faults(shards),
      daemon_pid: this.daemonPid,
      daemon_restarts: this.daemonRestarts,
      shards,
      totals,
    };
  }

  #line({ report, before, replaced, connected }: ShardEntry): ShardLine {
    const counters = zeroCounters();
    for (const name of COUNTERS) {
      counters[name] = before[name] + report.counters[name];
      for (const other of replaced.values()) counters[name] += other.counters[name];
    }
    const { pending_since: pending } = report;
    const stuck = connected && this.#isStuck(report);
    return {
      ...counters,
      phase: report.phase,
      trouble: report.trouble,
      connected,
      pid: report.pid,
      millis_behind_latest: report.millis_behind_latest,
      last_commit_at: report.last_commit_at,
      pending_bytes: report.pending_bytes,
      oldest_pending_ms: pending === null ? null : Math.max(0, this.#uptime() - pending),
      stuck,
      stuck_in: stuck ? (report.busy_in ?? 'KCL calls no more') : null,
      s3_trouble: connected ? report.s3_trouble : null,
      lanes: report.lanes,
    };
  }

  /** One call of KCL's takes too long, or KCL, which calls every second or so, does not call any more. */
  #isStuck({ phase, busy_since: busy, idle_since: idle }: ShardReport): boolean {
    const since = busy ?? (phase === 'running' ? idle : null);
    return since !== null && this.#uptime() - since > this.#config.stuck_after;
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
    gauge('stuck', '1 when a call of KCL, or the wait for the next, takes longer than stuck_after', (line) =>
      line.stuck ? 1 : 0,
    );
    gauge('s3_denied', '1 while S3 denies access or has no such bucket', (line) =>
      line.s3_trouble === null ? 0 : 1,
    );
    gauge('stopped', '1 when the shard needs somebody to act', (line) => (line.phase === 'stopped' ? 1 : 0));
    gauge('lanes', 'Lanes in memory', (line) => line.lanes);
    const errors = new Counter({
      name: 'tailrace_consumer_s3_errors_by_reason_total',
      help: 'S3 calls that failed and were tried again, by reason',
      labelNames: ['shard', 'reason'],
      registers,
    });
    for (const [shard, entry] of this.#shards) {
      const living = [entry.report, ...entry.replaced.values()].map((report) => report.s3_errors_by_reason);
      for (const byReason of [entry.errorsBefore, ...living]) {
        for (const [reason, n] of Object.entries(byReason)) errors.inc({ shard, reason }, n);
      }
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

/** Adds what a process that is gone had counted to what stays. */
function settle(entry: ShardEntry, gone: ShardReport): void {
  for (const name of COUNTERS) entry.before[name] += gone.counters[name];
  for (const [reason, n] of Object.entries(gone.s3_errors_by_reason)) {
    entry.errorsBefore[reason] = (entry.errorsBefore[reason] ?? 0) + n;
  }
}
