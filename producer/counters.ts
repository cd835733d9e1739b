/** Counters: plain numbers that components increment and that status and /metrics read. */

/** Label values of one counter, e.g. `{ input: 'tail:/var/log/nginx/access.log', reason: 'too_old' }`. */
export type Labels = Readonly<Record<string, string>>;

/** One number that only grows. On a hot path, keep it and increment `value` directly. */
export interface Counter {
  readonly name: string;
  readonly labels: Labels;
  value: number;
}

/** All counters of a process, by name and labels. Names are Prometheus names ending in `_total`. */
export class Counters implements Iterable<Counter> {
  readonly #counters = new Map<string, Counter>();

  /** The counter with this name and these labels, created at its first use with value 0. */
  counter(name: string, labels: Labels = {}): Counter {
    const key = `${name}${JSON.stringify(labels)}`;
    let counter = this.#counters.get(key);
    if (!counter) {
      counter = { name, labels, value: 0 };
      this.#counters.set(key, counter);
    }
    return counter;
  }

  add(name: string, by = 1, labels: Labels = {}): void {
    this.counter(name, labels).value += by;
  }

  /** The sum over all labels of a name. */
  total(name: string): number {
    let sum = 0;
    for (const counter of this) if (counter.name === name) sum += counter.value;
    return sum;
  }

  [Symbol.iterator](): IterableIterator<Counter> {
    return this.#counters.values();
  }
}
