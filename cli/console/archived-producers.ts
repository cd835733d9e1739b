/** What an archive says of each producer: when it began, when it was heard of, and how far it has read. */
import type { Facts } from '../../archive/hours/facts.ts';

export interface ArchivedProducer {
  readonly producer: string;
  /** When its newest epoch began, by its own clock. */
  readonly started: number;
  /** Arrival of the last record that named it. */
  readonly heard: number;
  /** Of its newest watermark: when it was sealed, and up to when all was read then; null when it has none. */
  readonly lastCut: number | null;
  readonly until: number | null;
  /** Whether its last word was that of a clean stop. */
  readonly stopped: boolean;
}

export function archivedProducers(facts: Facts): ArchivedProducer[] {
  const newest = new Map<string, { epoch: string; heard: number }>();
  for (const [producer, epochs] of facts.producers)
    for (const [epoch, { heard }] of epochs) {
      const known = newest.get(producer);
      newest.set(producer, {
        epoch: known && known.epoch > epoch ? known.epoch : epoch,
        heard: Math.max(heard, known?.heard ?? 0),
      });
    }
  const marks = new Map<string, { at: number; until: number; end: boolean }>();
  for (const { producer, epoch, watermarks } of facts.lanes.values()) {
    if (newest.get(producer)?.epoch !== epoch) continue;
    for (const [, , until, at, end] of watermarks.values()) {
      const mark = marks.get(producer) ?? { at: 0, until: 0, end: false };
      marks.set(producer, mark);
      mark.until = Math.max(mark.until, until);
      mark.at = Math.max(mark.at, at);
      mark.end ||= end === 1;
    }
  }
  return [...newest].map(([producer, { epoch, heard }]) => {
    const mark = marks.get(producer);
    return {
      ...{ producer, heard },
      // An epoch's first twelve digits are the time at which it began.
      started: Number.parseInt(epoch.slice(0, 12), 16),
      lastCut: mark?.at || null,
      until: mark?.until || null,
      stopped: mark?.end ?? false,
    };
  });
}
