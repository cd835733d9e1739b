/** The stream of the archive model: shards that split, merge, are trimmed and recreated, with the records in them. */
import type { StreamRecord } from '../../archive/writer/record.ts';
import type { ShardInfo } from '../../archive/writer/start.ts';
import type { Chance } from './random.ts';

export interface ModelShard {
  readonly id: string;
  readonly info: ShardInfo;
  readonly incarnation: string;
  readonly records: {
    readonly record: StreamRecord;
    readonly chunks: readonly string[];
    foreign: string | null;
  }[];
  /** How many records retention has trimmed from the front. */
  trimmed: number;
  closed: boolean;
  /** The stream's newest sequence number when the shard was closed. */
  closedAt: bigint;
  deleted: boolean;
}

export const FAMILY = 'abcdefabcd';
const HASHES = 2 ** 16;

export class ModelStream {
  shards: ModelShard[] = [];
  readonly #all: ModelShard[] = [];
  readonly #chance: Chance;
  readonly #now: () => number;
  #incarnation = 0;
  #shardNumber = 0;
  #sequence = 10n ** 20n;
  #trimmedTo = 0n;

  /** @param now when records arrive, ms */
  constructor(chance: Chance, now: () => number) {
    this.#chance = chance;
    this.#now = now;
  }

  create(shards: number): void {
    this.#incarnation += 1;
    this.#trimmedTo = this.#sequence;
    this.#shardNumber = 0;
    this.shards = [];
    const step = HASHES / shards;
    for (let i = 0; i < shards; i++) {
      this.#addShard(Math.round(i * step), Math.round((i + 1) * step), []);
    }
  }

  #addShard(from: number, to: number, parents: readonly string[]): void {
    const id = `shardId-${String(this.#shardNumber++).padStart(12, '0')}`;
    const range = [
      from.toString(16).padStart(4, '0') + '0'.repeat(28),
      (to - 1).toString(16).padStart(4, '0') + 'f'.repeat(28),
    ] as const;
    const incarnation = FAMILY + this.#incarnation.toString(16).padStart(8, '0');
    const shard: ModelShard = {
      id,
      info: { id, parents, range },
      incarnation,
      records: [],
      trimmed: 0,
      closed: false,
      closedAt: 0n,
      deleted: false,
    };
    this.shards.push(shard);
    this.#all.push(shard);
  }

  split(): void {
    const open = this.shards.filter(({ closed }) => !closed);
    const shard = this.#chance.pick(open)!;
    const [from, to] = bounds(shard);
    if (open.length >= 5 || to - from < 16) return;
    const middle = from + 1 + this.#chance.below(to - from - 2);
    this.#close(shard);
    this.#addShard(from, middle, [shard.id]);
    this.#addShard(middle, to, [shard.id]);
  }

  merge(): void {
    const open = this.shards.filter(({ closed }) => !closed);
    const shard = this.#chance.pick(open)!;
    const next = open.find((other) => bounds(other)[0] === bounds(shard)[1]);
    if (!next) return;
    this.#close(shard);
    this.#close(next);
    this.#addShard(bounds(shard)[0], bounds(next)[1], [shard.id, next.id]);
  }

  #close(shard: ModelShard): void {
    shard.closed = true;
    shard.closedAt = this.#sequence;
  }

  /** Retention trims the oldest records of all shards; a parent disappears before its children. */
  trim(): void {
    const left = Number(this.#sequence - this.#trimmedTo);
    this.#trimmedTo += BigInt(this.#chance.below(4) === 0 ? left : this.#chance.below(left + 1));
    for (const shard of this.shards) {
      const kept = shard.records.findIndex(({ record }) => BigInt(record.sequence) > this.#trimmedTo);
      shard.trimmed = kept === -1 ? shard.records.length : kept;
    }
  }

  /** Whether the stream no longer lists it. */
  isGone(shard: ModelShard): boolean {
    return shard.deleted || (shard.closed && shard.closedAt <= this.#trimmedTo);
  }

  append(
    shard: ModelShard,
    data: Buffer,
    chunks: readonly string[],
    foreign: string | null,
    sequence: string = this.nextSequence(),
  ): void {
    shard.records.push({ record: { sequence, arrival: this.#now(), data }, chunks, foreign });
  }

  nextSequence(): string {
    this.#sequence += BigInt(1 + this.#chance.below(5));
    return this.#sequence.toString();
  }

  /** Chunks and foreign records of which a record is still in the stream, or was when the stream ended. */
  retained(): { readonly chunks: ReadonlySet<string>; readonly foreign: ReadonlySet<string> } {
    const chunks = new Set<string>();
    const foreign = new Set<string>();
    for (const shard of this.#all) {
      if (shard.deleted) continue;
      for (const record of shard.records.slice(shard.trimmed)) {
        for (const chunk of record.chunks) chunks.add(chunk);
        if (record.foreign) foreign.add(record.foreign);
      }
    }
    return { chunks, foreign };
  }
}

function bounds(shard: ModelShard): [from: number, to: number] {
  const [first, last] = shard.info.range;
  return [Number.parseInt(first.slice(0, 4), 16), Number.parseInt(last.slice(0, 4), 16) + 1];
}
