/** What a shard without commits starts from: the runs of its parents, or of the stream's earlier incarnations. */
import type { Commit } from '../commit.ts';
import { incarnationsOf, type LogName, loadState, newestCommit, putCommit, shardsOf } from '../commit-log.ts';
import { type HashRange, ShardState } from '../state.ts';
import type { ArchiveStore } from '../store.ts';
import { fenceMissing, standing } from '../voiding.ts';
import type { LogContext } from './context.ts';
import { planCommit } from './plan.ts';

export interface ShardInfo {
  readonly id: string;
  readonly parents: readonly string[];
  readonly range: HashRange;
}

/** What the stream says of itself now. */
export interface StreamView {
  /** Common to all incarnations of the stream. */
  readonly family: string;
  /** The shards in the stream, closed ones included while their records are retained. */
  shards(): Promise<readonly ShardInfo[]>;
  /** Whether a shard has a record from this place on, up to and including the one with sequence number `to`. */
  holds(shard: string, from: Position, to: string): Promise<boolean>;
}

/** A place in a shard: at a record, behind one, or (null) at the oldest that the stream still has. */
export type Position = { readonly at: string } | { readonly after: string } | null;

export interface StartOptions {
  readonly now: () => number;
  /** Waits before the next look at a parent that is still being archived. */
  readonly wait: (parent: string) => Promise<void>;
}

export const WHOLE_RANGE: HashRange = ['0'.repeat(32), 'f'.repeat(32)];

/** The state of the shard of `context` before its first commit. */
export async function startState(
  context: LogContext,
  store: ArchiveStore,
  stream: StreamView,
  options: StartOptions,
): Promise<ShardState> {
  const state = new ShardState();
  const start = new Start(context, store, options);
  if (context.parents.length === 0) {
    // rule: a first shard starts from the stream's earlier incarnations
    await start.absorbEarlier(state, context.range);
    return state;
  }
  // rule: a child starts from all of its parents
  for (const parent of context.parents) {
    const parentState = await start.parentState(parent, stream);
    // rule: a child starts from its parents' runs
    state.absorb(parentState.snapshot(), context.range);
  }
  return state;
}

/**
 * Closes the log of a shard that is gone from the stream, as a child of it would: whoever has its lease may do so.
 * Nothing is done when it has no log.
 */
export async function closeGoneShard(
  context: LogContext,
  store: ArchiveStore,
  options: StartOptions,
): Promise<void> {
  if ((await newestCommit(store, context)) !== null) await new Start(context, store, options).close(context);
}

class Start {
  readonly #context: LogContext;
  readonly #store: ArchiveStore;
  readonly #options: StartOptions;

  constructor(context: LogContext, store: ArchiveStore, options: StartOptions) {
    this.#context = context;
    this.#store = store;
    this.#options = options;
  }

  /** Takes over what all logs of the stream's earlier incarnations say, made final first. */
  async absorbEarlier(state: ShardState, range: HashRange): Promise<void> {
    const { prefix, incarnation } = this.#context;
    // An incarnation is its family and eight digits of time.
    const family = incarnation.slice(0, -8);
    for (const earlier of await incarnationsOf(this.#store, prefix, family)) {
      if (earlier >= incarnation) continue;
      for (const shard of await shardsOf(this.#store, prefix, earlier)) {
        const log = await this.#finalState(
          { prefix, incarnation: earlier, shard },
          async () => new ShardState(),
        );
        state.absorb(log.snapshot(), range);
      }
    }
  }

  /** The final state of a parent: waits for it while it is in the stream, makes it final when it is not. */
  async parentState(parent: string, stream: StreamView): Promise<ShardState> {
    const { prefix, incarnation } = this.#context;
    const log = { prefix, incarnation, shard: parent };
    for (;;) {
      const present = (await stream.shards()).map((shard) => shard.id);
      if (!present.includes(parent))
        return this.#finalState(log, () => this.#unknownAncestry(parent, present));
      const newest = await newestCommit(this.#store, log);
      if (newest?.close && (await this.#isWhole(newest))) return loadState(this.#store, log, newest);
      await this.#options.wait(parent);
    }
  }

  /** Makes the log of a shard that is gone final. */
  async close(log: LogName): Promise<void> {
    await this.#finalState(log, async () => new ShardState());
  }

  async #isWhole(commit: Commit): Promise<boolean> {
    const all = await Promise.all(commit.objects.map((object) => standing(this.#store, object)));
    return all.every((one) => one === 'data');
  }

  /**
   * Nobody can tell any more which shards were the parents of a trimmed shard without commits: what all trimmed shards before
   * it have archived is a safe answer, because to be archived is to be archived, by whatever shard.
   */
  async #unknownAncestry(shard: string, present: readonly string[]): Promise<ShardState> {
    const { prefix, incarnation } = this.#context;
    const state = new ShardState();
    for (const other of await shardsOf(this.#store, prefix, incarnation)) {
      if (other >= shard || present.includes(other)) continue;
      const log = await this.#finalState({ prefix, incarnation, shard: other }, async () => new ShardState());
      state.absorb(log.snapshot(), null);
    }
    await this.absorbEarlier(state, WHOLE_RANGE);
    return state;
  }

  /** Makes the log of a shard that is gone final: closed, with every object either whole or void. */
  async #finalState(log: LogName, beginning: () => Promise<ShardState>): Promise<ShardState> {
    for (;;) {
      const newest = await newestCommit(this.#store, log);
      const state = newest ? await loadState(this.#store, log, newest) : await beginning();
      if (newest) {
        // What has been complete for that long may have been expired by the bucket's own rules.
        const old = this.#options.now() - newest.written > this.#context.forget.horizon;
        const lost = old ? [] : await fenceMissing(this.#store, newest);
        // rule: the log of a parent that is gone is made final
        if (newest.close && lost.length === 0) return state;
        if (lost.length > 0) state.redo(newest, lost);
      }
      const context: LogContext = {
        ...this.#context,
        ...log,
        range: newest?.range ?? WHOLE_RANGE,
        parents: newest?.parents ?? [],
      };
      await putCommit(
        this.#store,
        log.prefix,
        planCommit(context, { state, items: [], close: true, now: this.#options.now() }).commit,
      );
      // Whoever won, the next round reads what stands there.
    }
  }
}
