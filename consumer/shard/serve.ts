/**
 * The process that serves shards, started by the launcher for all shards of a worker (host), or by the daemon for one.
 *
 * The daemon starts a command for each shard and speaks to its stdin and stdout. That command is relay.ts's shell script,
 * of less than a megabyte: it names itself to the host, which opens the two pipes by /proc and speaks to the daemon
 * itself, so that no byte passes through the relay. What a relay and the host are to each other:
 *
 *     relay begins     writes its pid to the FIFO `shards`; the host opens its pipes
 *     daemon is done   closes the relay's stdin; the host closes the pipes and writes the exit code to `exit.PID`
 *     shard fails      the same with exit code 1: the daemon ends, and the launcher restarts everything
 *     relay dies       its end of `life.PID` closes; the host closes the pipes, as the relay would have
 *     host dies        its end of `exit.PID` closes, and the relay ends; the launcher restarts everything
 *
 * So a fault costs what it cost when each shard had a process of its own: KCL ends its daemon for any of them.
 */
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import { OPENED, PIPE_FDS, SHARDS_FIFO } from '../kcl/relay.ts';
import { Budget } from './budget.ts';
import { parseShardConfig, type ShardConfig } from './config.ts';
import { LineSlots } from './line-slots.ts';
import { ignoreSignals, patientPipe, takeStdout } from './protocol.ts';
import { Resources } from './resources.ts';
import { type Failpoints, type SessionDependencies, ShardSession } from './session.ts';

const GC_EVERY_BYTES = 8 * 1024 * 1024;
/** What lines leave behind is young; a full collection costs some ten times as much, and is for the batches. */
const FULL_GC_EVERY = 4;
/** Long lines that come in at the same time. */
const LONG_LINES = 4;
const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = fs.constants;

/** Serves until the daemon or the launcher is gone. */
export function serve(failpoints: Failpoints | null = null): void {
  ignoreSignals();
  const config = readConfig();
  const log = pino(
    { level: config.log_level, base: { pid: process.pid } },
    pino.destination({ fd: 2, sync: true }),
  );
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, `the process that serves the shards ends: ${error.message}`);
    process.exit(1);
  });
  const budget = new Budget(config.batch);
  const relays = process.env['TAILRACE_RELAYS'];
  const dependencies: SessionDependencies = {
    config,
    log,
    resources: new Resources(config, log),
    budget,
    slots: new LineSlots(LONG_LINES),
    reports: process.env['TAILRACE_REPORTS'],
    failpoints,
    // One process for all shards knows by itself how much each may have.
    onShare: (bytes) => {
      if (relays === undefined) budget.restrict(bytes);
    },
    onLine: collector(),
  };
  if (relays === undefined) serveOne(dependencies);
  else serveRelays(dependencies, relays);
}

/** One shard, on this process's own stdin and stdout. */
function serveOne(dependencies: SessionDependencies): void {
  const output = takeStdout();
  const pipes = { input: process.stdin, output, pid: process.pid, daemon: process.ppid };
  // The daemon closes stdin when it ends, however it ends; nobody else tells this process.
  new ShardSession(dependencies, pipes).ended.then(
    () => process.exit(0),
    () => process.exit(1),
  );
}

/** All shards of a worker, each by its relay. */
function serveRelays(dependencies: SessionDependencies, directory: string): void {
  // The launcher's end of stdin closes with it.
  process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0));
  process.stdin.resume();
  // Opened for writing, too, so that it does not end when no relay has it open.
  const shards = openPipe(path.join(directory, SHARDS_FIFO), O_RDWR);
  let text = '';
  shards.setEncoding('utf8').on('data', (part: string) => {
    const lines = (text + part).split('\n');
    text = lines.pop()!;
    for (const line of lines) serveRelay(dependencies, directory, Number(line));
  });
}

function serveRelay(dependencies: SessionDependencies, directory: string, pid: number): void {
  const { log } = dependencies;
  let pipes: { input: net.Socket; output: net.Socket; life: net.Socket };
  let exit: number | null = null;
  let daemon: number;
  try {
    daemon = parentOf(pid);
    // Opened now: whatever cleans up old files may have removed it when the shard ends, months later.
    exit = fs.openSync(path.join(directory, `exit.${pid}`), O_RDWR | O_NONBLOCK);
    fs.writeSync(exit, OPENED);
    pipes = {
      input: openPipe(`/proc/${pid}/fd/${PIPE_FDS.stdin}`, O_RDONLY),
      output: openPipe(`/proc/${pid}/fd/${PIPE_FDS.stdout}`, O_WRONLY),
      life: openPipe(path.join(directory, `life.${pid}`), O_RDONLY),
    };
  } catch (error) {
    // It died in this moment, and the daemon with it; or this system does not let one process open another's pipes.
    log.error({ err: error, relay: pid }, "cannot open a relay's pipes");
    if (exit === null) killRelay(pid);
    else endRelay(exit, 1);
    return;
  }
  const { input, output, life } = pipes;
  const opened = exit;
  const close = (code: number): void => {
    for (const pipe of [input, output, life]) pipe.destroy();
    endRelay(opened, code);
  };
  life.on('close', () => input.destroy()).on('error', () => {});
  life.resume();
  output.on('error', () => input.destroy());
  const session = new ShardSession(dependencies, {
    input,
    output: patientPipe(output),
    pid,
    daemon,
  });
  session.ended.then(
    () => close(0),
    () => close(1),
  );
}

/** Lets the relay end with this exit code; one that is dead does not need it. */
function endRelay(exit: number, code: number): void {
  try {
    fs.writeSync(exit, `${code}\n`);
  } finally {
    fs.closeSync(exit);
  }
}

/** A relay that cannot be served is an error to the daemon, which ends. */
function killRelay(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is dead already.
  }
}

function openPipe(file: string, mode: number): net.Socket {
  const fd = fs.openSync(file, mode | O_NONBLOCK);
  return new net.Socket({ fd, readable: mode !== O_WRONLY, writable: mode === O_WRONLY });
}

function parentOf(pid: number): number {
  // The fourth field of /proc/PID/stat, after a name in parentheses that may have anything in it.
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/**
 * Lines, what they are parsed into and batches that were written are garbage by the megabyte; V8, left alone, lets
 * several batches' worth of it lie before it looks.
 */
function collector(): (bytes: number) => void {
  // V8's own `gc`, which no command line of the daemon's has to ask for.
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void;
  let collections = 0;
  let bytesSince = 0;
  return (bytes) => {
    bytesSince += bytes;
    if (bytesSince < GC_EVERY_BYTES) return;
    bytesSince = 0;
    collections += 1;
    const isFull = collections % FULL_GC_EVERY === 0;
    setImmediate(() => collectGarbage(isFull ? undefined : { type: 'minor' }));
  };
}

function readConfig(): ShardConfig {
  const text = process.env['TAILRACE_CONSUMER'];
  if (text === undefined) {
    process.stderr.write('this is started by `tailrace consumer`\n');
    process.exit(2);
  }
  return parseShardConfig(text);
}
