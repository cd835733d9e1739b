/** The descendants of a process, from Linux's /proc. */
import { readdirSync, readFileSync } from 'node:fs';

export interface RunningProcess {
  readonly pid: number;
  readonly command: string;
}

/** All running descendants of a process. */
export function descendants(pid: number): RunningProcess[] {
  return children(pid).flatMap((child) => [{ pid: child, command: commandOf(child) }, ...descendants(child)]);
}

/** Whether a process with this pid is running; a zombie is not. */
export function runs(pid: number): boolean {
  const status = read(`/proc/${pid}/status`);
  return status !== '' && !/^State:\s+[ZX]/m.test(status);
}

/** A child is listed under the thread that started it, and the JVM may use any thread. */
function children(pid: number): number[] {
  const threads = list(`/proc/${pid}/task`);
  const lists = threads.map((thread) => read(`/proc/${pid}/task/${thread}/children`));
  return lists.flatMap((text) => text.split(' ').filter(Boolean).map(Number));
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
}

/** A process may exit between listing and reading: then there is nothing to read. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
