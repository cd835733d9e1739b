import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { PutRecordsResultEntry } from '@aws-sdk/client-kinesis';
import { readHeader } from '../../../../chunk/header.ts';
import { explain } from '../../../../producer/sender/failures.ts';
import { DEFAULT_LANE_LIMITS, Lanes } from '../../../../producer/sender/lanes.ts';
import { DEFAULT_SENDER_OPTIONS, Sender } from '../../../../producer/sender/sender.ts';
import type { EncodedChunk, SpooledChunk } from '../../../../producer/spool/spool.ts';
import { silent, startCore } from '../../../support/agent-core.ts';
import { chunkOf } from '../../../support/chunk-arbitraries.ts';

function encoded(sequence: number): EncodedChunk {
  const bytes = chunkOf(`{"n":${sequence}}\n`, { lane: '0a'.repeat(16), sequence, ordinal: sequence });
  return { header: readHeader(bytes), bytes };
}

test('chunks that come while an earlier answer is worked off stay with the sender', async () => {
  const { spool, counters } = await startCore();
  const answers: ((answer: PutRecordsResultEntry) => void)[] = [];
  const sender = new Sender(
    { ...DEFAULT_SENDER_OPTIONS, recordBytes: 1, requestRecords: 1 },
    {
      spool,
      counters,
      log: silent,
      explain: (error) => explain(error, { name: 'weblogs', region: 'us-east-1' }),
      lanes: new Lanes(DEFAULT_LANE_LIMITS, performance.now()),
      acknowledged: () => {},
      stream: {
        put: async () => [await new Promise<PutRecordsResultEntry>((resolve) => answers.push(resolve))],
        listShards: async () => [],
        close: () => {},
      },
    },
  );
  // The first chunk's segment takes its time to be removed.
  const removal = Promise.withResolvers<void>();
  const acknowledge = spool.acknowledge.bind(spool);
  spool.acknowledge = async (chunk: SpooledChunk) => {
    if (chunk.header.sequence === 1) await removal.promise;
    await acknowledge(chunk);
  };
  const requests = async (count: number): Promise<void> => {
    while (answers.length < count) await setImmediate();
  };

  sender.send(await spool.append([encoded(1), encoded(2)], {}));
  await requests(2);
  for (const answer of answers) answer({ SequenceNumber: '1', ShardId: 'shardId-0' });
  while (spool.pending > 1) await setImmediate();
  sender.send(await spool.append([encoded(3)], {}));
  await requests(3);
  removal.resolve();
  while (spool.pending > 1) await setImmediate();
  answers[2]!({ ErrorCode: 'InternalFailure' });
  while (sender.requests > 0) await setImmediate();
  assert.deepEqual(
    sender.unacknowledged().map(({ header }) => header.sequence),
    [3],
  );
  sender.stop();
});
