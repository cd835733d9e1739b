/**
 * Those on the stream that are not agents of this release: agents of before chunks could be spliced, and liars, whose chunks
 * have the right checksum and are not what they say. They write under the agents' tags and hours, so that their chunks are
 * among the agents' in the archiver's objects.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { explicitHashKey } from '../../chunk/header.ts';
import { ChunkSource, type Lie, type MadeChunk } from '../support/chunks.ts';
import { eventId } from './oracle.ts';
import { type Fault, OLD_AGENT } from './schedule.ts';
import type { Timeline } from './timeline.ts';

const HOUR_MS = 3_600_000;
const TAGS = ['access.nginx', 'access.json'] as const;
/** First digits of the lanes: some in each shard. */
const GROUPS = ['1', '5', '9', 'd'] as const;
const OLD_EVENTS = 25;
const OTHER_EVENTS = 5;
const RETRY_MS = 200;
/** The share of chunks that come late, and by how much. */
const LATE = 0.15;
const MOST_LATE_HOURS = 8;

export interface StrangersOptions {
  readonly stream: string;
  /** By way of the proxy whose answers are lost: what is resent is there twice. */
  readonly faulty: KinesisClient;
  /** What is not a sound chunk has no identity: it may be put once only. */
  readonly direct: KinesisClient;
  /** The logs' time, ms since 1970. */
  readonly now: () => number;
  readonly timeline: Timeline;
}

export class Strangers {
  readonly #options: StrangersOptions;
  readonly #old: readonly Stranger[];
  readonly #liars: readonly Stranger[];
  /** Chunks of liars that are on the stream, as `lane/sequence`. */
  readonly lies = new Set<string>();
  /** Their bytes, as base64. */
  readonly kept = new Set<string>();

  constructor(options: StrangersOptions) {
    this.#options = options;
    // An epoch's first digits are the time at which it began.
    const epoch = options.now() * 2 ** 16;
    this.#old = GROUPS.map((digit, i) => new Stranger(`old-agent-${i + 1}`, digit, epoch));
    this.#liars = GROUPS.map((digit, i) => new Stranger(`liar-${i + 1}`, digit, epoch));
  }

  /** Ids of all of them: they send no watermarks, and hours are not to wait for them. */
  get producers(): readonly string[] {
    return [...this.#old, ...this.#liars].map(({ source }) => source.producer);
  }

  get liars(): readonly string[] {
    return this.#liars.map(({ source }) => source.producer);
  }

  /** Events in chunks that are on the stream, by source. */
  get promised(): ReadonlyMap<string, number> {
    return new Map([...this.#old, ...this.#liars].map(({ name, made }) => [name, made] as const));
  }

  async suffer({ kind, pick }: Fault): Promise<void> {
    const { timeline } = this.#options;
    const at = timeline.now;
    const group = Math.floor(pick * GROUPS.length);
    const tag = TAGS[Math.floor(pick * 7919) % TAGS.length]!;
    // Some come hours late, as what an agent without a network sends.
    const late = (pick * 15_485_863) % 1;
    const back = late < LATE ? 1 + Math.floor((late / LATE) * MOST_LATE_HOURS) : 0;
    const hour = Math.floor(this.#options.now() / HOUR_MS) - back;
    // Before a lie stands a chunk of an old agent, behind it a sound one of the same lane.
    const old = this.#old[group]!;
    const isTwice = (pick * 104_729) % 1 < 0.3;
    await this.#put(old, old.next(tag, hour, OLD_EVENTS, 'old'), isTwice);
    if (kind !== OLD_AGENT) {
      const liar = this.#liars[group]!;
      const lie = liar.lie(tag, hour, kind as Lie);
      await this.#deliver(this.#options.direct, [lie]);
      this.lies.add(`${lie.lane}/${lie.sequence}`);
      this.kept.add(lie.bytes.toString('base64'));
      await this.#put(liar, liar.next(tag, hour, OTHER_EVENTS, 'spliceable'), isTwice);
    }
    timeline.add({ target: 'strangers', kind, note: `${old.name}, ${tag}, ${back} hours late` }, at);
  }

  async #put(stranger: Stranger, chunk: MadeChunk, isTwice: boolean): Promise<void> {
    await this.#deliver(this.#options.faulty, isTwice ? [chunk, chunk] : [chunk]);
    stranger.made += chunk.ids.length;
  }

  /** Each record until it is acknowledged. */
  async #deliver(client: KinesisClient, chunks: readonly MadeChunk[]): Promise<void> {
    for (let left = chunks; left.length > 0; await sleep(RETRY_MS)) {
      const Records = left.map(({ bytes, lane, sequence }) => ({
        Data: bytes,
        PartitionKey: `${lane}/${sequence}`,
        ExplicitHashKey: explicitHashKey(lane),
      }));
      const command = new PutRecordsCommand({ StreamName: this.#options.stream, Records });
      const answer = await client.send(command).catch(() => null);
      if (answer === null && client === this.#options.direct)
        throw new Error('a put of a liar has failed: nobody knows whether its chunk is on the stream');
      left = left.filter((_, i) => answer?.Records?.[i]?.SequenceNumber === undefined);
      if (left.length === 0) return;
    }
  }
}

class Stranger {
  readonly name: string;
  readonly source: ChunkSource;
  /** Events that are acknowledged. */
  made = 0;
  #next = 0;

  constructor(name: string, digit: string, epoch: number) {
    this.name = name;
    const lane = digit + new ChunkSource({ name }).lane.slice(1);
    this.source = new ChunkSource({ name, lane, epoch, idOf: () => eventId(name, this.#next++) });
  }

  next(tag: string, hour: number, events: number, ending: 'old' | 'spliceable'): MadeChunk {
    return this.source.next(tag, hour, events, {}, ending);
  }

  /** Its events are nobody's: they are kept as the bytes of their chunk. */
  lie(tag: string, hour: number, kind: Lie): MadeChunk {
    const before = this.#next;
    const lie = this.source.next(tag, hour, 1, {}, kind);
    this.#next = before;
    return lie;
  }
}
