/** Trouble that lasts, comes and goes, or hits one shard alone: what the sender does, and what its log says. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { PutRecordsRequestEntry, PutRecordsResultEntry } from '@aws-sdk/client-kinesis';
import { type Logger, pino } from 'pino';
import { evenRanges } from '../../../../bench/lanes-simulation.ts';
import { explicitHashKey, readHeader } from '../../../../chunk/header.ts';
import { explain } from '../../../../producer/sender/failures.ts';
import { DEFAULT_LANE_LIMITS, type LaneLimits, Lanes } from '../../../../producer/sender/lanes.ts';
import { News } from '../../../../producer/sender/news.ts';
import { DEFAULT_SENDER_OPTIONS, Sender, type SenderOptions } from '../../../../producer/sender/sender.ts';
import type { EncodedChunk } from '../../../../producer/spool/spool.ts';
import { silent, startCore } from '../../../support/agent-core.ts';
import { chunkOf } from '../../../support/chunk-arbitraries.ts';
import { generator, noise } from '../../../support/random.ts';

const random = generator(1);

const SHARDS = evenRanges(4);
const HOUR = 3_600_000;

type Put = (records: PutRecordsRequestEntry[]) => Promise<PutRecordsResultEntry[]>;

interface Options {
  readonly sender?: Partial<SenderOptions>;
  readonly lanes?: Partial<LaneLimits>;
  readonly log?: Logger;
}

async function startSender(put: Put, options: Options = {}) {
  const { spool, counters } = await startCore();
  let lists = 0;
  const listShards = async () => {
    lists++;
    return SHARDS;
  };
  const lanes = new Lanes({ ...DEFAULT_LANE_LIMITS, ...options.lanes }, performance.now());
  const sender = new Sender(
    { ...DEFAULT_SENDER_OPTIONS, ...options.sender },
    {
      spool,
      counters,
      lanes,
      log: options.log ?? silent,
      explain: (error) => explain(error, { name: 'weblogs', region: 'us-east-1' }),
      acknowledged: () => {},
      stream: { put, listShards, close: () => {} },
    },
  );
  let sequence = 0;
  /** Seals one chunk for the lane that the sender gives it. */
  const seal = async (text = '{"n":1}\n'): Promise<string> => {
    const lane = sender.nextLane();
    sequence++;
    const bytes = chunkOf(text, { lane, sequence, ordinal: sequence });
    const chunk: EncodedChunk = { header: readHeader(bytes), bytes };
    sender.send(await spool.append([chunk], {}));
    return lane;
  };
  return { sender, spool, counters, lanes, seal, listed: () => lists };
}

function shardOf(hashKey: string): string {
  return SHARDS.find(({ last }) => BigInt(hashKey) <= last)!.id;
}

/** A logger that keeps what is said at `info` and above. */
function keeping(): { log: Logger; lines: { level: number; msg: string }[] } {
  const lines: { level: number; msg: string }[] = [];
  const log = pino({ level: 'info' }, { write: (text) => void lines.push(JSON.parse(text)) });
  return { log, lines };
}

test('news of trouble that lasts for a day, or comes and goes every second, are few', () => {
  const lasting = new News<string>();
  let lines = 0;
  for (let now = 0; now < 24 * HOUR; now += 10_000) {
    for (const kind of ['dns', 'timeout', 'connection']) if (lasting.worthTelling(kind, now)) lines++;
  }
  assert.equal(lines, 3 * 24, 'one at the beginning, then one an hour');
  assert.deepEqual(lasting.over(), ['dns', 'timeout', 'connection']);
  assert.deepEqual(lasting.over(), []);

  const flapping = new News<string>();
  lines = 0;
  for (let now = 0; now < 24 * HOUR; now += 1000) {
    if (flapping.worthTelling('throttled', now)) lines++;
    lines += flapping.over().length;
  }
  assert.equal(lines, 2 * 12 * 24, 'a beginning and an end every five minutes');
});

test('an outage is one line of the log, whatever address each try meets, and its end another', {
  timeout: 30_000,
}, async () => {
  const { log, lines } = keeping();
  let tries = 0;
  const { seal, spool, counters } = await startSender(
    async (records) => {
      if (++tries <= 4) {
        const message = `connect ECONNREFUSED 10.0.0.${tries}:443`;
        throw Object.assign(new Error(message), { code: 'ECONNREFUSED' });
      }
      return records.map(() => ({ SequenceNumber: '1', ShardId: 'shardId-0' }));
    },
    { log },
  );
  await seal();
  while (spool.pending > 0) await setImmediate();
  assert.equal(counters.total('tailrace_agent_failed_requests_total'), 4);
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['the stream accepts nothing; the spool keeps everything', 'the stream accepts records'],
  );
});

