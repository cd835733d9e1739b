/**
 * One run of the MultiLangDaemon and of the process that serves its shards: neither outlives the launcher or the other.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as readline from 'node:readline';
import type { Logger } from 'pino';
import { TailraceError } from '../../base/errors.ts';
import type { ConsumerConfig } from '../config.ts';
import { shardConfigText } from '../shard/config.ts';
import { heapOf, machineMemory, nodeFlags } from './memory.ts';
import { renderProperties } from './properties.ts';
import { prepareRelays } from './relay.ts';

export interface DaemonOptions {
  readonly config: ConsumerConfig;
  readonly classPath: string;
  /** See {@link classArchive}. */
  readonly classArchive: string | null;
  /** Where its files go: a directory of this worker alone. */
  readonly directory: string;
  /** Where shards' processes report. */
  readonly reports: string;
  readonly log: Logger;
  /** Called with each warning and error that the daemon logs. */
  readonly onWarning: (text: string) => void;
  /** What serves the shards, instead of consumer/shard/child.ts: for tests. */
  readonly child?: string | undefined;
  /** Instead of {@link JVM_FLAGS}: for benches. */
  readonly jvmFlags?: readonly string[] | undefined;
}

export interface DaemonEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Of one line of the daemon's log. */
const LONGEST_MESSAGE = 8192;
const MAIN_CLASS = 'software.amazon.kinesis.multilang.MultiLangDaemon';
/** The second compiler stays on: without it TLS and base64, most of what KCL does, are not native code (docs/performance.md). */
export const JVM_FLAGS = ['-XX:+UseSerialGC'];
/** KCL splits the command at blanks, and only there: tabs carry a shell through, and that any path. */
const EXECUTABLE = 'sh -c exec\t"$TAILRACE_NODE"\t$TAILRACE_NODE_FLAGS\t"$TAILRACE_CHILD"';
/** A source like this file, or a bundle next to it in the consumer's package. */
const CHILD = path.join(
  import.meta.dirname,
  import.meta.filename.endsWith('.ts') ? '../shard/child.ts' : 'child.js',
);
/**
 * Becomes the daemon, after it has left two processes behind in its process group. The watcher: when the pipe from the
 * launcher ends without a word, the launcher is gone, however it went, and the watcher kills the group. And, where one
 * process serves all shards, that host: when it ends, the group is killed, too. Both are there before the daemon is, so
 * that there is no moment in which one could outlive another. Signals of a terminal are not meant for them.
 */
const WATCHED = `exec 3<&0 </dev/null
(trap "" INT TERM HUP; read word <&3 || kill -s KILL 0) >/dev/null 2>&1 &
if [ -n "$TAILRACE_RELAYS" ]; then
  (trap "" INT TERM HUP; "$TAILRACE_NODE" $TAILRACE_NODE_FLAGS "$TAILRACE_CHILD" <&3 >/dev/null; kill -s KILL 0) &
fi
exec 3<&-
exec "$@"`;

const LOGBACK = `<configuration>
  <appender name="ERR" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%level|%logger{0}|%replace(%msg){'[\\r\\n]+', ' '}%replace(%ex{full}){'[\\r\\n]+', ' | '}%nopex%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="ERR"/></root>
</configuration>
`;

export class Daemon {
  readonly pid: number;
  /** Resolves when the Java process has ended. */
  readonly ended: Promise<DaemonEnd>;
  readonly #process: ChildProcess;
  #running = true;

  private constructor(java: ChildProcess, options: DaemonOptions) {
    this.#process = java;
    this.pid = java.pid!;
    java.stdin!.on('error', () => {});
    for (const stream of [java.stdout!, java.stderr!]) {
      readline.createInterface({ input: stream }).on('line', (line) => relay(line, options));
    }
    this.ended = new Promise((resolve) => {
      java.once('exit', (code, signal) => {
        this.#running = false;
        // The watcher goes, and what serves the shards: it ends with its stdin, but one that hangs must not hold on.
        killGroup(this.pid, 'SIGKILL');
        resolve({ code, signal });
      });
    });
  }

