/** Puts records on the stream, slowly enough for live traffic, and resends those that were refused. */
import { type KinesisClient, PutRecordsCommand, type PutRecordsRequestEntry } from '@aws-sdk/client-kinesis';
import { Backoff, type BackoffLimits } from '../../base/backoff.ts';
import { TailraceError } from '../../base/errors.ts';
import { streamTarget } from '../../base/stream-target.ts';
import { nextRequest, sizeOf } from './records.ts';

const BACKOFF: BackoffLimits = { base: 250, cap: 8000, jitter: 'half' };

export interface Pace {
  readonly stream: string;
  readonly bytesPerSecond: number;
  /** Milliseconds since 1970 from which on no further request is begun. */
  readonly deadline: number;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly random: () => number;
}

/** @throws TailraceError READMIT_UNFINISHED at the deadline; what was put until then may be repeated */
export async function putAll(
  kinesis: Pick<KinesisClient, 'send'>,
  records: readonly PutRecordsRequestEntry[],
  pace: Pace,
): Promise<void> {
  let left = [...records];
  const backoff = new Backoff(BACKOFF, pace.random);
  while (left.length > 0) {
    if (pace.now() >= pace.deadline) {
      throw new TailraceError('READMIT_UNFINISHED', `${left.length} records were not put in time`, {
        retriable: true,
      });
    }
    const request = nextRequest(left);
    const started = pace.now();
    const { Records } = await kinesis.send(
      new PutRecordsCommand({ ...streamTarget(pace.stream), Records: request }),
    );
    // Answers go by their order alone. What is in doubt counts as refused: twice on the stream is archived once.
    const answers = Records?.length === request.length ? Records : [];
    const taken = (i: number): boolean => Boolean(answers[i]?.SequenceNumber) && !answers[i]?.ErrorCode;
    const refused = request.filter((_, i) => !taken(i));
    const bytes = request.reduce((sum, record, i) => sum + (taken(i) ? sizeOf(record) : 0), 0);
    left = [...refused, ...left.slice(request.length)];
    if (left.length === 0) return;
    const due = (bytes / pace.bytesPerSecond) * 1000 - (pace.now() - started);
    if (refused.length > 0) {
      await pace.sleep(Math.max(due, backoff.next()));
    } else {
      backoff.reset();
      if (due > 0) await pace.sleep(due);
    }
  }
}
