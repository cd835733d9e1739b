/** Counts what one call archived, for one line of metrics. */
import type { ArchiverEvents } from '../../archive/writer/shard-archiver.ts';
import type { MetricValues } from '../runtime/metrics.ts';

export class Tally {
  readonly #metrics = { ArchivedEvents: 0, ArchivedBytes: 0, ArchiveVoided: 0 };
  /** In the log line only. */
  readonly details = { commits: 0, chunks: 0, duplicates: 0, foreign: 0, damaged: 0, rewritten: 0 };
  /** Arrival time of the newest record committed, ms; 0 when there is none. */
  #arrival = 0;

  readonly events: ArchiverEvents = {
    received: () => {},
    passedOver: () => {},
    committed: ({ objects, skipped, damaged, arrival }, rewritten) => {
      this.details.commits += 1;
      this.details.duplicates += skipped.duplicates;
      this.details.damaged += damaged;
      this.details.rewritten += rewritten;
      for (const object of objects) {
        this.details.chunks += object.chunks;
        this.details.foreign += object.foreign;
        this.#metrics.ArchivedEvents += object.events;
        this.#metrics.ArchivedBytes += object.bytes;
      }
      this.#arrival = Math.max(this.#arrival, arrival?.[1] ?? 0);
    },
    followed: () => {},
    completed: () => {},
    voided: (_commit, lost) => {
      this.#metrics.ArchiveVoided += lost.length;
    },
  };

  /** @param now wall clock, ms */
  metrics(now: number): MetricValues {
    const age = this.#arrival === 0 ? {} : { ArchiveAge: Math.max(0, now - this.#arrival) };
    return { ...this.#metrics, ...age };
  }
}
