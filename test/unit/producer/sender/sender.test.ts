import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PutRecordsRequestEntry, PutRecordsResultEntry } from '@aws-sdk/client-kinesis';
import fc from 'fast-check';
import { Backoff } from '../../../../base/backoff.ts';
import { explicitHashKey, readHeader } from '../../../../chunk/header.ts';
import { readChunks } from '../../../../chunk/reader.ts';
import { explain } from '../../../../producer/sender/failures.ts';
import { LaneQueue, MAX_LANE_IN_FLIGHT } from '../../../../producer/sender/lane-queue.ts';
import { DEFAULT_LANE_LIMITS, Lanes } from '../../../../producer/sender/lanes.ts';
import { DEFAULT_SENDER_OPTIONS, Sender, type SenderOptions } from '../../../../producer/sender/sender.ts';
import type { EncodedChunk, SpooledChunk } from '../../../../producer/spool/spool.ts';
import { silent, startCore } from '../../../support/agent-core.ts';
import { chunkOf } from '../../../support/chunk-arbitraries.ts';
import { chance } from '../../../support/random.ts';

const LANES = ['0a', '4b', '8c', 'cd'].map((byte) => byte.repeat(16));

function encoded(lane: string, sequence: number, padding = 0): EncodedChunk {
  const bytes = chunkOf(`{"n":${sequence},"padding":"${'x'.repeat(padding)}"}\n`, {
    lane,
    sequence,
    ordinal: sequence,
  });
  return { header: readHeader(bytes), bytes };
}

type Put = (records: PutRecordsRequestEntry[]) => Promise<PutRecordsResultEntry[]>;

