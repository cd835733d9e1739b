/** Keeps the console's picture current while somebody looks at it, and does nothing while nobody does. */
import { VERSION } from '../../base/version.ts';
import type { Blind, Now, Past } from './api.ts';
import type { ArchiveWatch } from './archive-watch.ts';
import type { GroupsWatch, StreamWatch } from './aws-watch.ts';
import { blindSpots } from './blind.ts';
import { consumerLines, producerLines, shardLines } from './lines.ts';
import type { RequestCount } from './request-count.ts';
import type { StatusWatch } from './status-watch.ts';
import { storyOf } from './story.ts';

export interface HubParts {
  readonly place: string;
  readonly archive: ArchiveWatch;
  readonly statuses: StatusWatch;
  readonly stream: StreamWatch | null;
  readonly groups: Pick<GroupsWatch, 'interval' | 'look' | 'seen' | 'trouble'> | null;
  readonly requests: RequestCount;
  readonly now: () => number;
}

/** Something that is looked at every so often. */
interface Watch {
  readonly interval: number;
  look(now: number): Promise<void>;
}

type Send = (event: 'now' | 'past', json: string) => void;

const TICK_MS = 2000;
/** Timers are not exact. */
const SLACK_MS = 200;
const MOST_LINES = 200;
const MINUTE_MS = 60_000;

export class Hub {
  readonly #parts: HubParts;
  readonly #watchers = new Set<Send>();
  readonly #looks = new Map<Watch, { under: Promise<void> | null; begun: number; fault: string | null }>();
  #timer: NodeJS.Timeout | null = null;
  #pastOf = '';

  constructor(parts: HubParts) {
    this.#parts = parts;
    for (const watch of [parts.archive, parts.statuses, parts.stream, parts.groups])
      if (watch !== null)
        this.#looks.set(watch, { under: null, begun: Number.NEGATIVE_INFINITY, fault: null });
  }

  /** How many look at it. */
  get watchers(): number {
    return this.#watchers.size;
  }

  /** @returns what ends it */
  watch(send: Send): () => void {
    this.#watchers.add(send);
    // What is known comes at once, and what is being looked at as it comes.
    send('now', JSON.stringify(this.#now()));
    send('past', JSON.stringify(this.#past()));
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
    return () => {
      this.#watchers.delete(send);
      if (this.#watchers.size > 0 || this.#timer === null) return;
      clearInterval(this.#timer);
      this.#timer = null;
    };
  }

  /** The present, after a look at what is due. */
  async now(): Promise<Now> {
    await Promise.all(this.#lookAtDue());
    return this.#now();
  }

  async past(): Promise<Past> {
    await Promise.all(this.#lookAtDue());
    return this.#past();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#watchers.clear();
  }

  #tick(): void {
    for (const look of this.#lookAtDue()) void look.then(() => this.#sendPast());
    this.#send('now', JSON.stringify(this.#now()));
    this.#sendPast();
  }

  #sendPast(): void {
    const { archive, now } = this.#parts;
    const version = `${archive.commits} ${Math.floor(now() / MINUTE_MS)} ${archive.reading === null}`;
    if (version === this.#pastOf) return;
    this.#pastOf = version;
    this.#send('past', JSON.stringify(this.#past()));
  }

  #send(event: 'now' | 'past', json: string): void {
    for (const send of this.#watchers) send(event, json);
  }

  /** Starts what is due, and has what is under way as well. */
  #lookAtDue(): Promise<void>[] {
    const now = this.#parts.now();
    for (const [watch, look] of this.#looks) {
      if (look.under !== null || now - look.begun < watch.interval - SLACK_MS) continue;
      look.begun = now;
      look.under = watch
        .look(now)
        .then(
          () => {
            look.fault = null;
          },
          (error: Error) => {
            look.fault = error.message;
          },
        )
        .finally(() => {
          look.under = null;
        });
    }
    return [...this.#looks.values()].flatMap(({ under }) => under ?? []);
  }

  #now(): Now {
    const { place, archive, statuses, stream, groups, requests, now: clock } = this.#parts;
    const now = clock();
    const { recent } = archive;
    const agents = statuses.agents();
    const workers = statuses.workers();
    const producers = producerLines(archive.producers, agents, recent.producers(), now);
    const shards = shardLines(recent.shards(), workers, stream?.seen ?? null);
    const consumers = consumerLines(workers);
    const live = workers.flatMap(({ rates }) => [...rates.values()]);
    return {
      at: now,
      version: VERSION,
      place,
      reading: archive.reading,
      story: storyOf({
        ...{ now, producers, shards, consumers },
        groups: groups?.seen ?? null,
        hours: archive.hours(now),
        newest: recent.newest,
        isReading: archive.reading !== null,
        troubles: this.#troubles(),
        isWatching: agents.length + workers.length > 0,
      }),
      producers: producers.slice(0, MOST_LINES),
      moreProducers: Math.max(0, producers.length - MOST_LINES),
      shards: shards.slice(0, MOST_LINES),
      moreShards: Math.max(0, shards.length - MOST_LINES),
      shardSource: sourceOfRates(stream?.seen?.rates.size ?? 0, live.length, stream?.seen?.source ?? null),
      links: recent.links(),
      consumers,
      archived: recent.rate(now),
      newest: recent.newest,
      tags: archive.tags().slice(0, MOST_LINES),
      groups: groups?.seen ?? null,
      blind: this.#blind(),
      requests: requests.counts(now),
    };
  }

  #past(): Past {
    const { archive, now } = this.#parts;
    return archive.past(now());
  }

  #troubles(): string[] {
    const { archive, statuses, stream, groups } = this.#parts;
    // Each notes its own; what is left is a fault of the console, which goes on.
    const faults = [...this.#looks.values()].flatMap(({ fault }) => fault ?? []);
    return [
      ...faults.map((fault) => `unexpected error of the console, please report it: ${fault}`),
      ...(archive.trouble === null ? [] : [`the archive cannot be read: ${archive.trouble}`]),
      ...statuses.silent
        .filter(({ isGuess }) => !isGuess)
        .map(({ source, why }) => `${source} does not respond: ${why}`),
      ...(stream?.trouble ? [`stream ${stream.stream}: ${stream.trouble}`] : []),
      ...(groups?.trouble ? [`Auto Scaling: ${groups.trouble}`] : []),
    ];
  }

  #blind(): Blind[] {
    const { statuses, stream, groups, archive } = this.#parts;
    return blindSpots({
      agents: statuses.agents().length,
      consumers: statuses.workers().length,
      sources: statuses.sources,
      hasStream: stream !== null,
      hasGroups: groups !== null,
      isEmpty: archive.isEmpty && archive.reading === null,
    });
  }
}

function sourceOfRates(measured: number, live: number, source: string | null): string {
  const events = 'events from commits, over ten minutes';
  if (measured > 0) return `${source}; ${events}`;
  if (live > 0) return `the consumer, the last seconds; ${events}`;
  return 'commits, an average over ten minutes';
}
