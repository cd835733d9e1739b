/** Resident memory of processes over a run: what a leak of theirs would show in. */
import { readFileSync } from 'node:fs';

const SAMPLE_MS = 5_000;
const MIB = 1024;

export interface MemoryTrend {
  readonly role: string;
  readonly samples: number;
  /** Medians over the first and the last quarter of the run, and the most in all of it, MiB. */
  readonly first: number;
  readonly last: number;
  readonly most: number;
}

export class Memory {
  readonly #samples = new Map<string, { at: number; kib: number }[]>();
  readonly #timer: NodeJS.Timeout;

  /** @param processes what runs now, by role; the largest of a role counts */
  constructor(processes: () => Promise<readonly (readonly [role: string, pid: number | null])[]>) {
    this.#timer = setInterval(async () => {
      const largest = new Map<string, number>();
      for (const [role, pid] of await processes()) {
        const kib = pid === null ? null : residentKib(pid);
        if (kib !== null) largest.set(role, Math.max(kib, largest.get(role) ?? 0));
      }
      for (const [role, kib] of largest) {
        const samples = this.#samples.get(role) ?? [];
        samples.push({ at: performance.now(), kib });
        this.#samples.set(role, samples);
      }
    }, SAMPLE_MS);
  }

  stop(): MemoryTrend[] {
    clearInterval(this.#timer);
    return [...this.#samples].map(([role, samples]) => {
      const quarter = Math.max(1, Math.floor(samples.length / 4));
      const mib = (part: typeof samples): number => Math.round(median(part.map(({ kib }) => kib)) / MIB);
      return {
        role,
        samples: samples.length,
        first: mib(samples.slice(0, quarter)),
        last: mib(samples.slice(-quarter)),
        most: Math.round(Math.max(...samples.map(({ kib }) => kib)) / MIB),
      };
    });
  }
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function residentKib(pid: number): number | null {
  try {
    const [, kib] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kib === undefined ? null : Number(kib);
  } catch {
    return null;
  }
}
