/** The worker: keeps a MultiLangDaemon running, tells how its shards do, and ends it in order. */
import * as fs from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Backoff } from '../../base/backoff.ts';
import { TailraceError } from '../../base/errors.ts';
import { uptime } from '../../base/uptime.ts';
import { withTimeout } from '../../base/with-timeout.ts';
import type { ConsumerConfig } from '../config.ts';
import { Board } from '../status/board.ts';
import { serveBoard } from '../status/http.ts';
import { ReportServer } from '../status/report.ts';
import { dropAfterCrash } from './class-archive.ts';
import { Daemon, type DaemonEnd } from './daemon.ts';
import { Leadership, LOOK_EVERY_MS } from './leadership.ts';
import { fewerRecords, heapOf, machineMemory } from './memory.ts';
import { KEEP_FRESH_EVERY_MS, keepFresh, runDirectory } from './run-directory.ts';
import { StreamWatch } from './stream-watch.ts';

export interface LauncherOptions {
  readonly config: ConsumerConfig;
  readonly classPath: string;
  readonly classArchive: string | null;
  readonly log: Logger;
  /** What serves the shards, instead of consumer/shard/child.ts: for tests. */
  readonly child?: string | undefined;
}

/** The daemon died as often as the configuration allows. */
const EXIT_GAVE_UP = 1;
/** The daemon did not end within the stop time and was killed; nothing is lost by it. */
const EXIT_KILLED = 4;

/** With this the JVM says that its heap has run out (-XX:+ExitOnOutOfMemoryError). */
const EXIT_HEAP = 3;

/** A heap that has sufficed for so long, ms, is not too small for the shards. */
const SHORT_LIFE_MS = 3_600_000;

/** A look at the stream is abandoned after this: the daemon waits for the first one. */
const LOOK_MS = 30_000;

/** KCL's words for an aggregated record whose user records it could not take apart, or not all of them. */
const DEAGGREGATION = /exception during deaggregation|Error in deaggregation/;

export class Launcher {
  readonly board: Board;
  readonly #config: ConsumerConfig;
  readonly #options: LauncherOptions;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #watch: StreamWatch;
  #failedLooks = 0;
  /** Records a read; fewer than configured after the daemon's heap has run out. */
  #maxRecords: number;
  /** What the daemon starts faster with, until it crashes with it. */
  #classArchive: string | null;
  /** Called when the daemon has nothing more to do; null unless it is being stopped. */
  #onFlushed: (() => void) | null = null;
  /** Aborted when the daemon has to be restarted because the stream was recreated. */
  #recreated = new AbortController();
  #http: Server | null = null;

