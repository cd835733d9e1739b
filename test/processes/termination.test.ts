/**
 * Terminations in a simulated region: the packaged template and functions, a real agent on real files, and every fault
 * that may come between. An instance ends terminated with all its lines archived, or retained and alarmed.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { packageFunctions, TEMPLATE } from '../../functions/package.ts';
import { ServiceError } from '../simulation/auto-scaling.ts';
import { MINUTE, SECOND } from '../simulation/clock.ts';
import type { CallFault } from '../simulation/endpoint.ts';
import { Iam } from '../simulation/iam.ts';
import { GROUP, INSTANCE, Region, STACK } from '../simulation/region.ts';
import { Template } from '../simulation/template.ts';
import type { FlushMode, WebServer } from '../simulation/web-server.ts';
import { statusOf } from '../support/agent-process.ts';
import { generator } from '../support/random.ts';

const out = mkdtempSync(join(tmpdir(), 'tailrace-packaged-'));
const packaged = join(out, 'stack');
let ledger: Iam;

before(async () => {
  await packageFunctions(out);
  ledger = new Iam(new Template(join(packaged, TEMPLATE), STACK));
});
after(() => rmSync(out, { recursive: true, force: true }));

type Bend = (region: Region, server: WebServer) => void;
interface Ended {
  readonly region: Region;
  readonly server: WebServer;
  readonly state: string;
  readonly history: string;
}

/** One termination of one web server from its scale-in to its end. */
async function terminate(
  bend: Bend,
  look: (ended: Ended) => void | Promise<void>,
  origin?: string,
): Promise<void> {
  const region = await Region.start(packaged);
  try {
    const server = await region.launch();
    bend(region, server);
    const instance = await region.terminate(INSTANCE, 'terminate', origin);
    await region.stopFunctions();
    const history = instance.history.join('; ');
    assert.doesNotMatch(history, /timeout/, 'the functions end the wait, not a time limit');
    await look({ region, server, state: instance.state, history });
    assert.deepEqual(region.iam.denied, [], 'denied calls');
    ledger.adopt(region.iam);
  } finally {
    await region.stop();
  }
}

/** Gone, and every line that its web server ever wrote is archived once. */
function assertArchived({ region, server, state, history }: Ended): void {
  assert.equal(state, 'Terminated', history);
  assert.match(history, /CONTINUE \(completed\)/);
  assert.ok(
    region.ssm.commands.some(({ Status }) => Status === 'Success'),
    'no CONTINUE without a flush that ended well',
  );
  assertEveryLine(region, server);
  assert.deepEqual([...region.alarms()].sort(), []);
  assert.deepEqual(region.endpoint.alerts, []);
}

function assertEveryLine(region: Region, server: WebServer): void {
  const wanted = Array.from({ length: server.written }, (_, i) => i + 1);
  assert.ok(wanted.length > 500);
  assert.deepEqual(region.archived(), wanted);
}

/** Kept, alarmed once and by name; and when an operator lets it flush, nothing is missing. */
async function assertRetained({ region, server, state, history }: Ended, reason: RegExp): Promise<void> {
  assert.equal(state, 'Terminating:Retained', history);
  assert.doesNotMatch(history, /CONTINUE/);
  const { alerts } = region.endpoint;
  assert.equal(alerts.length, 1, JSON.stringify(alerts));
  assert.match(alerts[0]!.subject, new RegExp(INSTANCE));
  assert.match(alerts[0]!.message, reason);
  assert.ok(region.alarms().has('DrainFailedAlarm'));
  assert.ok(region.alarms().has('RetainedAlarm'));
  region.refuse(false);
  await server.shutDown();
  assertEveryLine(region, server);
}

const isTerminate = (event: Record<string, unknown>): boolean => event['source'] === 'aws.autoscaling';
const isFinish = (event: Record<string, unknown>): boolean => event['source'] === 'aws.ssm';

describe('nothing fails', () => {
  test('a web server that writes until its own SIGTERM loses no line', () =>
    terminate(
      () => {},
      (ended) => {
        assertArchived(ended);
        assert.equal(ended.region.ssm.commands.length, 1);
      },
    ));

  test('services are stopped first: an agent that then ends without a word has sent all', () =>
    terminate((_, server) => {
      server.abrupt = true;
    }, assertArchived));

  test('an agent that was down is started, and sends what is in files and spool', () =>
    terminate((_, server) => {
      server.agent.child.kill('SIGKILL');
    }, assertArchived));

  test('a flush of twenty simulated minutes is kept alive by heartbeats', async () => {
    const region = await Region.start(packaged, { FlushSeconds: 1800 });
    try {
      const server = await region.launch(INSTANCE, GROUP, { first: 200_000 });
      server.takes = 20 * MINUTE;
      const instance = await region.terminate();
      await region.stopFunctions();
      assert.ok(instance.heartbeats >= 15, `${instance.heartbeats} heartbeats`);
      assertArchived({ region, server, state: instance.state, history: instance.history.join('; ') });
      ledger.adopt(region.iam);
    } finally {
      await region.stop();
    }
  });
});

