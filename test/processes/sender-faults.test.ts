/** A stream that throttles, fails, resets, hangs and loses answers: nothing is lost, nothing repeated. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addLine } from '../support/agent-core.ts';
import { AWS_ENV } from '../support/agent-process.ts';
import { KinesisDouble } from '../support/kinesis-double.ts';
import { chance } from '../support/random.ts';
import { startSenderCore } from '../support/sender-core.ts';

Object.assign(process.env, AWS_ENV);

/** EVENTS=1000000 for the long run. */
const EVENTS = Number(process.env['EVENTS'] ?? 200_000);
const EVENTS_PER_CUT = 250;

test(`${EVENTS} events, 30 % of records throttled, 5 % of answers lost: each is on the stream once`, {
  timeout: 600_000,
}, async (context) => {
  const random = chance(context);
  const double = await KinesisDouble.start(4);
  const core = await startSenderCore(double, {
    lanes: 4,
    requestTimeout: 1000,
    // Small requests, so that there are many to lose.
    sender: { recordBytes: 8 * 1024, requestBytes: 16 * 1024 },
  });
  context.after(async () => {
    await core.stop();
    await double.stop();
  });
  let requests = 0;
  double.onRecord = () =>
    random() < 0.3
      ? { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'Rate exceeded' }
      : null;
  double.onRequest = (operation) => {
    if (operation !== 'PutRecords') return null;
    requests++;
    if (requests % 101 === 0) return 'hang';
    if (random() < 0.02) return 'reset';
    if (random() < 0.02) return { status: 500, body: { __type: 'InternalFailure', message: 'internal' } };
    return null;
  };
  let answers = 0;
  double.onAnswer = (operation) => {
    if (operation === 'PutRecords' && ++answers % 20 === 0) return 'lose';
    return random() < 0.1 ? 20 : 0;
  };

  const tags = [core.builders.tag('nginx.access'), core.builders.tag('app')];
  for (let n = 0; n < EVENTS; n++) {
    addLine(tags[n & 1]!, { n, path: `/item/${(n * 7919) % 10_007}`, agent: 'curl/8.11.0' });
    if ((n + 1) % EVENTS_PER_CUT === 0) await core.sealer.cut();
  }
  await core.sealer.cut();
  await core.emptied();

  const seen = new Uint8Array(EVENTS);
  for (const event of double.events()) seen[(event as { n: number }).n]!++;
  assert.equal(seen.filter((times) => times === 0).length, 0, 'lost');
  assert.equal(seen.filter((times) => times > 1).length, 0, 'repeated under another name');
  // Every chunk of every lane, without a gap.
  const lanes = Map.groupBy([...double.chunks.values()], ({ header }) => header.lane);
  for (const chunks of lanes.values()) {
    const sequences = chunks.map(({ header }) => header.sequence).toSorted((a, b) => a - b);
    assert.deepEqual(
      sequences,
      Array.from({ length: chunks.length }, (_, i) => i + 1),
    );
  }
  assert.ok(double.repeated > 0, 'answers were lost, so chunks came twice');
  // The counters reconcile.
  const total = (name: string): number => core.counters.total(`tailrace_agent_${name}_total`);
  assert.equal(total('sealed_events'), EVENTS);
  assert.equal(total('acknowledged_events') + core.sender.waitingEvents, total('sealed_events'));
  assert.equal(core.sender.waitingEvents, 0);
  assert.equal(total('acknowledged_chunks'), double.chunks.size);
  assert.ok(total('retried_records') > 0 && total('failed_requests') > 0);
});
