/** Compactors that take turns step by step, die and come back, on an archive in memory, and what they leave behind. */
import type { CommitObject } from '../../archive/commit.ts';
import type { CompactedHour, Compactor } from '../../archive/compact/compact-hour.ts';
import type { Table } from '../../archive/compact/compaction.ts';
import type { ArchiveStore } from '../../archive/store.ts';
import { MemoryArchive } from './memory-archive.ts';

export type CompactHour = (
  compactor: Compactor,
  hour: number,
  objects: readonly CommitObject[],
) => Promise<CompactedHour>;

export const HOUR = 494_000;

/** Asked before and after every step of a worker: it goes on when this resolves, and dies when it rejects. */
export type Gate = () => Promise<void>;

export class CompactWorld {
  readonly archive = new MemoryArchive();
  readonly objects: CommitObject[] = [];
  readonly #compactHour: CompactHour;
  #made = 0;

  constructor(compactHour: CompactHour) {
    this.#compactHour = compactHour;
  }

  /** One more data object of the hour, of so many events. */
  add(tag: string, events: number): void {
    const n = this.objects.length;
    const lines = Array.from({ length: events }, (_, i) => `${tag}/${n}/${i}`);
    const key = `logs/tag=${tag}/${n}.ndjson.gz`;
    this.archive.objects.set(key, Buffer.from(lines.join('\n')));
    const object = {
      key,
      tag,
      hour: HOUR,
      codec: 'gzip',
      bytes: 1,
      sha256: '0'.repeat(64),
      events,
      foreign: 0,
    };
    this.objects.push(object as unknown as CommitObject);
  }

  /** A worker that knows of the objects that there are now. */
  work(gate: Gate): Promise<CompactedHour> {
    const store = gated(this.archive, gate);
    const make = async (table: Table) => {
      await gate();
      const rows = table.sources.flatMap(({ key }) => this.archive.objects.get(key)!.toString().split('\n'));
      // No two are of the same bytes.
      const body = [Buffer.from(JSON.stringify({ rows, made: this.#made++ }))];
      return { body: () => body, drop() {} };
    };
    const compactor: Compactor = { store, prefix: '', now: () => 1, make, columns: async () => [] };
    return this.#compactHour(compactor, HOUR, [...this.objects]);
  }

  /** What is wrong with the Parquet objects for a reader that only lists them; null when nothing is. */
  fault(isDone: boolean): string | null {
    const found: string[] = [];
    for (const [key, bytes] of this.archive.objects)
      if (key.startsWith('parquet/'))
        found.push(...(JSON.parse(bytes.toString()) as { rows: string[] }).rows);
    const expected = this.objects.flatMap(({ key }) => this.archive.objects.get(key)!.toString().split('\n'));
    if (new Set(found).size < found.length) return 'an event is repeated';
    if (found.some((row) => !expected.includes(row))) return 'a row is not an event';
    return isDone && found.length < expected.length ? 'an event is missing' : null;
  }
}

class Killed extends Error {}

/** Lets a worker live for so many gates. */
export function livesFor(gates: number): Gate {
  let left = gates;
  return async () => {
    if (left-- <= 0) throw new Killed();
  };
}

/** Resolves when the work is done or its worker was killed. */
export async function untilKilled(work: Promise<CompactedHour>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof Killed) return false;
    throw error;
  }
}

function gated(archive: MemoryArchive, gate: Gate): ArchiveStore {
  const around = async <T>(call: () => Promise<T>): Promise<T> => {
    await gate();
    const answer = await call();
    await gate();
    return answer;
  };
  return {
    putIfAbsent: (key, body) => around(() => archive.putIfAbsent(key, body)),
    get: (key) => around(() => archive.get(key)),
    head: (key) => around(() => archive.head(key)),
    first: (prefix) => around(() => archive.first(prefix)),
    folders: (prefix) => around(() => archive.folders(prefix)),
  };
}

/**
 * Workers in any order of their steps, killed at random, with late objects in between; then one that runs to its end.
 *
 * @returns what is wrong; null when nothing is
 */
export async function checkCompaction(
  compactHour: CompactHour,
  random: () => number,
): Promise<string | null> {
  const world = new CompactWorld(compactHour);
  for (let i = 1 + Math.floor(random() * 3); i > 0; i--) world.add(random() < 0.5 ? 'a' : 'b', 2);
  const waiting: PromiseWithResolvers<void>[] = [];
  const gate: Gate = () => {
    const turn = Promise.withResolvers<void>();
    waiting.push(turn);
    return turn.promise;
  };
  const workers: Promise<boolean>[] = [];
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  for (let step = 0; step < 60; step++) {
    if (workers.length < 4 && random() < 0.15) workers.push(untilKilled(world.work(gate)));
    if (world.objects.length < 6 && random() < 0.06) world.add(random() < 0.5 ? 'a' : 'b', 1);
    await settle();
    const [turn] = waiting.splice(Math.floor(random() * waiting.length), 1);
    if (random() < 0.04) turn?.reject(new Killed());
    else turn?.resolve();
    await settle();
    const fault = world.fault(false);
    if (fault !== null) return fault;
  }
  // Zombies go on while one works to its end, and after it.
  const last = untilKilled(world.work(async () => {}));
  await last;
  while (waiting.length > 0) {
    waiting.splice(Math.floor(random() * waiting.length), 1)[0]!.resolve();
    await settle();
  }
  await Promise.all(workers);
  return world.fault(true);
}
