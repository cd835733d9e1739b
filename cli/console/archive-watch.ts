/** Follows an archive for the console: what its commits say of hours, producers and rates. */
import { Facts } from '../../archive/hours/facts.ts';
import { type HourReport, type HoursPolicy, judgeHours } from '../../archive/hours/judge.ts';
import { FactsReader } from '../../archive/hours/read.ts';
import type { ArchiveStore } from '../../archive/store.ts';
import { hour as hourText } from '../../base/human.ts';
import type { HourBar, HourState, Past, TagLine } from './api.ts';
import { type ArchivedProducer, archivedProducers } from './archived-producers.ts';
import { Recent } from './recent.ts';

const HOUR_MS = 3_600_000;
/** A gap that is younger may still be filled: as verify has it. */
const PENDING_MS = 600_000;
/** Commits are 5 to 20 KB in memory; where there are more, fewer hours are shown. */
const MOST_COMMITS = 20_000;
/** After so long all is read once more, so that what is kept does not grow. */
const FRESH_MS = 12 * HOUR_MS;
/** Lists a thousand of which cost half a cent. */
const LISTS_AN_HOUR = 600;
/** Folders below the commits: a list for them, and one for the shards of each incarnation. */
const LISTS_OF_FOLDERS = 3;
const MOST_WAITS = 20;

export interface ArchiveWatchOptions {
  readonly store: ArchiveStore;
  readonly prefix: string;
  /** How far back hours are shown, ms. */
  readonly span: number;
  /** Whether reading costs nothing: the archive is on this machine. */
  readonly isLocal: boolean;
  readonly policy: (now: number) => HoursPolicy;
  /** Tests shorten it. */
  readonly mostCommits?: number;
}

export class ArchiveWatch {
  readonly #options: ArchiveWatchOptions;
  #reader: FactsReader | null = null;
  #recent = new Recent();
  #begun = 0;
  #reports: readonly HourReport[] = [];
  #producers: readonly ArchivedProducer[] = [];
  #commits = 0;
  /** While all is read: how far. */
  reading: { readonly done: number; readonly total: number } | null = null;
  /** Why the archive cannot be read; null when it can. */
  trouble: string | null = null;

  constructor(options: ArchiveWatchOptions) {
    this.#options = options;
  }

  /** Milliseconds between looks, so that they stay within a bound of requests. */
  get interval(): number {
    if (this.#options.isLocal) return 2000;
    const lists = LISTS_OF_FOLDERS + (this.#reader?.openLogs ?? 0);
    return Math.max(15_000, (lists * HOUR_MS) / LISTS_AN_HOUR);
  }

  /** Reads what has come; a failure is noted, and what was known stays. */
  async look(now: number): Promise<void> {
    const { store, prefix, span, mostCommits = MOST_COMMITS } = this.#options;
    try {
      if (this.#reader === null || now - this.#begun > FRESH_MS) {
        const recent = new Recent();
        let commits = 0;
        this.reading = { done: 0, total: 0 };
        const reader = new FactsReader(store, prefix, Math.floor((now - span) / HOUR_MS), {
          keepRuns: false,
          mostCommits,
          onProgress: (done, total) => {
            this.reading = { done, total };
          },
          onCommit: (commit, lost) => {
            recent.add(commit, lost);
            commits += 1;
            this.#commits = commits;
          },
        });
        await reader.look();
        this.#reader = reader;
        this.#recent = recent;
        this.#begun = now;
      } else await this.#reader.look();
      this.trouble = null;
    } catch (error) {
      this.trouble = (error as Error).message;
    }
    this.reading = null;
    this.#recent.trim(now);
    this.#judge(now);
  }

  #judge(now: number): void {
    const last = Math.floor(now / HOUR_MS);
    const first = Math.max(this.#reader?.firstHour ?? last, last - Math.floor(this.#options.span / HOUR_MS));
    this.#reports = judgeHours(this.facts, this.#options.policy(now), [first, last]);
    this.#producers = archivedProducers(this.facts);
  }

  get facts(): Facts {
    return this.#reader?.facts ?? new Facts();
  }

  get recent(): Recent {
    return this.#recent;
  }

  get producers(): readonly ArchivedProducer[] {
    return this.#producers;
  }

  get isEmpty(): boolean {
    return this.facts.lanes.size === 0 && this.facts.hours.size === 0;
  }

  /** How many commits were read; it grows with what is known. */
  get commits(): number {
    return this.#commits;
  }

  hours(now: number): HourBar[] {
    const { lateness } = this.#options.policy(now);
    const first = this.#reports.findIndex(({ events }) => events > 0);
    const begins = this.#reader?.isOlder ? 0 : first < 0 ? this.#reports.length - 1 : first;
    return this.#reports.map((report, i) => ({
      ...barOf(report, now, lateness),
      ...(i < begins ? { state: 'before' as const } : {}),
    }));
  }

  tags(): TagLine[] {
    const tags = new Map<string, { tag: string; events: number; bytes: number }>();
    for (const { objects } of this.facts.hours.values()) {
      for (const { tag, events, bytes } of objects) {
        const line = tags.get(tag) ?? { tag, events: 0, bytes: 0 };
        tags.set(tag, line);
        line.events += events;
        line.bytes += bytes;
      }
    }
    return [...tags.values()].sort((a, b) => b.events - a.events || (a.tag < b.tag ? -1 : 1));
  }

  past(now: number): Past {
    const first = this.#reader?.firstHour ?? 0;
    const wanted = Math.floor((this.#begun - this.#options.span) / HOUR_MS);
    return {
      at: now,
      hours: this.hours(now),
      shortened:
        this.#reader !== null && first > wanted
          ? `hours before ${hourText(first)} are left out: they have too many commits to keep in memory; tailrace hours shows them`
          : null,
      minutes: this.#recent.minutes(now),
    };
  }
}

function barOf(report: HourReport, now: number, lateness: number): HourBar {
  const { hour, events, bytes, objects, late, waits, without } = report;
  return {
    ...{ hour, events, bytes, objects },
    state: stateOf(report, now, lateness),
    late: late.chunks,
    waits: waits
      .slice(0, MOST_WAITS)
      .map(({ producer, why, since, missing = null }) => ({ producer, why, since, missing })),
    moreWaits: Math.max(0, waits.length - MOST_WAITS),
    without: without.length,
  };
}

function stateOf({ hour, state, waits }: HourReport, now: number, lateness: number): HourState {
  if (state !== 'open') return state;
  const over = (hour + 1) * HOUR_MS + lateness;
  if (now < over) return 'running';
  const isMissing = waits.some(({ why }) => why === 'missing');
  return isMissing && now >= over + PENDING_MS ? 'holed' : 'open';
}