  constructor(options: LauncherOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#log = options.log;
    this.#classArchive = options.classArchive;
    this.#maxRecords = options.config.kcl.max_records;
    this.board = new Board(options.config);
    this.#watch = new StreamWatch({
      config: options.config,
      log: options.log,
      holds: (shard) => this.board.holds(shard),
      onRecreated: () => this.#recreated.abort(),
    });
  }

  /** Asks for the end: shards commit what they have, the daemon ends, {@link run} resolves. */
  stop(): void {
    this.#stop.abort();
  }

  /** Where the HTTP server listens. */
  get port(): number | null {
    return (this.#http?.address() as AddressInfo | undefined)?.port ?? null;
  }

  /** Runs until it is stopped or gives up; resolves with the exit code. */
  async run(): Promise<number> {
    this.#http = await serveBoard(this.#config.http.listen, this.board);
    const directory = runDirectory();
    const keep = setInterval(() => keepFresh(directory), KEEP_FRESH_EVERY_MS);
    const reports = this.#reportServer();
    const socket = path.join(directory, 'r.sock');
    const leadership = new Leadership(this.#config, this.#log);
    const looks = setInterval(() => void leadership.look(), LOOK_EVERY_MS);
    const watch = setInterval(() => void this.#look(), this.#config.kcl.shard_sync_interval);
    try {
      await reports.listen(socket);
      return await this.#supervise(directory, socket, leadership);
    } finally {
      clearInterval(looks);
      clearInterval(watch);
      clearInterval(keep);
      this.#watch.close();
      leadership.close();
      reports.close();
      this.#http.close();
      this.#http.closeAllConnections();
      fs.rmSync(directory, { recursive: true, force: true });
    }
  }

  #reportServer(): ReportServer {
    const { batch } = this.#config;
    const senders = new Map<Socket, { shard: string; pid: number }>();
    let shares = 0;
    const share = (): void => {
      const active = Math.max(1, this.board.active);
      if (active === shares) return;
      shares = active;
      server.tell({ max_bytes: Math.max(1, Math.floor(batch.memory / active)) });
    };
    const server: ReportServer = new ReportServer(
      (report, from) => {
        senders.set(from, report);
        this.board.update(report);
        share();
        const isFlushed = report.phase === 'flushed' || report.phase === 'lost';
        if (isFlushed && this.board.isFlushed) this.#onFlushed?.();
      },
      (from) => {
        const sender = senders.get(from);
        senders.delete(from);
        if (sender) this.board.gone(sender.shard, sender.pid);
        share();
      },
    );
    return server;
  }

  async #supervise(directory: string, reports: string, leadership: Leadership): Promise<number> {
    const { restart } = this.#config;
    const backoff = new Backoff({ base: restart.backoff, cap: restart.max_backoff, jitter: 'none' });
    while (!this.#stop.signal.aborted) {
      const startedAt = uptime();
      await this.#unlessStopped(Promise.all([leadership.giveUp(), this.#look()]));
      if (this.#stop.signal.aborted) break;
      this.#recreated = new AbortController();
      const onWarning = (text: string): void => this.#onWarning(text);
      const config = { ...this.#config, kcl: { ...this.#config.kcl, max_records: this.#maxRecords } };
      const daemon = await Daemon.start({
        ...this.#options,
        classArchive: this.#classArchive,
        config,
        directory,
        reports,
        onWarning,
      });
      this.#log.info(
        { daemon_pid: daemon.pid, http_port: this.port, worker_id: this.#config.worker_id },
        'the daemon runs',
      );
      this.board.phase = 'running';
      this.board.daemonPid = daemon.pid;
      const end = await this.#outlive(daemon);
      this.board.daemonPid = null;
      if (this.#stop.signal.aborted) {
        // A killed daemon may have left it, and the next leader would wait for it to expire.
        if (end.signal === 'SIGKILL') await leadership.giveUp();
        return end.isFlushed ? 0 : this.#exitCode(end);
      }
      this.board.daemonRestarts += 1;
      if (this.#recreated.signal.aborted) {
        this.#log.warn('the stream was recreated: starting the daemon on the new one');
        continue;
      }
      this.#onCrash(end);
      if (end.code === EXIT_HEAP && uptime() - startedAt < SHORT_LIFE_MS) this.#onHeapExhausted();
      if (uptime() - startedAt >= restart.healthy_after) backoff.reset();
      const wait = backoff.next();
      const deaths = backoff.failures;
      this.#log.error({ ...end, deaths }, 'the daemon died');
      if (deaths >= restart.give_up_after) {
        this.board.phase = 'failed';
        this.#log.fatal({ deaths }, 'the daemon died too often: giving up');
        return EXIT_GAVE_UP;
      }
      this.board.phase = 'restarting';
      await sleep(wait, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
    return 0;
  }

  /** A stop need not wait for a stream or a table that does not answer. */
  async #unlessStopped(work: Promise<unknown>): Promise<void> {
    const { signal } = this.#stop;
    const stopped = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    await Promise.race([work, stopped]);
  }

  #onCrash({ signal }: DaemonEnd): void {
    if (this.#classArchive === null || !dropAfterCrash(this.#classArchive, signal)) return;
    this.#log.error(
      { archive: this.#classArchive },
      'Java crashed: starting it without its archive of classes',
    );
    this.#classArchive = null;
  }

  /** The next daemon would end like this one, and the one after it: so it reads less at once. */
  #onHeapExhausted(): void {
    this.#maxRecords = fewerRecords(this.#maxRecords);
    const heap = Math.round(heapOf(this.#config, machineMemory()) / 1024 / 1024);
    this.board.heapTrouble = `the daemon has run out of its heap of ${heap} MiB, and reads at most ${this.#maxRecords} records at once until this worker is restarted: raise java.heap, take a larger instance, or set kcl.max_leases and add workers`;
    this.#log.error(this.board.heapTrouble);
  }

  /** Looks at the stream and repairs its leases; whatever goes wrong is a fault of the worker, never its end. */
  async #look(): Promise<void> {
    try {
      this.board.sight = await withTimeout(LOOK_MS, () => this.#watch.look());
      this.board.streamTrouble = null;
      this.#failedLooks = 0;
    } catch (error) {
      const { name, message } = error as Error;
      const text = name === 'ServiceError' ? message : `${name}: ${message}`;
      this.#noteRefusal(text);
      this.#failedLooks += 1;
      // One request that fails is nothing to wake somebody for.
      if (error instanceof TailraceError || this.#failedLooks > 1) this.board.streamTrouble = text;
      if (this.#failedLooks <= 2) this.#log.warn({ err: error }, 'cannot look at the stream and its leases');
    }
  }

  /** Reads what the daemon warns of: nothing of what it drops or is refused may pass in silence. */
  #onWarning(text: string): void {
    if (DEAGGREGATION.test(text)) {
      this.board.deaggregationFailures += 1;
      const sequence = /Sequence number: (\d+)/.exec(text)?.[1];
      this.#log.error({ sequence }, 'an aggregated record is malformed: user records in it are not archived');
    }
    this.#noteRefusal(text);
  }

  #noteRefusal(text: string): void {
    const refusal = this.board.refusals.note(text);
    if (refusal) this.#log.error({ reason: refusal.reason }, `AWS refuses: ${refusal.message}`);
  }

  /** Waits for the daemon's end; brings it about when the worker is stopped or the stream was recreated. */
  async #outlive(daemon: Daemon): Promise<DaemonEnd & { readonly isFlushed: boolean }> {
    let isFlushed = false;
    const signal = AbortSignal.any([this.#stop.signal, this.#recreated.signal]);
    const deadline = new AbortController();
    const onStop = async (): Promise<void> => {
      this.board.phase = this.#stop.signal.aborted ? 'stopping' : 'restarting';
      // KCL polls its own shutdown once a second, and takes seconds to see that nothing is left to do.
      this.#onFlushed = () => {
        if (this.#config.kcl.cloudwatch_metrics !== 'none') return;
        isFlushed = true;
        daemon.kill();
      };
      daemon.terminate();
      await sleep(this.#config.stop_timeout, undefined, { signal: deadline.signal });
      this.#log.error('the daemon did not end within stop_timeout: killing it, nothing is lost by it');
      daemon.kill();
    };
    // The wait is cut short when the daemon ends in time.
    const listener = (): void => void onStop().catch(() => {});
    if (signal.aborted) listener();
    else signal.addEventListener('abort', listener, { once: true });
    const end = await daemon.ended;
    this.#onFlushed = null;
    deadline.abort();
    signal.removeEventListener('abort', listener);
    return { ...end, isFlushed };
  }

  #exitCode(end: DaemonEnd): number {
    if (end.signal === 'SIGKILL') return EXIT_KILLED;
    // Java answers SIGTERM with 143 after its shutdown hooks have run: an end in order.
    return end.code === 143 || end.signal === 'SIGTERM' ? 0 : (end.code ?? 0);
  }
}
