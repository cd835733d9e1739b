/** The record processor: KCL's calls on one side, a shard's archiver on the other. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamRecord } from '../../archive/writer/record.ts';
import type { ShardArchiver } from '../../archive/writer/shard-archiver.ts';
import { Backoff, type BackoffLimits } from '../../base/backoff.ts';
import { TailraceError } from '../../base/errors.ts';

interface Checkpointer {
  checkpoint(sequenceNumber: string | null, done: (error: string | null | undefined) => void): void;
}

interface KclRecord {
  readonly data: string;
  readonly sequenceNumber: string;
  readonly approximateArrivalTimestamp: number;
}

type Done = () => void;

/** The calls of aws-kcl, version 2 of its interface. */
export interface KclProcessor {
  initialize(input: { shardId: string; sequenceNumber?: string }, done: Done): void;
  processRecords(
    input: { records: KclRecord[]; millisBehindLatest?: number; checkpointer: Checkpointer },
    done: Done,
  ): void;
  leaseLost(input: unknown, done: Done): void;
  shardEnded(input: { checkpointer: Checkpointer }, done: Done): void;
  shutdownRequested(input: { checkpointer: Checkpointer }, done: Done): void;
}

/** What takes a shard's records in. */
export type ShardWork = Pick<ShardArchiver, 'initialize' | 'take' | 'flush' | 'end' | 'safe'>;

/** What the processor tells the process around it. */
export interface ProcessorHooks {
  open(shard: string): Promise<ShardWork>;
  /** What stands as `data` in a record of a call. */
  dataOf(text: string): Buffer;
  /** A call of KCL's begins or ends. */
  busy(call: string | null): void;
  behind(millis: number): void;
  /** What the archive is complete up to is about to be checkpointed. */
  checkpointing(): void;
  checkpointed(sequence: string | null): void;
  ended(): void;
  /** KCL gives the lease up, and everything that was read is archived. */
  flushed(): void;
  /** The lease is gone; `asked` when this worker is stopping and gave it up. */
  leaseLost(asked: boolean): void;
  /** A checkpoint did not succeed; the next one repeats it. */
  checkpointFailed(error: string): void;
  /** Nothing can be done with this shard until somebody acts; the call is never answered. */
  stopped(error: TailraceError): void;
  /** The daemon must be restarted. */
  failed(error: unknown): void;
}

const CHECKPOINT_TRIES = 5;
const CHECKPOINT_BACKOFF: BackoffLimits = { base: 200, cap: 2000, jitter: 'none' };
/** A shard's end has to be checkpointed, or KCL takes the processor for broken. */
const END_TRIES = 50;

export function kclProcessor(hooks: ProcessorHooks): KclProcessor {
  let archiver: ShardWork | null = null;
  let checkpointed: string | null = null;
  let asked = false;

  /** Runs one call; answers it only when all of it is done. */
  function answer(call: string, done: Done, work: () => Promise<void>): void {
    hooks.busy(call);
    work().then(
      () => {
        hooks.busy(null);
        done();
      },
      (error: unknown) => {
        // A process that ends takes the daemon and all other shards with it: only worth it when a restart helps.
        if (error instanceof TailraceError && !error.retriable) hooks.stopped(error);
        else hooks.failed(error);
      },
    );
  }

  async function checkpoint(
    checkpointer: Checkpointer,
    sequence: string | null,
    tries: number,
  ): Promise<boolean> {
    let error: string | null | undefined;
    hooks.checkpointing();
    const backoff = new Backoff(CHECKPOINT_BACKOFF);
    for (let attempt = 1; attempt <= tries; attempt++) {
      error = await new Promise((resolve) => checkpointer.checkpoint(sequence, resolve));
      if (!error) {
        hooks.checkpointed(sequence);
        return true;
      }
      // The lease is somebody else's: a retry cannot help, and nothing is lost.
      if (error === 'ShutdownException') break;
      await sleep(backoff.next());
    }
    hooks.checkpointFailed(String(error));
    return false;
  }

  async function checkpointSafe(checkpointer: Checkpointer): Promise<void> {
    const { safe } = archiver!;
    if (safe === null || safe === checkpointed) return;
    if (await checkpoint(checkpointer, safe, CHECKPOINT_TRIES)) checkpointed = safe;
  }

  return {
    initialize({ shardId, sequenceNumber }, done) {
      answer('initialize', done, async () => {
        archiver = await hooks.open(shardId);
        await archiver.initialize(startOf(sequenceNumber));
      });
    },

    processRecords({ records, millisBehindLatest, checkpointer }, done) {
      answer('processRecords', done, async () => {
        if (millisBehindLatest !== undefined) hooks.behind(millisBehindLatest);
        const taken: StreamRecord[] = records.map((record) => ({
          sequence: record.sequenceNumber,
          arrival: record.approximateArrivalTimestamp,
          data: hooks.dataOf(record.data),
        }));
        await archiver!.take(taken, records.length === 0 && millisBehindLatest === 0);
        await checkpointSafe(checkpointer);
      });
    },

    leaseLost(_input, done) {
      answer('leaseLost', done, async () => hooks.leaseLost(asked));
    },

    shardEnded({ checkpointer }, done) {
      answer('shardEnded', done, async () => {
        await archiver!.end();
        await checkpoint(checkpointer, null, END_TRIES);
        hooks.ended();
      });
    },

    shutdownRequested({ checkpointer }, done) {
      answer('shutdownRequested', done, async () => {
        asked = true;
        await archiver!.flush();
        await checkpointSafe(checkpointer);
        hooks.flushed();
      });
    },
  };
}

/** The sequence number after which records will come; null from the stream's beginning. */
function startOf(sequenceNumber: string | undefined): string | null {
  if (sequenceNumber === undefined || sequenceNumber === 'TRIM_HORIZON') return null;
  if (/^\d+$/.test(sequenceNumber)) return sequenceNumber;
  throw new TailraceError(
    'BAD_CHECKPOINT',
    `the lease starts at ${sequenceNumber}, which would leave records out: set its checkpoint to TRIM_HORIZON`,
  );
}
