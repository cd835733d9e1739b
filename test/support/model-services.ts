/** What an archiver of the archive model has around it: its log's context, the stream, and a store that waits. */
import { compareSequence } from '../../archive/commit-keys.ts';
import type { ArchiveStore } from '../../archive/store.ts';
import type { LogContext } from '../../archive/writer/context.ts';
import type { ShardReader } from '../../archive/writer/delivered.ts';
import type { Encoder } from '../../archive/writer/encoders.ts';
import type { Position, StreamView } from '../../archive/writer/start.ts';
import type { MemoryArchive } from './memory-archive.ts';
import { FAMILY, type ModelShard, type ModelStream } from './model-stream.ts';
import type { Chance } from './random.ts';

/** The production code under test: of this tree, or of a copy with a fault in it. */
export interface Code {
  readonly ShardArchiver: typeof import('../../archive/writer/shard-archiver.ts').ShardArchiver;
  readonly DeliveredArchiver: typeof import('../../archive/writer/delivered.ts').DeliveredArchiver;
  readonly ENCODERS: typeof import('../../archive/writer/encoders.ts').ENCODERS;
}

export interface Worker {
  readonly application: number;
  readonly shard: ModelShard;
  readonly encoder: number;
  alive: boolean;
}

export interface ServicesOptions {
  readonly code: Code;
  readonly stream: ModelStream;
  readonly archive: MemoryArchive;
  readonly chance: Chance;
  /** Waits until the schedule lets this worker continue, forever when it is dead. */
  readonly gate: (worker: Worker) => Promise<void>;
  readonly count: (what: string) => void;
}

const HOUR_MS = 3_600_000;

export class ModelServices {
  readonly #options: ServicesOptions;

  constructor(options: ServicesOptions) {
    this.#options = options;
  }

  /** What a function reads a shard with. */
  reader(worker: Worker): ShardReader {
    return {
      open: (id, from) => {
        let cursor = from;
        return {
          next: async (limit = 1 + this.#options.chance.below(6)) => {
            await this.#options.gate(worker);
            if (worker.shard.deleted) throw dead();
            const shard = this.#listed(id);
            // Listed a moment ago, and gone since.
            if (!shard) throw dead();
            const left = shard.records
              .slice(shard.trimmed)
              .filter(({ record }) => isFrom(record.sequence, cursor));
            let count = Math.min(limit, left.length);
            while (count > 0 && left[count]?.record.sequence === left[count - 1]!.record.sequence) count += 1;
            const records = left.slice(0, count).map(({ record }) => record);
            if (records.length > 0) cursor = { after: records.at(-1)!.sequence };
            const atTip = count === left.length;
            return { records, atTip, ended: atTip && shard.closed };
          },
        };
      },
    };
  }

  /** A shard that the stream lists. */
  #listed(id: string): ModelShard | undefined {
    const { stream } = this.#options;
    return stream.shards.find((one) => one.id === id && !stream.isGone(one));
  }

  context(worker: Worker): LogContext {
    const { shard } = worker;
    const { ENCODERS } = this.#options.code;
    const v2 = ENCODERS.get(2)!;
    // The release after this one writes foreign records otherwise, and those before it do not know how.
    const v3: Encoder = {
      ...v2,
      assemble: (draft, source) => v2.assemble({ ...draft, records: draft.records.toReversed() }, source),
    };
    const all = new Map([...ENCODERS, [3, v3] as const]);
    const encoders = new Map([...all].filter(([version]) => version <= worker.encoder));
    return {
      stream: 'stream',
      incarnation: shard.incarnation,
      shard: shard.id,
      range: shard.info.range,
      parents: shard.info.parents,
      prefix: 'x/',
      keyTemplate: 'tag={tag}/{hour}/{name}',
      forget: { horizon: 90 * 24 * HOUR_MS, grace: 0 },
      snapshotEvery: 3,
      encoder: worker.encoder,
      encoders,
    };
  }

  view(worker: Worker): StreamView {
    return {
      family: FAMILY,
      shards: async () => {
        if (worker.shard.deleted) throw dead();
        return this.#options.stream.shards
          .filter((shard) => !this.#options.stream.isGone(shard))
          .map(({ info }) => info);
      },
      holds: async (id: string, from: Position, to: string) => {
        await this.#options.gate(worker);
        if (worker.shard.deleted) throw dead();
        const shard = this.#listed(id);
        const left = shard?.records.slice(shard.trimmed).find(({ record }) => isFrom(record.sequence, from));
        this.#options.count('looked at the stream');
        return left !== undefined && compareSequence(left.record.sequence, to) <= 0;
      },
    };
  }

  /** The archive; every call waits for the schedule, and a put may be attempted twice. */
  store(worker: Worker): ArchiveStore {
    const { archive } = this.#options;
    return {
      putIfAbsent: async (key, body) => {
        await this.#options.gate(worker);
        const first = await archive.putIfAbsent(key, body);
        return this.#options.chance.below(8) === 0 ? archive.putIfAbsent(key, body) : first;
      },
      get: async (key) => {
        await this.#options.gate(worker);
        return archive.get(key);
      },
      head: async (key) => {
        await this.#options.gate(worker);
        return archive.head(key);
      },
      first: async (prefix) => {
        await this.#options.gate(worker);
        return archive.first(prefix);
      },
      folders: async (prefix) => {
        await this.#options.gate(worker);
        return archive.folders(prefix);
      },
    };
  }
}

export function isAfter(sequence: string, cursor: string | null): boolean {
  return cursor === null || BigInt(sequence) > BigInt(cursor);
}

function isFrom(sequence: string, position: Position): boolean {
  if (position === null) return true;
  if ('at' in position) return BigInt(sequence) >= BigInt(position.at);
  return BigInt(sequence) > BigInt(position.after);
}

export function dead(): Error {
  return Object.assign(new Error('the stream is gone'), { code: 'DEAD' });
}
