/** The processes below a process, as /proc of Linux knows them. */
import { readdirSync, readFileSync } from 'node:fs';

export interface RunningProcess {
  readonly pid: number;
  readonly command: string;
}

/** All descendants of a process that run now. */
export function descendants(pid: number): RunningProcess[] {
  return children(pid).flatMap((child) => [{ pid: child, command: commandOf(child) }, ...descendants(child)]);
}

/** Whether a process of this pid runs; one that has ended and was not waited for does not. */
export function runs(pid: number): boolean {
  const status = read(`/proc/${pid}/status`);
  return status !== '' && !/^State:\s+[ZX]/m.test(status);
}

/** A child is listed under the thread that started it, and the JVM starts its children from any. */
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

/** A process may end between the question and the answer: then there is nothing to read. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
