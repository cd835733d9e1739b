/** An archiver for the only shard of its stream, over a store, without KCL or Kinesis. */
import type { ArchiveStore } from '../../archive/store.ts';
import { ENCODER, ENCODERS } from '../../archive/writer/encoders.ts';
import { type ArchiverEvents, ShardArchiver } from '../../archive/writer/shard-archiver.ts';
import type { StreamView } from '../../archive/writer/start.ts';

export interface ArchiverOptions {
  /** The prefix of all keys; empty by default. */
  readonly prefix?: string;
  /** Bytes per batch; by default everything in one. */
  readonly maxBytes?: number;
  /** Milliseconds after which a batch is due; by default never. */
  readonly maxAge?: number;
  /** How objects are named; as by default unless specified. */
  readonly keyTemplate?: string;
  /** Which release writes it; this one unless specified. */
  readonly encoder?: number;
  /** Whether the stream still has a record of a range; by default it has nothing. */
  readonly holds?: StreamView['holds'];
  /** Where the lease begins; at the beginning of its shard unless specified. */
  readonly checkpoint?: string;
  readonly now?: () => number;
  readonly events?: Partial<ArchiverEvents>;
  readonly uptime?: () => number;
}

const NO_EVENTS: ArchiverEvents = {
  received() {},
  passedOver() {},
  committed() {},
  followed() {},
  completed() {},
  voided() {},
};

export async function openArchiver(
  store: ArchiveStore,
  {
    prefix = '',
    keyTemplate = 'logs/tag={tag}/dt={dt}/hour={hour}/{name}',
    encoder = ENCODER,
    maxBytes = 1e9,
    maxAge = 1e9,
    holds = async () => false,
    checkpoint,
    now = Date.now,
    uptime = now,
    events = {},
  }: ArchiverOptions = {},
): Promise<ShardArchiver> {
  const archiver = new ShardArchiver(
    {
      stream: 'weblogs',
      incarnation: '0'.repeat(18),
      shard: 'shardId-000000000000',
      range: ['0'.repeat(32), 'f'.repeat(32)],
      parents: [],
      prefix,
      keyTemplate,
      forget: { horizon: 1e12, grace: 1e12 },
      snapshotEvery: 64,
      encoder,
      encoders: ENCODERS,
    },
    store,
    { family: '0'.repeat(10), shards: async () => [], holds },
    {
      limits: { maxBytes, maxAge },
      now,
      uptime,
      wait: async () => {},
      events: { ...NO_EVENTS, ...events },
    },
  );
  await archiver.initialize(checkpoint ?? null);
  return archiver;
}
