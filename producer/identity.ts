/** The identity of chunks: the producer of a state directory, the epoch of a start, and the numbers given at the seal. */
import { randomBytes } from 'node:crypto';
import * as z from 'zod/mini';
import type { ChunkHeader } from '../chunk/header.ts';
import { isSameMachine } from './machine.ts';
import type { StateMap } from './state.ts';

/** The part of a chunk's header that identifies it. */
export type ChunkIdentity = Pick<
  ChunkHeader,
  'lane' | 'sequence' | 'producer' | 'epoch' | 'ordinal' | 'floor' | 'previous'
>;

const savedIdentity = z.object({
  producer: z.string().check(z.regex(/^[0-9a-f]{32}$/)),
  /** The machine when the producer id was created; a copied disk becomes a new producer. */
  machine: z.string(),
  epoch: z.string().check(z.regex(/^[0-9a-f]{16}$/)),
  ordinal: z.int().check(z.nonnegative()),
});

const KEY = 'identity';

/** Assigns each chunk of this run its identity: fixed at the seal, durable with the cut. */
export class Identity {
  readonly producer: string;
  readonly epoch: string;
  readonly #machine: string;
  readonly #state: StateMap;
  readonly #previous: ChunkHeader['previous'];
  readonly #sequences = new Map<string, number>();
  #ordinal = 0;

  /**
   * Begins an epoch.
   *
   * @param state the section that keeps identities
   * @param machine the machine's id
   * @param now milliseconds since 1970
   */
  constructor(state: StateMap, machine: string, now: number) {
    const saved = state.read(KEY, savedIdentity);
    this.#state = state;
    this.#machine = machine;
    const known = saved && isSameMachine(saved.machine, machine) ? saved : undefined;
    this.producer = known?.producer ?? randomBytes(16).toString('hex');
    this.epoch = newEpoch(now, known?.epoch);
    this.#previous = known ? { epoch: known.epoch, ordinal: known.ordinal } : null;
  }

  /** Ordinal of the last chunk, 0 before the first. */
  get ordinal(): number {
    return this.#ordinal;
  }

  /** The identity of the next chunk of a lane. */
  next(lane: string, floor: string): ChunkIdentity {
    const sequence = (this.#sequences.get(lane) ?? 0) + 1;
    this.#sequences.set(lane, sequence);
    this.#ordinal++;
    this.#state.set(KEY, {
      producer: this.producer,
      machine: this.#machine,
      epoch: this.epoch,
      ordinal: this.#ordinal,
    });
    return {
      lane,
      sequence,
      producer: this.producer,
      epoch: this.epoch,
      ordinal: this.#ordinal,
      floor: floor < this.epoch ? floor : this.epoch,
      previous: this.#ordinal === 1 ? this.#previous : null,
    };
  }
}

/** 48 bits of milliseconds and 16 random ones, as 16 hex digits; always after `previous`, even if the clock went back. */
function newEpoch(now: number, previous?: string): string {
  const after = previous === undefined ? 0 : Number.parseInt(previous.slice(0, 12), 16) + 1;
  return Math.max(now, after).toString(16).padStart(12, '0') + randomBytes(2).toString('hex');
}

/** A random 128-bit lane. */
export function newLane(): string {
  return randomBytes(16).toString('hex');
}