describe('events are best effort', () => {
  test('both events lost: the watch does it all', () =>
    terminate((region) => {
      region.events.deliveries = () => [];
    }, assertArchived));

  test('the terminate event lost', () =>
    terminate((region) => {
      region.events.deliveries = (event) => (isTerminate(event) ? [] : [1]);
    }, assertArchived));

  test('the finish event lost', () =>
    terminate((region) => {
      region.events.deliveries = (event) => (isFinish(event) ? [] : [1]);
    }, assertArchived));

  test('every event three times, two of them at once: at most one more send', () =>
    terminate(
      (region) => {
        region.events.deliveries = () => [1, 1, 9];
      },
      (ended) => {
        assertArchived(ended);
        assert.ok(ended.region.ssm.commands.length <= 2);
      },
    ));

  test('events late and out of order: the terminate event comes when all is over', () =>
    terminate((region) => {
      region.events.deliveries = (event) => (isTerminate(event) ? [500] : [250]);
    }, assertArchived));

  test('a list of commands that lags: one more send, nothing lost', () =>
    terminate(
      (region) => {
        region.ssm.lag = 90 * SECOND;
      },
      (ended) => {
        assertArchived(ended);
        assert.ok(ended.region.ssm.commands.length <= 3);
      },
    ));
});

describe('the flush fails', () => {
  test('once: it is repeated', () =>
    terminate(
      (_, server) => {
        server.modes = ['refused', 'flush'];
      },
      (ended) => {
        assertArchived(ended);
        assert.deepEqual(
          ended.region.ssm.commands.map(({ Status }) => Status),
          ['Failed', 'Success'],
        );
      },
    ));

  test('twice: retained, alarmed', () =>
    terminate(
      (_, server) => {
        server.modes = ['refused'];
      },
      (ended) => assertRetained(ended, /failed as often as it is tried/),
    ));

  test('it hangs: ended at its limit, repeated, and done', () =>
    terminate((_, server) => {
      server.modes = ['hang', 'flush'];
    }, assertArchived));

  test('it hangs each time: retained, alarmed, within the budget', () =>
    terminate(
      (_, server) => {
        server.modes = ['hang'];
      },
      (ended) => assertRetained(ended, /failed as often|did not end within its budget/),
    ));
});

describe('the instance cannot be reached', () => {
  test('not managed: retained when it had time to register, alarmed', () =>
    terminate(
      (_, server) => {
        server.managed = false;
      },
      (ended) => assertRetained(ended, /does not know the instance/),
    ));

  test('not managed, and the event lost', () =>
    terminate(
      (region, server) => {
        server.managed = false;
        region.events.deliveries = () => [];
      },
      (ended) => assertRetained(ended, /does not know the instance/),
    ));

  test('the agent of Systems Manager offline: given up within the budget', () =>
    terminate(
      (_, server) => {
        server.online = false;
      },
      (ended) => assertRetained(ended, /failed as often|did not end within its budget/),
    ));

  test('out of a warm pool and not managed: it goes, there is nothing to flush', () =>
    terminate(
      (_, server) => {
        server.managed = false;
      },
      ({ state, history, region }) => {
        assert.equal(state, 'Terminated', history);
        assert.deepEqual(region.endpoint.alerts, []);
      },
      'WarmPool',
    ));
});

