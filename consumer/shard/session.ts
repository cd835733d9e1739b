/** The work on one shard: KCL's protocol on one side, the archive on the other, reports to the launcher. */
import { Readable, type Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import kcl from 'aws-kcl';
import type { Logger } from 'pino';
import { requireConditionalWrites } from '../../archive/probe.ts';
import type { S3Trouble } from '../../archive/s3.ts';
import type { ArchiveStore } from '../../archive/store.ts';
import { ENCODER, ENCODERS } from '../../archive/writer/encoders.ts';
import { type BatchLimits, ShardArchiver } from '../../archive/writer/shard-archiver.ts';
import { closeGoneShard, WHOLE_RANGE } from '../../archive/writer/start.ts';
import { uptime } from '../../base/uptime.ts';
import { Reporter } from '../status/report.ts';
import type { Budget } from './budget.ts';
import type { ShardConfig } from './config.ts';
import { GoneShard } from './gone.ts';
import type { LineSlots } from './line-slots.ts';
import { LiveShard } from './live.ts';
import { type KclProcessor, kclProcessor, type ShardWork } from './processor.ts';
import { untilBroken, wholeLines } from './protocol.ts';
import { RecordData } from './record-data.ts';
import type { Resources } from './resources.ts';
import { ShardStatus } from './status.ts';

const REPORT_EVERY_MS = 1000;
const TELL_EVERY_MS = 60_000;
const PARENT_POLL_MS = 2000;
const SNAPSHOT_EVERY = 64;
const DAY_MS = 86_400_000;

/** What tests put between the steps of the commit protocol; nothing unless they do. */
export interface Failpoints {
  readonly store: (store: ArchiveStore, daemon: number) => ArchiveStore;
  readonly checkpointing: (daemon: number) => void;
}

/** What all shards of a process share. */
export interface SessionDependencies {
  readonly config: ShardConfig;
  readonly log: Logger;
  readonly resources: Resources;
  readonly budget: Budget;
  readonly slots: LineSlots;
  /** Where the launcher listens for reports; undefined for nowhere. */
  readonly reports: string | undefined;
  readonly failpoints: Failpoints | null;
  /** Called with the bytes that the batches of one process may have, where each shard has its own. */
  readonly onShare: (bytes: number) => void;
  /** Called with the length of each line of KCL's that was taken. */
  readonly onLine: (bytes: number) => void;
}

/** The shard's own connection to the daemon. */
export interface SessionPipes {
  readonly input: Readable;
  /** Never answers a write with false: see protocol.ts. */
  readonly output: Writable;
  /** The process that stands for the shard towards the daemon. */
  readonly pid: number;
  /** The daemon's, for failpoints. */
  readonly daemon: number;
}

export class ShardSession {
  /** Rejects when the daemon has to be restarted for this shard; resolves when the daemon has closed the pipe. */
  readonly ended: Promise<void>;
  readonly #dependencies: SessionDependencies;
  readonly #pipes: SessionPipes;
  readonly #status: ShardStatus;
  readonly #reporter: Reporter;
  readonly #limits: BatchLimits;
  readonly #data = new RecordData();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #end = Promise.withResolvers<void>();

  constructor(dependencies: SessionDependencies, pipes: SessionPipes) {
    this.#dependencies = dependencies;
    this.#pipes = pipes;
    this.ended = this.#end.promise;
    const status = new ShardStatus(pipes.pid);
    this.#status = status;
    this.#limits = dependencies.budget.add(status);
    this.#reporter = new Reporter(dependencies.reports, ({ max_bytes }) => dependencies.onShare(max_bytes));
    this.#every(REPORT_EVERY_MS, () => this.#report());
    const { input, output } = pipes;
    const close = (): void => this.#end.resolve();
    input.once('end', close).once('close', close).once('error', close);
    output.once('error', close);
    const take = (line: Buffer): string => this.#data.take(line);
    const lines = wholeLines(input, dependencies.slots, take, dependencies.onLine);
    // A relay that dies closes the pipe in the middle of anything, and costs no shard but its own.
    const whole = untilBroken(lines, (error) => (input.destroyed ? close() : this.#fail(error)));
    kcl(this.#processor(), Readable.from(whole, { highWaterMark: 1 }), output, process.stderr).run();
    const release = (): void => this.#release();
    this.ended.then(release, release);
  }

  get shard(): string {
    return this.#status.shard;
  }

  #release(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#dependencies.budget.remove(this.#status);
    this.#reporter.close();
    this.#status.abandon();
  }

  #every(ms: number, work: () => void): void {
    this.#timers.add(setInterval(work, ms));
  }

  #report(): void {
    // Until KCL names the shard there is nothing to report, and the launcher would keep a shard without a name.
    if (this.#status.shard === '') return;
    this.#reporter.send(this.#status.report());
  }

  #processor(): KclProcessor {
    const status = this.#status;
    const { log, failpoints } = this.#dependencies;
    return kclProcessor({
      open: (shard) => this.#open(shard),
      dataOf: (text) => this.#data.of(text),
      busy: (call) => status.busy(call),
      behind: (millis) => {
        status.behind = millis;
      },
      checkpointing: () => failpoints?.checkpointing(this.#pipes.daemon),
      checkpointed: () => {
        status.counters.checkpoints += 1;
      },
      checkpointFailed: (error) => log.warn({ shard: status.shard, error }, 'KCL rejected the checkpoint'),
      ended: () => {
        status.phase = 'ended';
        log.info({ shard: status.shard }, 'the shard ends, all of it is archived');
        this.#report();
      },
      flushed: () => {
        status.phase = 'flushed';
        this.#report();
      },
      leaseLost: (asked) => {
        status.phase = 'lost';
        log.info(
          { shard: status.shard, pending_bytes: status.pendingBytes },
          asked ? 'the lease was returned' : 'the lease went to another worker',
        );
        this.#report();
      },
      stopped: (error) => {
        status.stop(error.message);
        const tell = (): void =>
          log.fatal({ shard: status.shard, code: error.code }, `the shard is stopped: ${error.message}`);
        tell();
        this.#every(TELL_EVERY_MS, tell);
        this.#report();
      },
      failed: (error) => this.#fail(error),
    });
  }

  #fail(error: unknown): void {
    const { code, message, stack } = error as { code?: string; message?: string; stack?: string };
    this.#dependencies.log.fatal(
      { shard: this.#status.shard, code, stack },
      `the daemon has to be restarted for this shard: ${message ?? String(error)}`,
    );
    this.#end.reject(error);
  }

  async #open(shard: string): Promise<ShardWork> {
    const { config, log, resources, failpoints } = this.#dependencies;
    const status = this.#status;
    status.shard = shard;
    this.#report();
    const stream = await resources.stream();
    const find = async () => (await stream.shards()).find(({ id }) => id === shard);
    const info = await find();
    const { archive } = config;
    const watched = resources.store({
      onTrouble: (trouble) => this.#onTrouble(trouble),
      onAnswer: () => status.s3Answered(),
    });
    const store = failpoints ? failpoints.store(watched, this.#pipes.daemon) : watched;
    const context = {
      stream: config.stream.name,
      incarnation: stream.incarnation,
      shard,
      range: info?.range ?? WHOLE_RANGE,
      parents: info?.parents ?? [],
      prefix: archive.prefix,
      keyTemplate: archive.key_template,
      forget: { horizon: config.dedupe_horizon, grace: DAY_MS },
      snapshotEvery: SNAPSHOT_EVERY,
      encoder: ENCODER,
      encoders: ENCODERS,
    };
    const wait = async (parent: string): Promise<void> => {
      status.waitFor(parent);
      log.warn({ shard, parent }, 'waiting until the parent shard is archived');
      this.#report();
      await sleep(PARENT_POLL_MS);
    };
    const events = status.events(log, () => this.#report());
    const options = { limits: this.#limits, now: Date.now, uptime, wait, events };
    if (!info) {
      log.warn({ shard }, 'the stream no longer has the shard: closing its log and ending its lease');
      return new GoneShard({
        shard,
        isGone: async () => (await find()) === undefined,
        closeLog: () => closeGoneShard(context, store, options),
      });
    }
    await requireConditionalWrites(watched, config.archive.prefix);
    const archiver = new ShardArchiver(context, store, stream, options);
    status.watch(archiver);
    const isOpen = async (): Promise<boolean> => (await find())?.closed === false;
    return new LiveShard({ shard, archiver, isOpen });
  }

  #onTrouble(trouble: S3Trouble): void {
    const { log } = this.#dependencies;
    const isNew = this.#status.s3Error(trouble);
    const details = { shard: this.#status.shard, ...trouble };
    if (isNew)
      log.error(details, 'S3 refuses the request: archiving is paused and nothing is lost; see the message');
    else log.warn(details, 'an S3 call failed and is retried');
  }
}