test('a network too slow for a full request in time gets smaller ones', { timeout: 60_000 }, async () => {
  const sizes: number[] = [];
  const sealed = Promise.withResolvers<void>();
  const { seal, spool, sender } = await startSender(
    async (records) => {
      await sealed.promise;
      const bytes = records.reduce((sum, { Data }) => sum + Data!.length, 0);
      sizes.push(bytes);
      if (bytes > 40_000) throw Object.assign(new Error('late'), { name: 'TimeoutError' });
      return records.map(() => ({ SequenceNumber: '1', ShardId: 'shardId-0' }));
    },
    { sender: { recordBytes: 10_000, requestBytes: 320_000, requestsInFlight: 1 }, lanes: { initial: 4 } },
  );
  for (let n = 0; n < 60; n++) await seal(`{"noise":"${noise(random, 4000).toString('hex')}"}\n`);
  sealed.resolve();
  while (spool.pending > 0) await setImmediate();
  assert.ok(Math.max(...sizes) > 40_000, 'it was tried in full first');
  assert.equal(sender.trouble, null);
});

test('records that fail for different reasons are resent, each counted by its own', {
  timeout: 30_000,
}, async () => {
  const codes = ['ProvisionedThroughputExceededException', 'InternalFailure', 'KMSThrottlingException'];
  const refused = new Map<string, number>();
  let n = 0;
  const { seal, spool, counters } = await startSender(
    async (records) =>
      records.map(() => {
        const code = codes[n++ % 4];
        if (code === undefined || n > 40) return { SequenceNumber: '1', ShardId: 'shardId-0' };
        refused.set(code, (refused.get(code) ?? 0) + 1);
        return { ErrorCode: code, ErrorMessage: 'no' };
      }),
    { lanes: { initial: 4 }, sender: { recordBytes: 1 } },
  );
  for (let i = 0; i < 30; i++) await seal();
  while (spool.pending > 0) await setImmediate();
  assert.equal(refused.size, 3);
  for (const [reason, times] of refused) {
    assert.equal(counters.counter('tailrace_agent_retried_records_total', { reason }).value, times);
  }
  const total = (name: string): number => counters.total(`tailrace_agent_${name}_total`);
  assert.equal(total('acknowledged_chunks'), 30);
  assert.equal(total('sent_records'), total('acknowledged_records') + total('retried_records'));
  assert.ok(total('sent_bytes') > total('acknowledged_bytes'));
});

test('a reshard is noticed from an answer: the shards are relisted, and the lane is reported on its child', async () => {
  const { sender, seal, spool, lanes, listed } = await startSender(async (records) =>
    records.map(() => ({ SequenceNumber: '1', ShardId: 'shardId-child' })),
  );
  lanes.setShards([{ id: 'shardId-parent', first: 0n, last: 2n ** 128n - 1n }]);
  await seal();
  while (spool.pending > 0 || lanes.wantsShards) await setImmediate();
  assert.equal(listed(), 1);
  const [lane] = sender.lanes();
  assert.equal(lane!.shard, shardOf(explicitHashKey(lane!.lane)));
});

test('a shard that fails without throttling is left by new chunks too', { timeout: 30_000 }, async () => {
  let broken = '';
  const { seal, lanes, spool } = await startSender(
    async (records) =>
      records.map(({ ExplicitHashKey }) => {
        const shard = shardOf(ExplicitHashKey!);
        if (broken === '') broken = shard;
        return shard === broken ? { ErrorCode: 'InternalFailure' } : { SequenceNumber: '1', ShardId: shard };
      }),
    { lanes: { joinAfter: 20 } },
  );
  let sealed = 0;
  for (let lane = ''; lane === '' || shardOf(explicitHashKey(lane)) === broken; sealed++) {
    lane = await seal();
    await setImmediate();
  }
  assert.ok(lanes.active.length > 1);
  const held = sealed - 1;
  for (let i = 0; i < 20; i++) await seal();
  while (spool.pending > held) await setImmediate();
  broken = 'none';
  while (spool.pending > 0) await setImmediate();
});