describe('the services and the functions fail', () => {
  const throttled = new ServiceError('ThrottlingException', 'Rate exceeded', 400);

  for (const operation of [
    'ListCommands',
    'SendCommand',
    'CompleteLifecycleAction',
    'RecordLifecycleActionHeartbeat',
    'DescribeScalingActivities',
  ] as const) {
    test(`${operation} refused eight times`, () =>
      terminate((region) => {
        let left = 8;
        region.endpoint.onCall = (called) =>
          called === operation && left-- > 0 ? { kind: 'refuse', error: throttled } : null;
      }, assertArchived));
  }

  for (const operation of ['SendCommand', 'CompleteLifecycleAction'] as const) {
    test(`${operation} takes effect and its answer is lost`, () =>
      terminate((region) => {
        let left = 1;
        region.endpoint.onCall = (called) =>
          called === operation && left-- > 0 ? { kind: 'lose-answer' } : null;
      }, assertArchived));
  }

  test('a function that waits for an answer ends early, with an error, and is retried', () =>
    terminate(
      (region) => {
        let hung = 0;
        region.lambda.onInvoke = (id) =>
          id.startsWith('DrainStart') && hung === 0 ? { remainingMs: 3000 } : {};
        region.endpoint.onCall = (operation) =>
          operation === 'RecordLifecycleActionHeartbeat' && hung++ === 0 ? { kind: 'hang' } : null;
      },
      (ended) => {
        assertArchived(ended);
        assert.match(ended.region.lambda.errors.join('\n'), /ran out of time/);
      },
    ));

  test('functions ended between SendCommand and its answer', () =>
    terminate(
      (region) => {
        let killed = false;
        region.endpoint.onCall = (operation) => {
          if (operation !== 'SendCommand' || killed) return null;
          killed = true;
          region.lambda.kill('DrainStartLambdaFunction');
          return { kind: 'lose-answer' };
        };
      },
      (ended) => {
        assertArchived(ended);
        assert.ok(ended.region.ssm.commands.length <= 2);
      },
    ));

  test('the watch away for some minutes: events carry it', () =>
    terminate(
      (region) => {
        region.events.scheduled = () => false;
      },
      ({ region, server, state, history }) => {
        assert.equal(state, 'Terminated', history);
        assertEveryLine(region, server);
        // That nobody watches is an alarm of its own.
        assert.ok(region.alarms().has('WatchAlarm'));
      },
    ));

  test('all functions dead: the heartbeat ends the wait, the instance is retained, the watch is missed', async () => {
    const region = await Region.start(packaged);
    try {
      const server = await region.launch();
      region.lambda.onInvoke = () => ({ lost: true });
      const instance = await region.terminate();
      await region.stopFunctions();
      assert.equal(instance.state, 'Terminating:Retained');
      assert.match(instance.history.join('; '), /ABANDON \(heartbeat timeout\)/);
      assert.ok(region.alarms().has('WatchAlarm'));
      await server.shutDown();
      assertEveryLine(region, server);
    } finally {
      await region.stop();
    }
  });
});

const SEEDS = (process.env['TAILRACE_SIMULATED_SEEDS'] ?? '1,2,3,4,5,6,7,8').split(',').map(Number);

