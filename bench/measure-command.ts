/** Runs a command and says what it took, with all processes that it starts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { LOCAL_ENV } from '../local/clients.ts';
import { descendants } from '../test/support/process-tree.ts';

export interface MeasuredCommand {
  readonly seconds: number;
  /** Of the processor, all processes together. */
  readonly cpu: number;
  /** The most memory of each process, together. */
  readonly rssMiB: number;
  readonly lines: readonly string[];
  /** How it ended when that was not well, else empty. */
  readonly failure: string;
}

interface Usage {
  readonly peakKiB: number;
  readonly cpuTicks: number;
}

const POLL_MS = 10;
const TICKS_PER_SECOND = 100;

/** @param limitMs a command that takes longer is killed */
export async function measureCommand(
  [program, ...args]: readonly string[],
  limitMs: number,
  cwd?: string,
): Promise<MeasuredCommand> {
  const began = performance.now();
  const child = spawn(program!, args, {
    // Text tools compare bytes, as whoever is in a hurry has them do.
    env: { ...process.env, ...LOCAL_ENV, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
    cwd,
  });
  const peaks = new Map<number, Usage>();
  const timer = setInterval(() => {
    for (const { pid } of [{ pid: child.pid! }, ...descendants(child.pid!)]) {
      const usage = usageOf(pid);
      if (usage !== null) peaks.set(pid, usage);
    }
  }, POLL_MS);
  const limit = setTimeout(() => {
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGKILL');
  }, limitMs);
  const pieces: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearInterval(timer);
  clearTimeout(limit);
  const sum = (value: (usage: Usage) => number): number =>
    [...peaks.values()].reduce((total, usage) => total + value(usage), 0);
  return {
    seconds: (performance.now() - began) / 1000,
    cpu: sum(({ cpuTicks }) => cpuTicks) / TICKS_PER_SECOND,
    rssMiB: sum(({ peakKiB }) => peakKiB) / 1024,
    lines: Buffer.concat(pieces).toString().trimEnd().split('\n'),
    failure: code === 0 ? '' : (signal ?? `exit ${code}`),
  };
}

/** Of a process so far; null when it has ended. */
function usageOf(pid: number): Usage | null {
  try {
    const peak = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    // Behind the name, which may have anything in it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    if (peak === undefined) return null;
    return { peakKiB: Number(peak), cpuTicks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return null;
  }
}
