/** Follows the statuses of agents and consumers for the console, with the rates between two of them. */
import { atOnce } from '../../base/at-once.ts';
import type { WorkerStatus } from '../../consumer/status/board.ts';
import type { AgentStatus } from '../../producer/status.ts';
import type { Rate } from './api.ts';
import { type Answer, faultText, type Source } from './sources.ts';

const ASKED_AT_ONCE = 16;
/** Rates are averages over at least so long. */
const RATE_MS = 8000;
/** Many sources are asked less often. */
const MS_PER_SOURCE = 50;
/** A file that is older says nothing of the present. */
export const STALE_MS = 600_000;

export interface AgentSeen {
  readonly source: string;
  readonly at: number;
  readonly status: AgentStatus;
  /** Of what it has sealed; null until it was asked twice. */
  readonly rate: Rate | null;
}

export interface WorkerSeen {
  readonly source: string;
  readonly at: number;
  readonly status: WorkerStatus;
  /** By shard. */
  readonly rates: ReadonlyMap<string, Rate & { readonly records: number }>;
}

interface Sample<T> {
  readonly at: number;
  readonly status: T;
}

export class StatusWatch {
  readonly #sources: readonly Source[];
  readonly #agents = new Map<string, Sample<AgentStatus>[]>();
  readonly #workers = new Map<string, Sample<WorkerStatus>[]>();
  #seen: readonly Answer[] = [];
  /** Sources that do not respond, and why. */
  silent: readonly { readonly source: string; readonly why: string; readonly isGuess: boolean }[] = [];

  constructor(sources: readonly Source[]) {
    this.#sources = sources;
  }

  get interval(): number {
    return Math.max(2000, this.#sources.length * MS_PER_SOURCE);
  }

  get sources(): number {
    return this.#sources.length;
  }

  async look(): Promise<void> {
    const answers: Answer[] = [];
    const silent: { source: string; why: string; isGuess: boolean }[] = [];
    await atOnce(ASKED_AT_ONCE, this.#sources, async ({ name, isGuess = false, ask }) => {
      try {
        answers.push(...(await ask()));
      } catch (error) {
        silent.push({ source: name, why: faultText(error), isGuess });
      }
    });
    for (const answer of answers) {
      if (answer.kind === 'agent') sampled(this.#agents, keyOf(answer), answer.at, answer.agent);
      else sampled(this.#workers, keyOf(answer), answer.at, answer.worker);
    }
    this.#seen = answers.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    this.silent = silent.sort((a, b) => (a.source < b.source ? -1 : 1));
  }

  agents(): AgentSeen[] {
    return this.#seen.flatMap((answer) => {
      if (answer.kind !== 'agent') return [];
      const { source, at, agent: status } = answer;
      const [first, last] = ends(this.#agents.get(keyOf(answer))!);
      const seconds = (last.at - first.at) / 1000;
      const rate =
        seconds <= 0
          ? null
          : {
              events: Math.max(0, last.status.sealed.events - first.status.sealed.events) / seconds,
              bytes: Math.max(0, last.status.sealed.bytes - first.status.sealed.bytes) / seconds,
            };
      return [{ source, at, status, rate }];
    });
  }

  workers(): WorkerSeen[] {
    return this.#seen.flatMap((answer) => {
      if (answer.kind !== 'consumer') return [];
      const { source, at, worker: status } = answer;
      const [first, last] = ends(this.#workers.get(keyOf(answer))!);
      const seconds = (last.at - first.at) / 1000;
      const rates = new Map<string, Rate & { records: number }>();
      for (const [shard, line] of seconds > 0 ? Object.entries(last.status.shards) : []) {
        const before = first.status.shards[shard];
        if (!before) continue;
        const per = (a: number, b: number): number => Math.max(0, a - b) / seconds;
        rates.set(shard, {
          events: per(line.events, before.events),
          bytes: per(line.bytes_received, before.bytes_received),
          records: per(line.records, before.records),
        });
      }
      return [{ source, at, status, rates }];
    });
  }
}

/** One program that two sources speak of is one line: the later answer counts. */
function keyOf(answer: Answer): string {
  return answer.kind === 'agent'
    ? `agent ${answer.agent.producer}`
    : `consumer ${answer.worker.application}/${answer.worker.worker_id}`;
}

/** Keeps what rates need: the newest sample that is old enough, and those since. */
function sampled<T>(all: Map<string, Sample<T>[]>, key: string, at: number, status: T): void {
  const samples = all.get(key) ?? [];
  all.set(key, samples);
  if (samples.at(-1)?.at !== at) samples.push({ at, status });
  while (samples.length > 2 && at - samples[1]!.at >= RATE_MS) samples.shift();
  // After a pause the average would be over all of it.
  if (samples.length === 2 && at - samples[0]!.at > STALE_MS) samples.shift();
}

function ends<T>(samples: readonly Sample<T>[]): [Sample<T>, Sample<T>] {
  return [samples[0]!, samples.at(-1)!];
}
