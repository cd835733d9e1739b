/**
 * Runs: a set of sequence numbers of one lane as sorted, disjoint, non-adjacent intervals, written `1-904` or
 * `1-3,5,9-12`. A healthy lane is one run, whatever its length.
 */
import { TailraceError } from './errors.ts';

const RUN = /^([1-9]\d{0,15})(?:-([1-9]\d{0,15}))?$/;

/** A set of positive integers that costs memory per gap, not per member. */
export class Runs {
  /** first, last, first, last, …; ascending, with at least one missing number between two runs. */
  #bounds: number[] = [];

  /** @throws TailraceError BAD_RUNS when `text` is not what {@link toString} writes */
  static parse(text: string): Runs {
    const runs = new Runs();
    if (text === '') return runs;
    let end = -1;
    for (const part of text.split(',')) {
      const match = RUN.exec(part);
      const first = Number(match?.[1]);
      const last = Number(match?.[2] ?? match?.[1]);
      if (!match || !Number.isSafeInteger(last) || last < first || first <= end + 1) {
        throw new TailraceError('BAD_RUNS', `not a list of runs: ${JSON.stringify(text.slice(0, 80))}`);
      }
      runs.#bounds.push(first, last);
      end = last;
    }
    return runs;
  }

  has(sequence: number): boolean {
    const i = this.#search(sequence);
    return i < this.#bounds.length && this.#bounds[i]! <= sequence;
  }

  /** Adds one number; returns false when it was there already. */
  add(sequence: number): boolean {
    const bounds = this.#bounds;
    // The common case by far: the next number of a lane that arrives in order.
    if (bounds.length > 0 && bounds[bounds.length - 1] === sequence - 1) {
      bounds[bounds.length - 1] = sequence;
      return true;
    }
    if (this.has(sequence)) return false;
    this.addRange(sequence, sequence);
    return true;
  }

  /** Adds all of first..last, both included. */
  addRange(first: number, last: number): void {
    const bounds = this.#bounds;
    // Every run that touches first-1..last+1 melts into the new one.
    const from = this.#search(first - 1);
    let to = from;
    while (to < bounds.length && bounds[to]! <= last + 1) to += 2;
    if (to > from) {
      first = Math.min(first, bounds[from]!);
      last = Math.max(last, bounds[to - 1]!);
    }
    bounds.splice(from, to - from, first, last);
  }

  /** Takes out all of first..last, both included. */
  removeRange(first: number, last: number): void {
    const bounds = this.#bounds;
    const from = this.#search(first);
    let to = from;
    while (to < bounds.length && bounds[to]! <= last) to += 2;
    if (to === from) return;
    const rest: number[] = [];
    if (bounds[from]! < first) rest.push(bounds[from]!, first - 1);
    if (bounds[to - 1]! > last) rest.push(last + 1, bounds[to - 1]!);
    bounds.splice(from, to - from, ...rest);
  }

  union(other: Runs): void {
    for (const [first, last] of other) this.addRange(first, last);
  }

  subtract(other: Runs): void {
    for (const [first, last] of other) this.removeRange(first, last);
  }

  /** How many numbers the set has. */
  get count(): number {
    let count = 0;
    for (const [first, last] of this) count += last - first + 1;
    return count;
  }

  /** The greatest number, 0 when there is none. */
  get last(): number {
    return this.#bounds.at(-1) ?? 0;
  }

  *[Symbol.iterator](): Generator<[first: number, last: number]> {
    for (let i = 0; i < this.#bounds.length; i += 2) yield [this.#bounds[i]!, this.#bounds[i + 1]!];
  }

  /** The runs of 1..last that are missing. */
  *gaps(): Generator<[first: number, last: number]> {
    let next = 1;
    for (const [first, last] of this) {
      if (first > next) yield [next, first - 1];
      next = last + 1;
    }
  }

  toString(): string {
    const parts: string[] = [];
    for (const [first, last] of this) parts.push(first === last ? `${first}` : `${first}-${last}`);
    return parts.join(',');
  }

  toJSON(): string {
    return this.toString();
  }

  /** Index of the first run that ends at or after `sequence`. */
  #search(sequence: number): number {
    let low = 0;
    let high = this.#bounds.length / 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#bounds[middle * 2 + 1]! < sequence) low = middle + 1;
      else high = middle;
    }
    return low * 2;
  }
}
