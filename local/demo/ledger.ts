/**
 * The demo's ledger: the numbers of all events that are in the access log or acknowledged by the agent, kept on
 * disk, so that an oracle can compare the archive with it event by event and a later run continues the numbering.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Runs } from '../../archive/runs.ts';

/** How an event reaches the agent: as a line of the access log, or over the forward protocol. Each route has its own numbers. */
export type Route = 'log' | 'forward';

export const ROUTES: readonly Route[] = ['log', 'forward'];

/** The numbers of one route. */
export interface Numbers {
  /** In the access log, or acknowledged by the agent: must be archived. */
  readonly made: Runs;
  /** In doubt: no ack arrived, or the demo was killed. May be archived. */
  readonly unsure: Runs;
}

export type Made = Readonly<Record<Route, Numbers>>;

interface SavedNumbers {
  readonly made: string;
  readonly unsure: string;
  /** No number from here on has been assigned. */
  readonly free: number;
}

interface Saved {
  readonly log: SavedNumbers;
  readonly forward: SavedNumbers;
  readonly clean: boolean;
}

/** Numbers are reserved in blocks: after a crash the rest of the block is in doubt and never reused. */
const BLOCK = 10_000;

export class Ledger {
  readonly #file: string;
  readonly made: Made;
  /** The first numbers of this run. */
  readonly first: Readonly<Record<Route, number>>;
  readonly #next: Record<Route, number>;
  readonly #setAside: Record<Route, number>;

  constructor(folder: string) {
    this.#file = ledgerFile(folder);
    fs.mkdirSync(folder, { recursive: true });
    const saved = read(this.#file);
    this.made = toMade(saved);
    this.first = { log: saved?.log.free ?? 1, forward: saved?.forward.free ?? 1 };
    this.#next = { ...this.first };
    this.#setAside = { ...this.first };
  }

  /** A number that no event of the route has had yet. */
  take(route: Route): number {
    const number = this.#next[route]++;
    if (number === this.#setAside[route]) {
      this.#setAside[route] += BLOCK;
      this.save();
    }
    return number;
  }

  /** The event can no longer be lost. */
  add(route: Route, number: number): void {
    this.made[route].made.add(number);
  }

  /** Whether the event was sent is unknown. */
  doubt(route: Route, number: number): void {
    this.made[route].unsure.add(number);
  }

  /** Call this at a clean stop, when every number taken has been added or doubted. */
  close(): void {
    for (const route of ROUTES) this.#setAside[route] = this.#next[route];
    this.#write(true);
  }

  /** Saves what is known so far, so that a kill leaves less in doubt. */
  save(): void {
    this.#write(false);
  }

  #write(clean: boolean): void {
    const numbers = (route: Route): SavedNumbers => ({
      made: this.made[route].made.toString(),
      unsure: this.made[route].unsure.toString(),
      free: this.#setAside[route],
    });
    const saved: Saved = { log: numbers('log'), forward: numbers('forward'), clean };
    fs.writeFileSync(`${this.#file}.part`, JSON.stringify(saved));
    fs.renameSync(`${this.#file}.part`, this.#file);
  }
}

export const NOTHING_MADE: Made = toMade(null);

/** The ledger of the demo that last used this folder; empty without one. */
export function readMade(folder: string): Made {
  return toMade(read(ledgerFile(folder)));
}

function ledgerFile(folder: string): string {
  return path.join(folder, 'made.json');
}

function read(file: string): Saved | null {
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as Saved) : null;
}

function toMade(saved: Saved | null): Made {
  const numbers = (route: Route): Numbers => {
    const made = Runs.parse(saved?.[route].made ?? '');
    const unsure = Runs.parse(saved?.[route].unsure ?? '');
    if (saved !== null && !saved.clean && saved[route].free > 1) {
      unsure.addRange(1, saved[route].free - 1);
      unsure.subtract(made);
    }
    return { made, unsure };
  };
  return { log: numbers('log'), forward: numbers('forward') };
}
