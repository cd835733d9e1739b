/** What the work on a shard reports to the launcher: counters and gauges, as lines of JSON over a unix socket. */
import * as net from 'node:net';
import * as z from 'zod/mini';

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
  'rewritten',
  'unproven',
  'passed_over',
  's3_errors',
  'checkpoints',
] as const;

export type CounterName = (typeof COUNTERS)[number];
export type ShardCounters = Record<CounterName, number>;

/**
 * The states of a worker's work on a shard, each with those that can follow it.
 *
 *     starting            its log is read, and where it is new, its parents' logs
 *     waiting_for_parent  a parent in the stream is not archived to its end yet
 *     running             records are taken in and committed
 *     stopped             something needs a person; KCL's call is never answered, and the shard stays with this worker
 *     flushed             KCL gives the lease up: what was read is archived and checkpointed, and no record follows
 *     ended               the shard was split, merged or is gone, and is archived to its end
 *     lost                the lease went to another worker, or was returned at a stop
 */
const SHARD_TRANSITIONS = {
  starting: ['waiting_for_parent', 'running', 'stopped', 'lost'],
  waiting_for_parent: ['running', 'stopped', 'lost'],
  running: ['stopped', 'flushed', 'ended', 'lost'],
  stopped: ['lost'],
  flushed: ['ended', 'lost'],
  ended: ['lost'],
  lost: [],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type ShardPhase = keyof typeof SHARD_TRANSITIONS;

/** Whether a shard's work can go from one state to the other; it may stay in any. */
export function canFollow(from: ShardPhase, to: ShardPhase): boolean {
  return from === to || (SHARD_TRANSITIONS[from] as readonly ShardPhase[]).includes(to);
}

const number = z.number();
const shardReport = z.strictObject({
  shard: z.string(),
  /** Of the process that stands for the shard towards the daemon. */
  pid: number,
  /** Of the process that does the work. */
  host_pid: number,
  phase: z.enum(Object.keys(SHARD_TRANSITIONS) as [ShardPhase, ...ShardPhase[]]),
  /** Why it is stopped, or what it is waiting for. */
  trouble: z.nullable(z.string()),
  counters: z.strictObject(
    Object.fromEntries(COUNTERS.map((name) => [name, number])) as Record<CounterName, typeof number>,
  ),
  millis_behind_latest: z.nullable(number),
  /** ms since 1970; null when there was none. */
  last_commit_at: z.nullable(number),
  pending_bytes: number,
  /** When the oldest record came in that no commit covers, by {@link uptime}. */
  pending_since: z.nullable(number),
  /** Since when it has been in one call of KCL's, by {@link uptime}, and which; null between calls. */
  busy_since: z.nullable(number),
  busy_in: z.nullable(z.string()),
  /** Since when it waits for KCL's next call, by {@link uptime}; null in a call, and before the first. */
  idle_since: z.nullable(number),
  lanes: number,
  /** S3's error responses, by reason. */
  s3_errors_by_reason: z.record(z.string(), number),
  /** S3's newest answer, while it is one that only a person can change. */
  s3_trouble: z.nullable(z.string()),
});

export type ShardReport = Readonly<z.infer<typeof shardReport>>;

const launcherMessage = z.strictObject({
  /** What the batches of one process may have. */
  max_bytes: z.number(),
});

export type LauncherMessage = Readonly<z.infer<typeof launcherMessage>>;

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
    readLines(this.#socket, launcherMessage, onMessage);
  }

  send(report: ShardReport): void {
    // What the launcher has not read yet is out of date soon: a later report repeats all of it.
    if (!this.#socket || !this.#isOpen || this.#socket.writableLength > 1 << 20) return;
    this.#socket.write(`${JSON.stringify(report)}\n`);
  }

  /** Ends the connection, which says that the shard's work here is over. */
  close(): void {
    this.#socket?.end();
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
      readLines(socket, shardReport, (report) => onReport(report, socket));
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

/** A line that is not what it should be ends the connection: the other end is of another release. */
function readLines<T extends z.ZodMiniType>(
  socket: net.Socket,
  schema: T,
  onLine: (value: z.output<T>) => void,
): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const value = z.safeParse(schema, parsed(line));
      if (!value.success) {
        socket.destroy(new Error(`not a report of this release: ${value.error.issues[0]!.path.join('.')}`));
        return;
      }
      onLine(value.data);
    }
  });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
