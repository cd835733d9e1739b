/** Counts what one shard's process does, for its reports. */
import type { Logger } from 'pino';
import type { S3Trouble } from '../../archive/s3.ts';
import type { ArchiverEvents, ShardArchiver } from '../../archive/writer/shard-archiver.ts';
import { uptime } from '../../base/uptime.ts';
import { canFollow, type ShardPhase, type ShardReport, zeroCounters } from '../status/report.ts';

/** Objects below this cost readers more in requests than in bytes. */
const SMALL_OBJECT = 1024 * 1024;

export class ShardStatus {
  shard = '';
  readonly #pid: number;
  #phase: ShardPhase = 'starting';
  behind: number | null = null;
  readonly counters = zeroCounters();
  readonly #s3Errors: Record<string, number> = {};
  #archiver: ShardArchiver | null = null;
  #trouble: string | null = null;
  #lastCommitAt: number | null = null;
  #busySince: number | null = null;
  #busyIn: string | null = null;
  #idleSince: number | null = null;
  #s3Trouble: string | null = null;

  /** @param pid of the process that stands for the shard towards the daemon */
  constructor(pid: number) {
    this.#pid = pid;
  }

  get phase(): ShardPhase {
    return this.#phase;
  }

  /** @throws RangeError when that state cannot follow */
  set phase(next: ShardPhase) {
    if (!canFollow(this.#phase, next))
      throw new RangeError(`a shard cannot go from ${this.#phase} to ${next}`);
    this.#phase = next;
  }

  /** Bytes of records that no commit covers yet. */
  get pendingBytes(): number {
    return this.#archiver?.pendingBytes ?? 0;
  }

  /** Lets go of the archiver, and so of its records. */
  abandon(): void {
    this.#archiver = null;
  }

  watch(archiver: ShardArchiver): void {
    this.#archiver = archiver;
  }

  busy(call: string | null): void {
    this.#busySince = call === null ? null : uptime();
    this.#busyIn = call;
    this.#idleSince = call === null ? uptime() : null;
    if (call === null && (this.phase === 'starting' || this.phase === 'waiting_for_parent')) {
      this.phase = 'running';
      this.#trouble = null;
    }
  }

  waitFor(parent: string): void {
    this.phase = 'waiting_for_parent';
    this.#trouble = `waiting for ${parent}`;
  }

  stop(why: string): void {
    this.phase = 'stopped';
    this.#trouble = why;
  }

  /** @returns whether this is new: S3 answered otherwise before */
  s3Error({ reason, message, lasting }: S3Trouble): boolean {
    this.counters.s3_errors += 1;
    this.#s3Errors[reason] = (this.#s3Errors[reason] ?? 0) + 1;
    if (!lasting) return false;
    const isNew = this.#s3Trouble === null;
    this.#s3Trouble = message;
    return isNew;
  }

  s3Answered(): void {
    this.#s3Trouble = null;
  }

  events(log: Logger, changed: () => void): ArchiverEvents {
    const { counters } = this;
    return {
      received: (items) => {
        for (const item of items) {
          counters.records += 1;
          counters.bytes_received += item.bytes;
        }
      },
      passedOver: (records) => {
        counters.passed_over += records;
      },
      committed: (commit, rewritten) => {
        counters.commits += 1;
        counters.duplicates += commit.skipped.duplicates;
        counters.damaged += commit.damaged;
        counters.rewritten += rewritten;
        if (rewritten > 0)
          log.info(
            { shard: commit.shard, commit: commit.number, lines: rewritten },
            'foreign JSON that some readers refuse is archived as text, or with U+FFFD for half a surrogate pair',
          );
        counters.unproven += commit.unproven;
        for (const object of commit.objects) {
          counters.objects += 1;
          if (object.bytes < SMALL_OBJECT) counters.small_objects += 1;
          counters.chunks += object.foreign > 0 ? 0 : object.chunks;
          counters.foreign += object.foreign;
          counters.events += object.events;
          counters.bytes += object.bytes;
        }
        this.#lastCommitAt = Date.now();
      },
      followed: (commit) => {
        counters.followed += 1;
        log.info({ shard: commit.shard, commit: commit.number }, "followed another worker's commit");
      },
      completed: (commit) => {
        log.debug({ shard: commit.shard, commit: commit.number, to: commit.to }, 'archived');
        changed();
      },
      voided: (commit, lost) => {
        counters.voided_objects += lost.length;
        log.error(
          { shard: commit.shard, commit: commit.number, objects: lost.map((object) => object.key) },
          'a commit cannot be completed: what the stream no longer has of it is a hole, `tailrace verify` names it',
        );
      },
    };
  }

  report(): ShardReport {
    return {
      shard: this.shard,
      pid: this.#pid,
      host_pid: process.pid,
      phase: this.phase,
      trouble: this.#trouble,
      counters: { ...this.counters },
      millis_behind_latest: this.behind,
      last_commit_at: this.#lastCommitAt,
      pending_bytes: this.pendingBytes,
      pending_since: this.#archiver?.pendingSince ?? null,
      busy_since: this.#busySince,
      busy_in: this.#busyIn,
      idle_since: this.#idleSince,
      lanes: this.#archiver?.laneCount ?? 0,
      s3_errors_by_reason: { ...this.#s3Errors },
      s3_trouble: this.#s3Trouble,
    };
  }
}
