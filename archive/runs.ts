/**
 * Runs: a set of sequence numbers of one lane as sorted, disjoint, non-adjacent intervals, written `1-904` or
 * `1-3,5,9-12`. A healthy lane is one run, whatever its length.
 */
import { TailraceError } from '../base/errors.ts';

const ZERO = 0x30;
const NINE = 0x39;
const DASH = 0x2d;
const COMMA = 0x2c;
/** A number from here on cannot take a further digit and stay a safe integer. */
const MAX_BEFORE_DIGIT = 1e15;
/** Up to so many runs are put in one by one. */
const FEW = 4;

/** A set of positive integers that costs memory per gap, not per member. */
export class Runs {
  /** first, last, first, last, …; ascending, with at least one missing number between two runs. */
  #bounds: number[] = [];

  /** @throws TailraceError BAD_RUNS when `text` is not what {@link toString} writes */
  static parse(text: string): Runs {
    const runs = new Runs();
    const bounds = runs.#bounds;
    if (text === '') return runs;
    // By hand: agents whose tags take turns have runs of one, and an archive's commits have hundreds of millions.
    let first = 0;
    let number = 0;
    for (let i = 0; i <= text.length; i++) {
      const code = i < text.length ? text.charCodeAt(i) : COMMA;
      if (code >= ZERO && code <= NINE && (number > 0 || code > ZERO) && number < MAX_BEFORE_DIGIT) {
        number = number * 10 + (code - ZERO);
      } else if (code === DASH && first === 0 && number > 0) {
        first = number;
        number = 0;
      } else if (code === COMMA && number > 0 && Number.isSafeInteger(number)) {
        const from = first === 0 ? number : first;
        if (number < from || (bounds.length > 0 && from <= bounds.at(-1)! + 1)) throw badRuns(text);
        bounds.push(from, number);
        first = 0;
        number = 0;
      } else {
        throw badRuns(text);
      }
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
    const theirs = other.#bounds;
    if (theirs.length <= 2 * FEW) {
      for (let i = 0; i < theirs.length; i += 2) this.addRange(theirs[i]!, theirs[i + 1]!);
      return;
    }
    // Both are in order, so one walk merges them; what ends before the other begins stays as it is.
    const from = this.#search(theirs[0]! - 1);
    const mine = this.#bounds.splice(from);
    const merged = this.#bounds;
    for (let i = 0, j = 0; i < mine.length || j < theirs.length; ) {
      const isMine = j >= theirs.length || (i < mine.length && mine[i]! <= theirs[j]!);
      const first = isMine ? mine[i]! : theirs[j]!;
      const last = isMine ? mine[i + 1]! : theirs[j + 1]!;
      if (isMine) i += 2;
      else j += 2;
      const end = merged.length - 1;
      if (end > 0 && first <= merged[end]! + 1) merged[end] = Math.max(merged[end]!, last);
      else merged.push(first, last);
    }
  }

  /** What both sets have. */
  intersection(other: Runs): Runs {
    const both = new Runs();
    const mine = this.#bounds;
    const theirs = other.#bounds;
    if (mine.length === 0 || theirs.length === 0) return both;
    // Both are in order, so one walk finds it, from where each reaches the other's beginning.
    for (
      let i = this.#search(theirs[0]!), j = other.#search(mine[0]!);
      i < mine.length && j < theirs.length;
    ) {
      const first = Math.max(mine[i]!, theirs[j]!);
      const last = Math.min(mine[i + 1]!, theirs[j + 1]!);
      if (first <= last) both.#bounds.push(first, last);
      if (mine[i + 1]! < theirs[j + 1]!) i += 2;
      else j += 2;
    }
    return both;
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

function badRuns(text: string): TailraceError {
  return new TailraceError('BAD_RUNS', `not a list of runs: ${JSON.stringify(text.slice(0, 80))}`);
}
