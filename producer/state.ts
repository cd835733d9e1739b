/** The state of one component, kept in each cut: JSON values by key, of which a cut carries those that changed. */
import * as z from 'zod/mini';
import en from 'zod/v4/locales/en.js';
import { TailraceError } from '../base/errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Changed keys of a section; null means that the key was removed. */
export type Changes = Record<string, Json>;

/** Keyed JSON state that tracks what changed since the last cut. A value is never null: null means absence. */
export class StateMap {
  readonly #values: Map<string, Json>;
  readonly #changed = new Set<string>();

  constructor(values: Iterable<readonly [string, Json]> = []) {
    this.#values = new Map(values);
  }

  get(key: string): Json | undefined {
    return this.#values.get(key);
  }

  /**
   * The value of a key in the form that its component writes.
   *
   * @throws TailraceError STATE_INVALID for any other, as of another release or an edited file
   */
  read<T extends z.core.$ZodType>(key: string, schema: T): z.output<T> | undefined {
    const value = this.#values.get(key);
    return value === undefined ? undefined : checkState(key, value, schema);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  set(key: string, value: Exclude<Json, null>): void {
    this.#values.set(key, value);
    this.#changed.add(key);
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#changed.add(key);
  }

  get size(): number {
    return this.#values.size;
  }

  entries(): IterableIterator<[string, Json]> {
    return this.#values.entries();
  }

  get dirty(): boolean {
    return this.#changed.size > 0;
  }

  /** Returns what changed since the last call and resets it: the cut that takes it must become durable or be retried. */
  takeChanges(): Changes {
    const changes: Changes = {};
    for (const key of this.#changed) changes[key] = this.#values.get(key) ?? null;
    this.#changed.clear();
    return changes;
  }

  /** The complete state, as carried by the first cut of a segment. */
  all(): Changes {
    return Object.fromEntries(this.#values);
  }
}

/** @throws TailraceError STATE_INVALID naming the part that has another form */
export function checkState<T extends z.core.$ZodType>(name: string, value: unknown, schema: T): z.output<T> {
  const result = z.safeParse(schema, value, { error: en().localeError });
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new TailraceError(
    'STATE_INVALID',
    `the agent's state: ${[name, ...path].join('.')}: ${message}: run the release that wrote it`,
  );
}
