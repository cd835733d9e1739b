/** What a shard's process tells the launcher: counters and gauges, as lines of JSON over a unix socket. */
import * as net from 'node:net';

/** Counters that only grow while the process lives. */
export const COUNTERS = [
  'records',
  'bytes_received',
  'chunks',
  'events',
  'bytes',
  'duplicates',
  'commits',
  'objects',
  'small_objects',
  'followed',
  'voided_objects',
  'foreign',
  'damaged',
  'unproven',
  'passed_over',
  's3_errors',
  'checkpoints',
] as const;

export type CounterName = (typeof COUNTERS)[number];
export type ShardCounters = Record<CounterName, number>;

export type ShardPhase = 'starting' | 'waiting_for_parent' | 'running' | 'stopped' | 'ended' | 'lost';

export interface ShardReport {
  readonly shard: string;
  readonly pid: number;
  readonly phase: ShardPhase;
  /** Why it is stopped, or what it is waiting for. */
  readonly trouble: string | null;
  readonly counters: ShardCounters;
  readonly millis_behind_latest: number | null;
  /** ms since 1970; null when there was none. */
  readonly last_commit_at: number | null;
  readonly pending_bytes: number;
  /** When the oldest record came in that no commit covers, by {@link uptime}. */
  readonly pending_since: number | null;
  /** Since when the process has been in one call of KCL's, by {@link uptime}, and which; null between calls. */
  readonly busy_since: number | null;
  readonly busy_in: string | null;
  /** Since when it waits for KCL's next call, by {@link uptime}; null in a call, and before the first. */
  readonly idle_since: number | null;
  readonly lanes: number;
  /** S3's answers that were errors, by reason. */
  readonly s3_errors_by_reason: Readonly<Record<string, number>>;
  /** S3's newest answer, while it is that access is denied or that there is no such bucket. */
  readonly s3_trouble: string | null;
}

export interface LauncherMessage {
  readonly max_bytes: number;
}

export function zeroCounters(): ShardCounters {
  return Object.fromEntries(COUNTERS.map((name) => [name, 0])) as ShardCounters;
}

/** The process's end of the socket; a launcher that does not listen is not a reason to stop archiving. */
export class Reporter {
  readonly #socket: net.Socket | null;
  #isOpen = true;

  constructor(path: string | undefined, onMessage: (message: LauncherMessage) => void) {
    if (path === undefined) {
      this.#socket = null;
      return;
    }
    this.#socket = net.connect(path);
    this.#socket.on('error', () => {
      this.#isOpen = false;
    });
    this.#socket.unref();
    readLines<LauncherMessage>(this.#socket, onMessage);
  }

  send(report: ShardReport): void {
    // What the launcher has not read yet is out of date soon: a later report says it all again.
    if (!this.#socket || !this.#isOpen || this.#socket.writableLength > 1 << 20) return;
    this.#socket.write(`${JSON.stringify(report)}\n`);
  }

  /** Resolves when what was sent has left the process. */
  flush(): Promise<void> {
    const socket = this.#socket;
    if (!socket || !this.#isOpen || socket.writableLength === 0) return Promise.resolve();
    return new Promise((resolve) => {
      socket.write('', () => resolve());
      socket.once('error', () => resolve());
    });
  }
}

/** The launcher's end. */
export class ReportServer {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #message: LauncherMessage | null = null;

  constructor(onReport: (report: ShardReport, from: net.Socket) => void, onGone: (from: net.Socket) => void) {
    this.#server = net.createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        onGone(socket);
      });
      readLines<ShardReport>(socket, (report) => onReport(report, socket));
      if (this.#message) socket.write(`${JSON.stringify(this.#message)}\n`);
    });
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, resolve);
    });
  }

  /** Tells all processes, and those that come later. */
  tell(message: LauncherMessage): void {
    this.#message = message;
    for (const socket of this.#sockets) socket.write(`${JSON.stringify(message)}\n`);
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function readLines<T>(socket: net.Socket, onLine: (value: T) => void): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) onLine(JSON.parse(line) as T);
  });
}
