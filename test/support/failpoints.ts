/** Ends a process at a chosen step of the commit protocol, once: for tests of what comes after. */
import * as fs from 'node:fs';
import type { ObjectKind } from '../../archive/store.ts';
import { TailraceError } from '../../base/errors.ts';
import type { Failpoints } from '../../consumer/shard/session.ts';

/** After a commit was put, after a data object, and before the checkpoint that follows the data. */
const POINTS = ['commit', 'object', 'checkpoint'] as const;
/** The process that serves the shards, the daemon, and the launcher. */
const VICTIMS = ['host', 'daemon', 'launcher'] as const;

type FaultPoint = (typeof POINTS)[number];

interface Fault {
  readonly point: string;
  readonly victim: string;
  readonly flag: string;
}

/**
 * @param specs `point/victim:flag`, separated by commas; `flag` is a file that is made when it has happened. One after
 *   the other: each waits until the flags of those before it are there
 * @returns to be called at every step
 * @throws TailraceError CONFIG for a point or a victim that there is not
 */
function faultAt(specs: string | undefined): (point: FaultPoint, daemon: number) => void {
  const faults = specs === undefined ? [] : specs.split(',').map(parse);
  return (point, daemon) => {
    const next = faults.find(({ flag }) => !fs.existsSync(flag));
    if (next?.point !== point) return;
    try {
      fs.writeFileSync(next.flag, String(process.pid), { flag: 'wx' });
    } catch {
      // Another shard's process was first.
      return;
    }
    process.kill(pidOf(next.victim, daemon), 'SIGKILL');
    // Whoever kills a parent takes no further step: it goes with it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
}

function parse(spec: string): Fault {
  const [what, flag] = [spec.slice(0, spec.indexOf(':')), spec.slice(spec.indexOf(':') + 1)];
  const [point, victim] = what.split('/');
  if (!(POINTS as readonly (string | undefined)[]).includes(point))
    throw new TailraceError('CONFIG', `TAILRACE_FAULT: there is no point ${point}`);
  if (!(VICTIMS as readonly (string | undefined)[]).includes(victim))
    throw new TailraceError('CONFIG', `TAILRACE_FAULT: there is no ${victim} to end`);
  return { point: point!, victim: victim!, flag };
}

function pidOf(victim: string, daemon: number): number {
  if (victim === 'host') return process.pid;
  if (victim === 'daemon') return daemon;
  // The fourth field of /proc/PID/stat is the parent, after a name in parentheses that may have anything in it.
  const stat = fs.readFileSync(`/proc/${daemon}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** What the process that serves shards puts between its steps. */
export function failpoints(specs: string | undefined): Failpoints {
  const at = faultAt(specs);
  return {
    checkpointing: (daemon) => at('checkpoint', daemon),
    store: (store, daemon) => ({
      get: (key) => store.get(key),
      head: (key) => store.head(key),
      first: (prefix) => store.first(prefix),
      folders: (prefix) => store.folders(prefix),
      async putIfAbsent(key: string, body: readonly Uint8Array[], kind: ObjectKind, sha256?: string) {
        const outcome = await store.putIfAbsent(key, body, kind, sha256);
        at(kind === 'commit' ? 'commit' : 'object', daemon);
        return outcome;
      },
    }),
  };
}
