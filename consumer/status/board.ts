/** What the worker knows about all its shards, and what is wrong with it. */
import { uptime } from '../../base/uptime.ts';
import { VERSION } from '../../base/version.ts';
import type { ConsumerConfig } from '../config.ts';
import { heapFor, heapOf, machineMemory, shardsThatFit } from '../kcl/memory.ts';
import { Refusals } from './refusals.ts';
import { COUNTERS, type ShardCounters, type ShardReport, zeroCounters } from './report.ts';

interface ShardEntry {
  report: ShardReport;
  /** What processes of the shard counted that are gone. */
  before: ShardCounters;
  errorsBefore: Record<string, number>;
  /** Processes that a later one has replaced but that still end: their lease came back before they were gone. */
  readonly replaced: Map<number, ShardReport>;
  connected: boolean;
  /** Since when it is not, by {@link uptime}. */
  goneAt: number;
}

/** A shard that this worker has not read for so long is forgotten: over the years there are ever more of them. */
const FORGET_MS = 3_600_000;

/** What a look at the stream has found. */
export interface StreamSight {
  readonly openShards: number;
  /** Open shards that no worker reads, and since when, by {@link uptime}. */
  readonly unread: ReadonlyMap<string, number>;
}

/**
 * The states of a worker, each with those that can follow it.
 *
 *     starting    leases are looked at, no daemon runs yet
 *     running     the daemon runs
 *     restarting  the daemon died or its stream was recreated, and is started after a pause
 *     stopping    a signal came, and the shards commit what they have
 *     failed      the daemon died as often in a row as the configuration allows; the worker exits
 */
const WORKER_TRANSITIONS = {
  starting: ['running'],
  running: ['restarting', 'stopping', 'failed'],
  restarting: ['running'],
  stopping: [],
  failed: [],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type WorkerPhase = keyof typeof WORKER_TRANSITIONS;

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
  /** The release; workers of before it was said have none. */
  readonly version?: string;
  readonly application: string;
  readonly worker_id: string;
  readonly stream: string;
  readonly phase: WorkerPhase;
  /** Why it is not well; empty when it is. */
  readonly faults: readonly string[];
  readonly daemon_pid: number | null;
  /** The process that serves all shards; null when each has its own, and while there is none. */
  readonly host_pid: number | null;
  readonly daemon_restarts: number;
  readonly deaggregation_failures: number;
  /** Shards of the stream that are not closed; null when Kinesis has not said so yet. */
  readonly open_shards: number | null;
  /** Open shards that no worker reads, and for how long, ms. */
  readonly unread_ms: Readonly<Record<string, number>>;
  /** What AWS refuses this worker, by reason. */
  readonly refused: Readonly<Record<string, string>>;
  readonly shards: Readonly<Record<string, ShardLine>>;
  /** Counted by shards that this worker has not read for an hour or more. */
  readonly forgotten: ShardCounters;
  readonly totals: ShardCounters;
}

export class Board {
  #phase: WorkerPhase = 'starting';
  daemonRestarts = 0;
  /** Of the Java process, while it runs. */
  daemonPid: number | null = null;
  /** Aggregated records that KCL could not take apart, or not to their end. */
  deaggregationFailures = 0;
  /** What the last look at the stream has found. */
  sight: StreamSight | null = null;
  /** Why the stream cannot be looked at. */
  streamTrouble: string | null = null;
  /** What the daemon's heap running out has led to. */
  heapTrouble: string | null = null;
  /** What AWS refuses the daemon and the launcher; each is a fault for as long as it is repeated. */
  readonly refusals: Refusals;
  readonly #config: ConsumerConfig;
  readonly #shards = new Map<string, ShardEntry>();
  readonly #forgotten = zeroCounters();
  readonly #heap: number;
  readonly #uptime: () => number;

  constructor(config: ConsumerConfig, clock: () => number = uptime) {
    this.#config = config;
    this.#heap = heapOf(config, machineMemory());
    this.#uptime = clock;
    this.refusals = new Refusals(clock);
  }

  get phase(): WorkerPhase {
    return this.#phase;
  }