  /**
   * Starts the daemon in a process group of its own, so that a terminal's Ctrl-C reaches only the launcher.
   */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { config, directory, child = CHILD } = options;
    const properties = path.join(directory, 'kcl.properties');
    const logging = path.join(directory, 'kcl-logging.xml');
    const relays = prepareRelays(directory);
    const executable = relays?.executable ?? EXECUTABLE;
    fs.writeFileSync(properties, renderProperties(config, executable), { mode: 0o600 });
    fs.writeFileSync(logging, LOGBACK, { mode: 0o600 });
    const env = {
      ...process.env,
      TAILRACE_NODE: process.execPath,
      TAILRACE_NODE_FLAGS: nodeFlags(machineMemory()).join(' '),
      TAILRACE_CHILD: child,
      TAILRACE_CONSUMER: shardConfigText(config),
      TAILRACE_REPORTS: options.reports,
      TAILRACE_RELAYS: undefined,
      ...relays?.env,
    };
    const command = [config.java.command, ...javaArguments(options, properties, logging)];
    const java = spawn('sh', ['-c', WATCHED, 'tailrace-daemon', ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env,
    });
    await new Promise<void>((resolve, reject) => {
      java.once('spawn', resolve);
      java.once('error', reject);
    });
    return new Daemon(java, options);
  }

  /** Asks it to let its shards finish and to end. */
  terminate(): void {
    if (this.#running) this.#process.kill('SIGTERM');
  }

  kill(): void {
    if (this.#running) killGroup(this.pid, 'SIGKILL');
  }
}

function javaArguments(options: DaemonOptions, properties: string, logging: string): string[] {
  const { config, classPath, classArchive, jvmFlags = JVM_FLAGS } = options;
  const heap = Math.ceil(heapOf(config, machineMemory()) / 1024 / 1024);
  return [
    `-Xmx${heap}m`,
    ...(classArchive === null ? [] : [`-XX:SharedArchiveFile=${classArchive}`]),
    ...jvmFlags,
    '-XX:+ExitOnOutOfMemoryError',
    ...config.java.options,
    ...program(classPath, properties, logging),
  ];
}

/** What Java is to run, after its flags. */
export function program(classPath: string, properties: string, logging: string): string[] {
  return ['-cp', classPath, MAIN_CLASS, '--properties-file', properties, '--log-configuration', logging];
}

/**
 * What Java says of itself.
 *
 * @throws TailraceError JAVA_MISSING
 */
export function javaVersion(command: string): string {
  const { status, error, stderr } = spawnSync(command, ['-version'], { encoding: 'utf8' });
  if (error || status !== 0) throw javaMissing(command, error);
  return stderr;
}

function javaMissing(command: string, cause?: unknown): TailraceError {
  return new TailraceError(
    'JAVA_MISSING',
    `${command} cannot be run: install a Java runtime, 17 or later (Debian: apt install openjdk-17-jre-headless; Amazon Linux: dnf install java-17-amazon-corretto-headless), or set java.command`,
    { cause },
  );
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody is left in it.
  }
}

const LEVELS: Readonly<Record<string, 'error' | 'warn' | 'info' | 'debug'>> = {
  ERROR: 'error',
  WARN: 'warn',
  INFO: 'info',
  DEBUG: 'debug',
};

/** A line of the daemon's log into ours; what shards' processes log is ours already. */
function relay(line: string, { log, onWarning }: DaemonOptions): void {
  if (line.startsWith('{')) {
    process.stderr.write(`${line}\n`);
    return;
  }
  const [level, logger, ...rest] = line.split('|');
  // The daemon prints what its processes write as it is, and logs it once more.
  if (logger === 'DrainChildSTDERRTask') return;
  const whole = rest.join('|');
  // KCL quotes records of megabytes.
  const message = whole.length > LONGEST_MESSAGE ? `${whole.slice(0, LONGEST_MESSAGE)}…` : whole;
  if (level !== undefined && LEVELS[level]) log[LEVELS[level]]({ kcl: logger }, message);
  else if (line.trim() !== '') log.warn({ kcl: 'daemon' }, line);
  if (level === 'WARN' || level === 'ERROR') onWarning(whole);
}