for (const seed of SEEDS) {
  test(`any mixture of faults, seed ${seed}: gone with all its lines, or retained and alarmed`, async () => {
    const region = await Region.start(packaged);
    try {
      const random = generator(seed);
      const oneOf = <T>(...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
      const server = await region.launch();
      server.modes = oneOf<FlushMode[]>(
        ['flush'],
        ['refused', 'flush'],
        ['hang', 'flush'],
        ['hang'],
        ['refused', 'hang'],
      );
      server.takes = oneOf(5 * SECOND, 70 * SECOND, 14 * MINUTE);
      server.online = random() < 0.9;
      region.ssm.lag = oneOf(0, 0, 20 * SECOND);
      region.events.deliveries = () => oneOf([], [1], [1, 1], [2, 90], [200], [1, 1, 1]);
      region.events.scheduled = () => random() < 0.8;
      region.lambda.onInvoke = () => (random() < 0.1 ? { lost: true } : {});
      region.endpoint.onCall = () =>
        oneOf<CallFault>(
          ...Array.from({ length: 12 }, () => null),
          { kind: 'lose-answer' },
          { kind: 'refuse', error: new ServiceError('ThrottlingException', 'Rate exceeded') },
          { kind: 'refuse', error: new ServiceError('InternalFailure', 'simulated', 500) },
        );
      const instance = await region.terminate();
      await region.stopFunctions();
      const history = instance.history.join('; ');
      assert.deepEqual(region.iam.denied, []);
      const flushed = region.ssm.commands.some(({ Status }) => Status === 'Success');
      if (instance.state === 'Terminated') {
        assert.ok(flushed, history);
        assert.match(history, /CONTINUE \(completed\)/);
      } else {
        assert.doesNotMatch(history, /CONTINUE/);
        const alarms = region.alarms();
        const told =
          alarms.has('RetainedAlarm') || region.endpoint.alerts.length > 0 || alarms.has('WatchAlarm');
        assert.ok(told, `${history}: nobody was alerted`);
        region.refuse(false);
        await server.shutDown();
      }
      assertEveryLine(region, server);
    } finally {
      await region.stop();
    }
  });
}

/** Megabytes of the spool below; 1024 takes a minute or two and three gigabytes of memory. */
const SPOOL_MB = Number(process.env['TAILRACE_SIMULATED_SPOOL_MB'] ?? 48);

test(`a spool of ${SPOOL_MB} MB is flushed on termination, kept alive by heartbeats`, async () => {
  const region = await Region.start(packaged, { FlushSeconds: 1800 });
  try {
    region.refuse(true);
    // Base64 of noise takes about as many bytes compressed as the noise has.
    const noise = 48 * 1024;
    const first = Math.ceil((SPOOL_MB * 1_000_000) / noise);
    const server = await region.launch(INSTANCE, GROUP, { first, noise });
    const spooled = async (): Promise<number> =>
      ((await statusOf(server.directory))['spool'] as { bytes: number }).bytes;
    while ((await spooled()) < SPOOL_MB * 1_000_000) await new Promise((resolve) => setTimeout(resolve, 200));
    // One shard takes a megabyte in a second: a gigabyte is seventeen minutes.
    server.takes = 1024 * SECOND;
    const instance = await region.terminate();
    await region.stopFunctions();
    assert.ok(instance.heartbeats >= 15, `${instance.heartbeats} heartbeats`);
    const bytes = [...region.kinesis.chunks.values()].reduce((sum, chunk) => sum + chunk.bytes.length, 0);
    assert.ok(bytes >= SPOOL_MB * 1_000_000);
    assertArchived({ region, server, state: instance.state, history: instance.history.join('; ') });
  } finally {
    await region.stop();
  }
});

test('what a retained instance spilled comes back by the function, without the instance', async () => {
  const region = await Region.start(packaged, { ReadmitBytesPerSecond: 100_000_000 });
  try {
    // Nothing gets through from the start, so that all of it is spilled.
    region.refuse(true);
    const server = await region.launch(INSTANCE, GROUP, { spill: true });
    server.modes = ['refused'];
    const instance = await region.terminate();
    assert.equal(instance.state, 'Terminating:Retained');
    await server.kill();
    assert.deepEqual(region.archived(), []);
    region.refuse(false);
    const keys = [...region.bucket.objects.keys()];
    assert.ok(keys.length > 0);
    const Records = keys.map((key, i) => ({ messageId: `m${i}`, body: region.bucket.notification(key) }));
    assert.deepEqual(await region.lambda.invoke('ReadmitLambdaFunction', { Records }), {
      batchItemFailures: [],
    });
    assertEveryLine(region, server);
    assert.deepEqual(region.iam.denied, []);
    ledger.adopt(region.iam);
  } finally {
    await region.stop();
  }
});

test('as many retained as may be: the next is let go without a flush, and its agent still sends all it has', async () => {
  const region = await Region.start(packaged, { MaxRetained: 1 });
  try {
    const other = 'i-0fedcba9876543210';
    const servers = [await region.launch(), await region.launch(other)];
    for (const server of servers) server.managed = false;
    const first = await region.terminate();
    const second = await region.terminate(other);
    await region.stopFunctions();
    const states = [first.state, second.state].sort();
    assert.deepEqual(states, ['Terminated', 'Terminating:Retained']);
    assert.equal(region.endpoint.alerts.length, 2);
    assert.deepEqual(region.iam.denied, []);
    for (const server of servers) await server.shutDown();
    const wanted = servers.flatMap((server) => Array.from({ length: server.written }, (_, i) => i + 1));
    assert.deepEqual(
      region.archived(),
      wanted.sort((a, b) => a - b),
    );
    ledger.adopt(region.iam);
  } finally {
    await region.stop();
  }
});

test('the answer to giving up is lost: no mail of ours, but the alarm on what is retained', () =>
  terminate(
    (region, server) => {
      server.managed = false;
      let left = 1;
      region.endpoint.onCall = (called) =>
        called === 'CompleteLifecycleAction' && left-- > 0 ? { kind: 'lose-answer' } : null;
    },
    ({ region, state }) => {
      assert.equal(state, 'Terminating:Retained');
      assert.ok(region.alarms().has('RetainedAlarm'));
    },
  ));

test('attached to a group that exists: the same, by the other template', async () => {
  const stack = 'tailrace-attach-dev';
  const region = await Region.start(join(out, 'attach'), { Group1: 'shop', Group2: 'blog' }, stack);
  try {
    const server = await region.launch(INSTANCE, 'blog');
    const instance = await region.terminate();
    await region.stopFunctions();
    assertArchived({ region, server, state: instance.state, history: instance.history.join('; ') });
    assert.deepEqual(region.iam.denied, []);
  } finally {
    await region.stop();
  }
});

test('no grant of the web servers that is for an agent went unused in all of this', () => {
  // What a server needs besides its agent: the package, and the metric of each minute.
  const unused = ledger.unused(['WebRole']).map((grant) => grant.split(' ')[1]);
  assert.deepEqual(unused, ['cloudwatch:PutMetricData', 's3:GetObject']);
});
