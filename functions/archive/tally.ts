/** Counts what one call archived, for one line of metrics. */
import type { ArchiverEvents } from '../../archive/writer/shard-archiver.ts';
import type { MetricValues } from '../runtime/metrics.ts';

export class Tally {
  readonly #values: Required<
    Pick<
      MetricValues,
      | 'ArchiveCommits'
      | 'ArchivedChunks'
      | 'ArchivedEvents'
      | 'ArchivedBytes'
      | 'ArchiveDuplicates'
      | 'ArchiveForeign'
      | 'ArchiveDamaged'
      | 'ArchiveVoided'
    >
  > = {
    ArchiveCommits: 0,
    ArchivedChunks: 0,
    ArchivedEvents: 0,
    ArchivedBytes: 0,
    ArchiveDuplicates: 0,
    ArchiveForeign: 0,
    ArchiveDamaged: 0,
    ArchiveVoided: 0,
  };
  /** Arrival time of the newest record committed, ms; 0 when there is none. */
  #arrival = 0;

  readonly events: ArchiverEvents = {
    received: () => {},
    passedOver: () => {},
    committed: ({ objects, skipped, damaged, arrival }) => {
      const values = this.#values;
      values.ArchiveCommits += 1;
      values.ArchiveDuplicates += skipped.duplicates;
      values.ArchiveDamaged += damaged;
      for (const object of objects) {
        values.ArchivedChunks += object.chunks;
        values.ArchivedEvents += object.events;
        values.ArchivedBytes += object.bytes;
        values.ArchiveForeign += object.foreign;
      }
      this.#arrival = Math.max(this.#arrival, arrival?.[1] ?? 0);
    },
    followed: () => {},
    completed: () => {},
    voided: (_commit, lost) => {
      this.#values.ArchiveVoided += lost.length;
    },
  };

  /** @param now wall clock, ms */
  values(now: number): MetricValues {
    const age = this.#arrival === 0 ? {} : { ArchiveAge: Math.max(0, now - this.#arrival) };
    return { ...this.#values, ...age };
  }
}