  /** @throws RangeError when that state cannot follow */
  set phase(next: WorkerPhase) {
    const following: readonly WorkerPhase[] = WORKER_TRANSITIONS[this.#phase];
    if (next !== this.#phase && !following.includes(next))
      throw new RangeError(`a worker cannot go from ${this.#phase} to ${next}`);
    this.#phase = next;
  }

  update(report: ShardReport): void {
    const entry = this.#shards.get(report.shard);
    if (!entry) {
      const [before, errorsBefore, replaced] = [zeroCounters(), {}, new Map<number, ShardReport>()];
      const entry = { report, before, errorsBefore, replaced, connected: true, goneAt: 0 };
      this.#shards.set(report.shard, entry);
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
    } else if (entry?.report.pid === pid) {
      entry.connected = false;
      entry.goneAt = this.#uptime();
    }
    this.#forget();
  }

  /** What forgotten shards counted stays in the sums. */
  #forget(): void {
    for (const [shard, entry] of this.#shards) {
      const { connected, replaced, goneAt } = entry;
      if (connected || replaced.size > 0 || this.#uptime() - goneAt < FORGET_MS) continue;
      settle(entry, entry.report);
      add(this.#forgotten, entry.before);
      this.#shards.delete(shard);
    }
  }

  /** Shards whose process lives and has not come to an end. */
  get active(): number {
    return [...this.#shards.keys()].filter((shard) => this.holds(shard)).length;
  }

  /** Whether every shard of this worker has archived and checkpointed what it read, and gets no more records. */
  get isFlushed(): boolean {
    return [...this.#shards].every(([shard, { report }]) => !this.holds(shard) || report.phase === 'flushed');
  }

  /** Whether this worker has a process for the shard. */
  holds(shard: string): boolean {
    const entry = this.#shards.get(shard);
    return entry?.connected === true && entry.report.phase !== 'ended' && entry.report.phase !== 'lost';
  }

  #faults(shards: Readonly<Record<string, ShardLine>>): string[] {
    const faults: string[] = [];
    if (this.phase === 'failed' || this.phase === 'restarting') faults.push(`the daemon is ${this.phase}`);
    for (const { message } of this.refusals.current()) faults.push(`AWS refuses: ${message}`);
    if (this.heapTrouble !== null) faults.push(this.heapTrouble);
    faults.push(...this.#roomFault());
    if (this.streamTrouble !== null) faults.push(`cannot look at the stream: ${this.streamTrouble}`);
    if (this.deaggregationFailures > 0) {
      faults.push(
        `${this.deaggregationFailures} aggregated records are malformed: user records in them are not archived; the log names their sequence numbers`,
      );
    }
    faults.push(...this.#unreadFault());
    for (const [shard, line] of Object.entries(shards)) {
      if (!line.connected) continue;
      if (line.phase === 'stopped') faults.push(`${shard} is stopped: ${line.trouble}`);
      else if (line.s3_trouble !== null) faults.push(`${shard} cannot write: ${line.s3_trouble}`);
      else if (line.stuck) faults.push(`${shard} is stuck: ${line.stuck_in}`);
    }
    return faults;
  }

  get #hostPid(): number | null {
    const connected = [...this.#shards.values()].find((entry) => entry.connected);
    return connected === undefined || connected.report.host_pid === connected.report.pid
      ? null
      : connected.report.host_pid;
  }

  /** More shards than the daemon's heap is made for: as long as they keep up, nothing shows it. */
  #roomFault(): string[] {
    const fit = shardsThatFit(this.#heap);
    const { active } = this;
    if (active <= fit) return [];
    const mib = (bytes: number): number => Math.ceil(bytes / 1024 / 1024);
    return [
      `${active} shards need a java.heap of ${mib(heapFor(active))} MiB when they are far behind, and it is ${mib(this.#heap)} MiB: raise it, take a larger instance, or set kcl.max_leases to ${fit} and add workers`,
    ];
  }

  #unreadFault(): string[] {
    const late = Object.entries(this.#unreadMs()).filter(([, ms]) => ms >= this.#config.unread_after);
    if (late.length === 0) return [];
    const seconds = Math.floor(Math.max(...late.map(([, ms]) => ms)) / 1000);
    const names = late.slice(0, 3).map(([shard]) => shard);
    return [
      `no worker has read ${late.length} of ${this.sight!.openShards} shards for ${seconds} s: ${names.join(', ')}${late.length > 3 ? ' …' : ''}`,
    ];
  }

  #unreadMs(): Record<string, number> {
    const unread = [...(this.sight?.unread ?? [])].filter(([shard]) => !this.holds(shard));
    return Object.fromEntries(unread.map(([shard, since]) => [shard, Math.max(0, this.#uptime() - since)]));
  }

  status(): WorkerStatus {
    const shards: Record<string, ShardLine> = {};
    const totals = { ...this.#forgotten };
    for (const name of [...this.#shards.keys()].sort()) {
      const line = this.#line(this.#shards.get(name)!);
      shards[name] = line;
      add(totals, line);
    }
    return {
      version: VERSION,
      application: this.#config.application,
      worker_id: this.#config.worker_id,
      stream: this.#config.stream.name,
      phase: this.phase,
      faults: this.#faults(shards),
      daemon_pid: this.daemonPid,
      host_pid: this.#hostPid,
      daemon_restarts: this.daemonRestarts,
      deaggregation_failures: this.deaggregationFailures,
      open_shards: this.sight?.openShards ?? null,
      unread_ms: this.#unreadMs(),
      refused: Object.fromEntries(this.refusals.current().map(({ reason, message }) => [reason, message])),
      shards,
      forgotten: { ...this.#forgotten },
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
      stuck_in: stuck ? (report.busy_in ?? 'no call of KCL comes') : null,
      s3_trouble: connected ? report.s3_trouble : null,
      lanes: report.lanes,
    };
  }

  /** One call of KCL's takes too long, or KCL, which calls every second or so, does not call any more. */
  #isStuck({ phase, busy_since: busy, idle_since: idle }: ShardReport): boolean {
    const since = busy ?? (phase === 'running' ? idle : null);
    return since !== null && this.#uptime() - since > this.#config.stuck_after;
  }

  /** S3's errors of each shard by reason, of all its processes so far. */
  s3Errors(): Map<string, Map<string, number>> {
    const byShard = new Map<string, Map<string, number>>();
    for (const [shard, entry] of this.#shards) {
      const sums = new Map<string, number>();
      const living = [entry.report, ...entry.replaced.values()].map((report) => report.s3_errors_by_reason);
      for (const byReason of [entry.errorsBefore, ...living]) {
        for (const [reason, n] of Object.entries(byReason)) sums.set(reason, (sums.get(reason) ?? 0) + n);
      }
      byShard.set(shard, sums);
    }
    return byShard;
  }
}

/** Adds what a process that is gone had counted to what stays. */
function settle(entry: ShardEntry, gone: ShardReport): void {
  add(entry.before, gone.counters);
  for (const [reason, n] of Object.entries(gone.s3_errors_by_reason)) {
    entry.errorsBefore[reason] = (entry.errorsBefore[reason] ?? 0) + n;
  }
}

function add(sum: ShardCounters, counters: ShardCounters): void {
  for (const name of COUNTERS) sum[name] += counters[name];
}
