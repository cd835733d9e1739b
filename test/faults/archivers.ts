/** The archivers of a run: workers, the function, or both, changing over from one to the other. */
import type { Functions } from './functions.ts';
import { type Fault, FUNCTION_KINDS } from './schedule.ts';
import type { Timeline } from './timeline.ts';
import { until } from './wait.ts';
import type { Workers } from './workers.ts';

/** Longer than KCL's leader lock (two minutes) and all that comes after it. */
const ALL_READ_MS = 300_000;
const SHARES = ['workers', 'the function', 'both'] as const;
type Share = (typeof SHARES)[number];

export interface ArchiversOptions {
  readonly workers: Workers | null;
  readonly functions: Functions | null;
  readonly openShards: () => Promise<readonly string[]>;
  readonly timeline: Timeline;
}

export class Archivers {
  readonly #options: ArchiversOptions;
  #now: Share;

  constructor(options: ArchiversOptions) {
    this.#options = options;
    const { workers, functions } = options;
    this.#now = workers && functions ? 'both' : workers ? 'workers' : 'the function';
  }

  start(): Promise<number> {
    this.#options.workers?.start();
    this.#options.functions?.start();
    return this.allRead();
  }

  /** Resolves when each open shard is read by somebody, with the milliseconds that took. */
  async allRead(): Promise<number> {
    const { workers, functions, openShards } = this.#options;
    let missing: string[] = [];
    return until('every shard is read', ALL_READ_MS, async () => {
      const [open, running] = await Promise.all([openShards(), workers?.running()]);
      missing = open.filter((shard) => !running?.has(shard) && !functions?.reading.has(shard));
      return missing.length === 0;
    }).catch((error: Error) => {
      throw new Error(`${error.message} (nobody reads ${missing})`);
    });
  }

  async suffer(fault: Fault): Promise<void> {
    const { workers, functions, timeline } = this.#options;
    if (fault.kind === 'change over') return this.#changeOver(fault);
    const ofFunction = fault.kind in FUNCTION_KINDS;
    if (this.#now === (ofFunction ? 'workers' : 'the function')) {
      return timeline.note(`${fault.kind}: not now, ${this.#now} archive`);
    }
    return ofFunction ? functions!.suffer(fault) : workers!.suffer(fault);
  }

  /** The other one comes, or one of both goes, in order or killed. */
  async #changeOver({ pick }: Fault): Promise<void> {
    const { workers, functions, timeline } = this.#options;
    const at = timeline.now;
    const others = SHARES.filter((share) => share !== this.#now);
    const next = others[Math.floor(((pick * 7919) % 1) * others.length)]!;
    const before = this.#now;
    // The new one starts before the other goes, or after.
    const first = pick < 0.5 ? 'start' : 'end';
    for (const step of first === 'start' ? (['start', 'end'] as const) : (['end', 'start'] as const)) {
      if (step === 'start' && next !== 'the function') workers!.start();
      if (step === 'start' && next !== 'workers') functions!.start();
      if (step === 'end' && next === 'the function') await workers!.end(pick < 0.25 ? 'SIGKILL' : 'SIGTERM');
      if (step === 'end' && next === 'workers') await functions!.stop();
    }
    this.#now = next;
    const ms = next === 'the function' ? await this.allRead() : await workers!.allRun();
    timeline.add(
      {
        target: 'archivers',
        kind: 'change over',
        note: `from ${before} to ${next}, ${first} first`,
        recovery: { of: 'changed over', ms },
      },
      at,
    );
  }

  heal(): void {
    if (this.#now !== 'the function') this.#options.workers?.heal();
    this.#options.functions?.heal();
  }

  /** Ends all in order, after a last look of the function at all shards; resolves with the workers' exit codes. */
  async stop(): Promise<(number | string)[]> {
    const { workers, functions } = this.#options;
    const codes = (await workers?.end('SIGTERM')) ?? [];
    await functions?.stop();
    await functions?.complete();
    return codes;
  }

  async kill(): Promise<void> {
    await this.#options.workers?.kill();
    await this.#options.functions?.kill();
  }

  /** Processes by role. */
  async processes(): Promise<readonly (readonly [string, number | null])[]> {
    const { workers, functions } = this.#options;
    const environments = functions?.environments ?? [];
    return [
      ...((await workers?.processes()) ?? []),
      ...environments.map((pid) => ['an environment of the function', pid] as const),
    ];
  }
}
