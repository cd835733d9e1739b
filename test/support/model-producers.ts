/** The producers of the archive model: chunks of several epochs, put, repeated, held back and put late; foreign records. */
import { ChunkSource, digest32, LIES, type MadeChunk } from './chunks.ts';
import type { ModelStream } from './model-stream.ts';
import type { Chance } from './random.ts';

/** One epoch of a producer. */
interface Source {
  readonly source: ChunkSource;
  readonly name: string;
  readonly epoch: number;
  readonly made: MadeChunk[];
}

const PRODUCERS = 3;

export class ModelProducers {
  /** Every chunk ever made. */
  readonly chunks = new Map<string, MadeChunk>();
  readonly foreign = new Set<string>();
  /** Of the chunks those whose data is not what they say, and in how many records they were put. */
  readonly liars = new Map<string, number>();
  readonly #stream: ModelStream;
  readonly #chance: Chance;
  readonly #hour: number;
  readonly #count: (what: string) => void;
  readonly #sources: Source[] = [];
  /** Chunks of all epochs that have not been put yet. */
  readonly #held: { readonly name: string; readonly epoch: number; readonly chunk: MadeChunk }[] = [];
  #foreignCount = 0;

  /**
   * @param hour of the newest events, since 1970
   * @param count called with what happens
   */
  constructor(stream: ModelStream, chance: Chance, hour: number, count: (what: string) => void) {
    this.#stream = stream;
    this.#chance = chance;
    this.#hour = hour;
    this.#count = count;
    for (let i = 0; i < PRODUCERS; i++) this.#newEpoch(i, 1);
  }

  /** A producer starts with a new state. */
  restart(): void {
    const i = this.#chance.below(this.#sources.length);
    this.#newEpoch(i, this.#sources[i]!.epoch + 1);
  }

  /** Everyone's last chunks. */
  end(): void {
    while (this.#held.length > 0) this.readmit();
    for (let i = 0; i < this.#sources.length; i++) {
      const { source } = this.#sources[i]!;
      this.#put([this.#make(i, source, { end: true })]);
    }
  }

  #newEpoch(i: number, epoch: number): void {
    const name = `p${i}`;
    const before = this.#sources[i];
    const previous = before ? { epoch: before.epoch, ordinal: before.made.length } : null;
    const lane = digest32(`${name} ${epoch} ${this.#chance.below(1e9)}`);
    const source = new ChunkSource({
      name,
      epoch,
      lane,
      // What is still held may arrive at any time; the rest was acknowledged, may be forgotten and is never resent.
      floor: () => this.#floorOf(name, epoch),
      previous: before && before.made.length > 0 ? previous : null,
    });
    this.#sources[i] = { source, name, epoch, made: [] };
  }

  #make(i: number, source: ChunkSource, changes: object = {}): MadeChunk {
    const hour = this.#hour - this.#chance.below(2);
    const lie = this.#chance.below(30) === 0 ? this.#chance.pick(LIES) : undefined;
    const kind = lie ?? (this.#chance.below(6) === 0 ? 'old' : 'spliceable');
    const chunk = source.next(
      this.#chance.below(3) === 0 ? 'b' : 'a',
      hour,
      1 + this.#chance.below(2),
      changes,
      kind,
    );
    this.#sources[i]!.made.push(chunk);
    const name = `${chunk.lane}/${chunk.sequence}`;
    this.chunks.set(name, chunk);
    if (lie !== undefined) {
      this.#count('liars');
      this.liars.set(name, 0);
    }
    return chunk;
  }

  #floorOf(name: string, epoch: number): number {
    return Math.min(epoch, ...this.#held.filter((held) => held.name === name).map((held) => held.epoch));
  }

  hold(): void {
    const i = this.#chance.below(this.#sources.length);
    const { source, name, epoch } = this.#sources[i]!;
    const before = this.#held.length;
    for (let n = 1 + this.#chance.below(3); n > 0; n--)
      this.#held.push({ name, epoch, chunk: this.#make(i, source) });
    this.#count('held');
    // Some of them were sent before without anyone knowing.
    for (const { chunk } of this.#held.slice(before)) if (this.#chance.below(3) === 0) this.#put([chunk]);
  }

  readmit(): void {
    const i = this.#chance.below(this.#held.length);
    const [held] = this.#held.splice(i, 1);
    if (!held) return;
    const isLate = this.#sources.some(({ name, epoch }) => name === held.name && epoch > held.epoch);
    this.#count(isLate ? 'readmitted in a later epoch' : 'readmitted');
    this.#put([held.chunk]);
  }

  putNew(): void {
    const i = this.#chance.below(this.#sources.length);
    const count = 1 + this.#chance.below(3);
    const { source } = this.#sources[i]!;
    const chunks = Array.from({ length: count }, () => this.#make(i, source));
    // Chunks of one record travel together, not always in order.
    this.#put(this.#chance.below(3) === 0 ? chunks.reverse() : chunks);
  }

  putAgain(): void {
    const made = this.#chance.pick(this.#sources)!.made;
    const chunk = this.#chance.pick(made);
    if (chunk) this.#put(this.#chance.below(2) === 0 ? [chunk] : [chunk, chunk]);
  }

  #put(chunks: readonly MadeChunk[]): void {
    const lane = chunks[0]!.lane;
    const shard = this.#stream.shards.find(
      ({ closed, info }) => !closed && lane >= info.range[0] && lane <= info.range[1],
    )!;
    const data = Buffer.concat(chunks.map((chunk) => chunk.bytes));
    for (const { lane: of, sequence } of chunks) {
      const puts = this.liars.get(`${of}/${sequence}`);
      if (puts !== undefined) this.liars.set(`${of}/${sequence}`, puts + 1);
    }
    this.#stream.append(
      shard,
      data,
      chunks.map((chunk) => `${chunk.lane}/${chunk.sequence}`),
      null,
    );
  }

  putForeign(): void {
    const shard = this.#chance.pick(this.#stream.shards.filter(({ closed }) => !closed))!;
    const sequence = this.#stream.nextSequence();
    // Some are user records of one aggregate.
    for (let i = this.#chance.below(4) === 0 ? 3 : 1; i > 0; i--) {
      const id = `f${this.#foreignCount++}`;
      this.foreign.add(id);
      this.#stream.append(shard, Buffer.from(JSON.stringify({ foreign: id })), [], id, sequence);
    }
  }
}
