/** What happened in a run: a line of JSON for each fault and each violation, on disk as it happens. */
import { appendFileSync } from 'node:fs';

/** Kinds of recovery whose times are compared. */
export const RECOVERIES = [
  'agent restarted',
  'consumer restarted',
  'taken over by another worker',
  'function called',
  'changed over',
  'disk full, then not',
  'resharded',
] as const;
export type Recovery = (typeof RECOVERIES)[number];

export interface Happened {
  /** Milliseconds after the start. */
  readonly at: number;
  readonly target: string;
  readonly kind: string;
  readonly note?: string;
  readonly recovery?: { readonly of: Recovery; readonly ms: number };
}

export class Timeline {
  readonly happened: Happened[] = [];
  readonly violations: string[] = [];
  readonly #file: string;
  readonly #started = performance.now();

  constructor(file: string) {
    this.#file = file;
  }

  /** Milliseconds since the start. */
  get now(): number {
    return Math.round(performance.now() - this.#started);
  }

  add(entry: Omit<Happened, 'at'>, at = this.now): void {
    const happened = { at, ...entry };
    this.happened.push(happened);
    this.#write(happened);
  }

  /** Something that must not be. */
  violation(what: string): void {
    this.violations.push(what);
    this.#write({ at: this.now, violation: what });
    process.stdout.write(`VIOLATION: ${what}\n`);
  }

  /** Something for people that is not a fault. */
  note(what: string): void {
    this.#write({ at: this.now, note: what });
  }

  #write(entry: object): void {
    appendFileSync(this.#file, `${JSON.stringify(entry)}\n`);
  }
}