/** A sender on a spool in memory, and a stream that answers as the test says and keeps what it took. */
async function startSender(put: Put, options: Partial<SenderOptions> = {}) {
  const { spool, counters } = await startCore();
  const taken: PutRecordsRequestEntry[] = [];
  let wake = (): void => {};
  const sender = new Sender(
    { ...DEFAULT_SENDER_OPTIONS, ...options },
    {
      spool,
      counters,
      log: silent,
      explain: (error) => explain(error, { name: 'weblogs', region: 'us-east-1' }),
      lanes: new Lanes(DEFAULT_LANE_LIMITS, performance.now()),
      acknowledged: () => wake(),
      stream: {
        put: async (records) => {
          const answers = await put(records);
          answers.forEach((answer, i) => {
            if (answer.SequenceNumber !== undefined) taken.push(records[i]!);
          });
          return answers;
        },
        listShards: async () => [],
        close: () => {},
      },
    },
  );
  const send = async (chunks: EncodedChunk[]): Promise<void> => sender.send(await spool.append(chunks, {}));
  const emptied = async (): Promise<void> => {
    while (spool.pending > 0)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  return { sender, spool, counters, taken, send, emptied };
}

const ok = (shard = 'shardId-0'): PutRecordsResultEntry => ({ SequenceNumber: '1', ShardId: shard });
const throttled = (): PutRecordsResultEntry => ({ ErrorCode: 'ProvisionedThroughputExceededException' });

function sequencesOf(records: readonly PutRecordsRequestEntry[]): string[] {
  return records.flatMap(({ Data }) =>
    [...readChunks(Buffer.from(Data!))].map(({ header }) => `${header.lane.slice(0, 2)}:${header.sequence}`),
  );
}

test('every chunk is taken once although records fail at random, and only failed ones are resent', {
  timeout: 20_000,
}, async (context) => {
  const random = chance(context);
  let failures = 0;
  const { send, emptied, taken, counters, sender } = await startSender(async (records) =>
    records.map(() => {
      if (random() < 0.7) return ok();
      failures++;
      return throttled();
    }),
  );
  const chunks = LANES.flatMap((lane) => Array.from({ length: 20 }, (_, i) => encoded(lane, i + 1)));
  await send(chunks);
  await emptied();
  const expected = chunks.map(({ header }) => `${header.lane.slice(0, 2)}:${header.sequence}`);
  assert.deepEqual(sequencesOf(taken).toSorted(), expected.toSorted());
  assert.equal(counters.total('tailrace_agent_retried_records_total'), failures);
  assert.equal(counters.total('tailrace_agent_acknowledged_chunks_total'), chunks.length);
  sender.stop();
});

test('chunks of acks gather for one request of a few records, until there is enough or nobody asks them to wait', async () => {
  const requests: number[] = [];
  const put = async (records: PutRecordsRequestEntry[]): Promise<PutRecordsResultEntry[]> => {
    requests.push(records.length);
    return records.map(() => ok());
  };
  const { sender, spool, taken, emptied } = await startSender(put, {
    gather: 3_600_000,
    recordBytes: 4000,
  });
  const [a, b] = ['a'.repeat(32), 'b'.repeat(32)];
  const gather = async (chunks: EncodedChunk[]): Promise<void> =>
    sender.send(await spool.append(chunks, {}), chunks, true);
  for (let n = 1; n <= 3; n++) await gather([encoded(a, n), encoded(b, n)]);
  assert.equal(taken.length, 0);
  // One lane has enough for a request: its full records go, and what is left of it waits on.
  for (let n = 4; taken.length === 0 && n < 1000; n++) {
    await gather([encoded(a, n)]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual([...new Set(sequencesOf(taken).map((name) => name.slice(0, 2)))], ['aa']);
  assert.equal(requests.length, 1);
  assert.ok(requests[0]! >= 7 && requests[0]! <= 9, `${requests[0]} records`);
  assert.ok(taken.every(({ Data }) => Data!.length <= 4000));
  // A regular cut, or a flush, even one without chunks of its own, lets everything go.
  sender.send([]);
  await emptied();
  assert.equal(
    taken.filter(({ ExplicitHashKey }) => ExplicitHashKey === BigInt(`0x${b}`).toString()).length,
    1,
  );
});

test('each chunk gathers for its own time, whatever went before it, and what is put back goes at once', () => {
  const queue = new LaneQueue('0a', { base: 1, cap: 1 });
  const chunk = (bytes: number): SpooledChunk => ({ header: { bytes } }) as SpooledChunk;
  queue.push(chunk(100), 50);
  queue.push(chunk(100), 60);
  queue.push(chunk(100), 70);
  assert.equal(queue.readyAt(1000), 50);
  assert.equal(queue.readyAt(300), 0, 'there is enough');
  const record = queue.takeRecord(200);
  assert.equal(record.length, 2);
  assert.equal(queue.readyAt(1000), 70, 'the third one has its own time');
  queue.putBack(record);
  assert.equal(queue.readyAt(1000), 0);
  assert.equal(queue.takeRecord(200).length, 2);
  assert.equal(queue.readyAt(1000), 70);
  queue.hurry();
  assert.equal(queue.readyAt(1000), 0);
});

test('a record carries its lane as explicit hash key and its first chunk in the partition key', async () => {
  const { send, emptied, taken } = await startSender(async (records) => records.map(() => ok()));
  const [lane] = LANES as [string];
  await send([encoded(lane, 7), encoded(lane, 8)]);
  await emptied();
  assert.equal(taken.length, 1, 'small chunks of a lane travel together');
  assert.equal(taken[0]!.ExplicitHashKey, explicitHashKey(lane));
  assert.match(taken[0]!.PartitionKey!, new RegExp(`^[0-9a-f]{32}/[0-9a-f]{16}/${lane}/7$`));
});

test('a request stays inside its limits, partition keys counted', async () => {
  const sizes: { records: number; bytes: number }[] = [];
  const { send, emptied } = await startSender(
    async (records) => {
      const bytes = records.reduce(
        (sum, { Data, PartitionKey }) => sum + Data!.length + PartitionKey!.length,
        0,
      );
      sizes.push({ records: records.length, bytes });
      return records.map(() => ok());
    },
    { requestRecords: 7, requestBytes: 5000, recordBytes: 600 },
  );
  await send(LANES.flatMap((lane) => Array.from({ length: 30 }, (_, i) => encoded(lane, i + 1, 100))));
  await emptied();
  assert.ok(sizes.length > 5);
  for (const { records, bytes } of sizes)
    assert.ok(records <= 7 && bytes <= 5000, `${records} records, ${bytes} bytes`);
});

test('a shard that throttles does not hold up the others', async () => {
  const [hot] = LANES as [string];
  let blocked = true;
  const { send, emptied, taken, spool } = await startSender(async (records) =>
    records.map(({ ExplicitHashKey }) =>
      blocked && ExplicitHashKey === explicitHashKey(hot) ? throttled() : ok(),
    ),
  );
  await send(LANES.flatMap((lane) => Array.from({ length: 10 }, (_, i) => encoded(lane, i + 1))));
  while (spool.pending > 10) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(sequencesOf(taken).every((name) => !name.startsWith('0a')));
  blocked = false;
  await emptied();
  assert.equal(sequencesOf(taken).length, 40);
});

test('a request that fails as a whole is reported, retried, and loses nothing', {
  timeout: 20_000,
}, async () => {
  let tries = 0;
  const { send, emptied, taken, sender } = await startSender(async (records) => {
    if (tries++ < 3) throw Object.assign(new Error('no route'), { name: 'TimeoutError' });
    assert.equal(sender.trouble?.condition, 'timeout');
    return records.map(() => ok());
  });
  await send([encoded(LANES[0]!, 1), encoded(LANES[1]!, 1)]);
  await emptied();
  assert.equal(sender.trouble, null);
  assert.deepEqual(sequencesOf(taken).toSorted(), ['0a:1', '4b:1']);
});

test('an answer that lacks records, or names an error with a number, acknowledges nothing of them', async () => {
  const really: string[] = [];
  let tries = 0;
  const { send, emptied } = await startSender(async (records) => {
    tries += 1;
    const takes = (i: number): boolean => tries > 2 || i > 0;
    really.push(...sequencesOf(records.filter((_, i) => takes(i))));
    // Of a service that leaves out what it refused, and of one that fills in every member.
    const answers = records.map((_, i) => (takes(i) ? ok() : { ...throttled(), SequenceNumber: '2' }));
    return tries === 1 ? answers.slice(1) : answers;
  });
  await send(LANES.map((lane) => encoded(lane, 1)));
  await emptied();
  assert.deepEqual([...new Set(really)].toSorted(), ['0a:1', '4b:1', '8c:1', 'cd:1']);
});

test('a chunk that is damaged in the spool does not keep its neighbours back', async () => {
  const { spool, taken, sender, emptied } = await startSender(async (records) => records.map(() => ok()));
  const spooled = await spool.append(
    [1, 2, 3].map((n) => encoded(LANES[0]!, n)),
    {},
  );
  const read = spool.read.bind(spool);
  spool.read = async (chunk: SpooledChunk) => {
    if (chunk.header.sequence !== 2) return read(chunk);
    await spool.acknowledge(chunk);
    return null;
  };
  sender.send(spooled);
  await emptied();
  assert.deepEqual(sequencesOf(taken), ['0a:1', '0a:3']);
});

test('a lane gives records of whole chunks in order, and never more in flight than allowed', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(900), { maxLength: 600 }),
      fc.integer({ min: 200, max: 3000 }),
      (paddings, target) => {
        const queue = new LaneQueue('0a', { base: 1, cap: 1 });
        const chunks = paddings.map(
          (bytes, i): SpooledChunk => ({
            header: { sequence: i + 1, bytes: 100 + bytes } as SpooledChunk['header'],
            segment: 1,
            offset: 0,
            since: 0,
          }),
        );
        for (const chunk of chunks) queue.push(chunk, 0);
        const seen: number[] = [];
        const flying: SpooledChunk[][] = [];
        let putBacks = 0;
        while (seen.length < chunks.length || flying.length > 0) {
          const record = queue.takeRecord(target);
          if (record.length > 0) flying.push(record);
          assert.ok(queue.inFlight <= MAX_LANE_IN_FLIGHT);
          if (record.length > 1)
            assert.ok(record.reduce((sum, { header }) => sum + header.bytes, 0) <= target);
          if (record.length === 0 || flying.length > 5) {
            const done = flying.shift()!;
            if (flying.length % 3 === 0 && putBacks++ < 20) {
              queue.putBack(done);
              continue;
            }
            queue.settle(done);
            seen.push(...done.map(({ header }) => header.sequence));
          }
        }
        assert.deepEqual(
          seen.toSorted((a, b) => a - b),
          chunks.map(({ header }) => header.sequence),
        );
      },
    ),
  );
});

test('backoff grows to its cap with full jitter and is reset by a success', () => {
  const backoff = new Backoff({ base: 100, cap: 1000 }, () => 0.999);
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map(() => Math.ceil(backoff.next())),
    [100, 200, 400, 800, 999, 999],
  );
  backoff.reset();
  assert.equal(Math.ceil(backoff.next()), 100);
  assert.equal(new Backoff({ base: 100, cap: 1000 }, () => 0).next(), 0);
});
