/** What the commits of the last hours say of rates: by minute, by shard, and from producers to shards. */
import type { Commit } from '../../archive/commit.ts';
import type { Link, Rate } from './api.ts';

const MINUTE_MS = 60_000;
/** How far back minutes are shown. */
const SHOWN_MINUTES = 180;
/** Rates are averages over so long. */
const RATE_MS = 10 * MINUTE_MS;

/** Of a commit what rates need. */
interface Batch {
  readonly shard: string;
  readonly from: number;
  readonly to: number;
  readonly written: number;
  readonly records: number;
  readonly events: number;
  readonly bytes: number;
  readonly byProducer: ReadonlyMap<string, Rate>;
}

export interface ShardRecent {
  readonly rate: Rate & { readonly records: number };
  readonly newest: number | null;
  readonly lastCommit: number;
  readonly commits: number;
  readonly closed: boolean;
}

interface ShardLast {
  newest: number | null;
  written: number;
  number: number;
  closed: boolean;
}

export class Recent {
  #batches: Batch[] = [];
  readonly #shards = new Map<string, ShardLast>();

  add(commit: Commit, lost: ReadonlySet<string>): void {
    const { shard, arrival, written, number, close } = commit;
    const last = this.#shards.get(shard);
    this.#shards.set(shard, {
      newest: arrival?.[1] ?? last?.newest ?? null,
      ...{ written, number, closed: close },
    });
    if (arrival === null) return;
    const byProducer = new Map<string, { events: number; bytes: number }>();
    let events = 0;
    let bytes = 0;
    for (const object of commit.objects) {
      if (lost.has(object.key)) continue;
      events += object.events;
      bytes += object.bytes;
      for (const [lane, n] of Object.entries(object.lane_events ?? {})) {
        const [producer = ''] = commit.lanes[lane] ?? [];
        const sum = byProducer.get(producer) ?? { events: 0, bytes: 0 };
        byProducer.set(producer, sum);
        sum.events += n;
        sum.bytes += (object.bytes * n) / Math.max(1, object.events);
      }
    }
    const [from, to] = arrival;
    this.#batches.push({ shard, from, to, written, records: commit.records, events, bytes, byProducer });
  }

  /** Forgets what is older than what is shown. */
  trim(now: number): void {
    const oldest = now - SHOWN_MINUTES * MINUTE_MS - RATE_MS;
    this.#batches = this.#batches.filter(({ to }) => to >= oldest);
  }

  get newest(): number | null {
    let newest: number | null = null;
    for (const shard of this.#shards.values())
      if (shard.newest !== null && (newest === null || shard.newest > newest)) newest = shard.newest;
    return newest;
  }

  /** Of all shards that have a log; a shard without records within the last minutes has rates of 0. */
  shards(): Map<string, ShardRecent> {
    const sums = new Map<string, { events: number; bytes: number; records: number }>();
    for (const { batch, share } of this.#window()) {
      const sum = entryOf(sums, batch.shard, () => ({ events: 0, bytes: 0, records: 0 }));
      sum.events += share * batch.events;
      sum.bytes += share * batch.bytes;
      sum.records += share * batch.records;
    }
    return new Map(
      [...this.#shards].map(([shard, { newest, written, number, closed }]) => [
        shard,
        {
          rate: sums.get(shard) ?? { events: 0, bytes: 0, records: 0 },
          ...{ newest, lastCommit: written, commits: number, closed },
        },
      ]),
    );
  }

  links(): Link[] {
    const links = new Map<string, { producer: string; shard: string; events: number }>();
    for (const { batch, share } of this.#window()) {
      const { shard } = batch;
      for (const [producer, { events }] of batch.byProducer)
        entryOf(links, `${producer} ${shard}`, () => ({ producer, shard, events: 0 })).events +=
          share * events;
    }
    return [...links.values()];
  }

  producers(): Map<string, Rate> {
    const rates = new Map<string, { events: number; bytes: number }>();
    for (const { batch, share } of this.#window()) {
      for (const [producer, { events, bytes }] of batch.byProducer) {
        const rate = entryOf(rates, producer, () => ({ events: 0, bytes: 0 }));
        rate.events += share * events;
        rate.bytes += share * bytes;
      }
    }
    return rates;
  }

  /** Null when nothing was archived lately. */
  rate(now: number): Rate | null {
    const { newest } = this;
    if (newest === null || now - newest > 2 * RATE_MS) return null;
    const rate = { events: 0, bytes: 0 };
    for (const { batch, share } of this.#window()) {
      rate.events += share * batch.events;
      rate.bytes += share * batch.bytes;
    }
    return rate;
  }

  /** The minutes up to `now`; what is not archived yet is null. */
  minutes(now: number): { from: number; events: (number | null)[]; delay: (number | null)[] } {
    const from = Math.floor(now / MINUTE_MS) * MINUTE_MS - (SHOWN_MINUTES - 1) * MINUTE_MS;
    const events: (number | null)[] = new Array(SHOWN_MINUTES).fill(null);
    const delay: (number | null)[] = new Array(SHOWN_MINUTES).fill(null);
    // Between the first and the last archived record a minute without records is one without events.
    const first = this.#batches.reduce((least, batch) => Math.min(least, batch.from), now);
    const last = this.newest ?? 0;
    for (let i = 0; i < SHOWN_MINUTES; i++) {
      const begin = from + i * MINUTE_MS;
      if (begin + MINUTE_MS > first && begin + MINUTE_MS <= last) events[i] = 0;
    }
    for (const batch of this.#batches) {
      const length = Math.max(1, batch.to - batch.from);
      const firstMinute = Math.max(0, Math.floor((batch.from - from) / MINUTE_MS));
      for (let i = firstMinute; i < SHOWN_MINUTES && from + i * MINUTE_MS <= batch.to; i++) {
        const begin = from + i * MINUTE_MS;
        const inside = Math.min(batch.from + length, begin + MINUTE_MS) - Math.max(batch.from, begin);
        if (inside <= 0) continue;
        const whole = begin + MINUTE_MS <= last;
        if (whole) events[i] = (events[i] ?? 0) + (batch.events * (inside / length)) / 60;
        const waited = (batch.written - Math.max(batch.from, begin)) / 1000;
        delay[i] = Math.max(delay[i] ?? 0, waited);
      }
    }
    return { from, events, delay };
  }

  /** The batches of the last minutes that are archived, each with what a second's share of it is. */
  #window(): { batch: Batch; share: number }[] {
    const end = this.newest ?? 0;
    const begin = end - RATE_MS;
    // Where the archive is younger than the window, rates are averages since its beginning.
    const first = this.#batches.reduce((least, { from }) => Math.min(least, from), end);
    const seconds = Math.max(1000, Math.min(RATE_MS, end - first)) / 1000;
    return this.#batches
      .filter(({ to }) => to >= begin)
      .map((batch) => {
        const length = batch.to - batch.from + 1;
        return { batch, share: (batch.to - Math.max(batch.from, begin) + 1) / length / seconds };
      });
  }
}

function entryOf<V>(map: Map<string, V>, key: string, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
