/** Simulated time: what is due runs in order, things due at the same moment at once; nobody waits for real minutes. */

interface Entry {
  readonly at: number;
  readonly run: () => void | Promise<void>;
  cancelled: boolean;
}

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

export class SimulatedClock {
  /** Milliseconds since 1970. */
  now = Date.parse('2026-11-23T07:00:00Z');
  #entries: Entry[] = [];

  /** @returns a function that takes it back */
  after(ms: number, run: () => void | Promise<void>): () => void {
    const entry = { at: this.now + ms, run, cancelled: false };
    this.#entries.push(entry);
    return () => {
      entry.cancelled = true;
    };
  }

  every(ms: number, run: () => void | Promise<void>): void {
    this.after(ms, async () => {
      this.every(ms, run);
      await run();
    });
  }

  /** Runs what is due until `done`, or until the time is over. */
  async runUntil(done: () => boolean, limit: number): Promise<void> {
    const end = this.now + limit;
    while (!done()) {
      this.#entries = this.#entries.filter(({ cancelled }) => !cancelled);
      const next = Math.min(...this.#entries.map(({ at }) => at));
      if (next > end) break;
      this.now = Math.max(this.now, next);
      const due = this.#entries.filter(({ at }) => at <= this.now);
      this.#entries = this.#entries.filter(({ at }) => at > this.now);
      // At once, so that functions called at the same moment race as they do in a region.
      await Promise.all(due.map(async (entry) => (entry.cancelled ? undefined : await entry.run())));
    }
  }
}
