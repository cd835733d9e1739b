/**
 * Many waits at once in a simulated region: the packaged functions and template, instances that only answer. Second lives
 * of an id, other hooks, warm pools, both ways in which a retained instance may be ended, obstacles, and a thousand waits.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { packageFunctions, TEMPLATE } from '../../functions/package.ts';
import { type ScaledInstance, ServiceError, type WaitKind } from '../simulation/auto-scaling.ts';
import { MINUTE, SECOND } from '../simulation/clock.ts';
import { Iam } from '../simulation/iam.ts';
import { GROUP, Region, STACK } from '../simulation/region.ts';
import type { SentCommand } from '../simulation/systems-manager.ts';
import { Template } from '../simulation/template.ts';

const out = mkdtempSync(join(tmpdir(), 'tailrace-packaged-'));
const packaged = join(out, 'stack');
let ledger: Iam;
before(async () => {
  await packageFunctions(out, {}, ['stack']);
  ledger = new Iam(new Template(join(packaged, TEMPLATE), STACK));
});
after(() => rmSync(out, { recursive: true, force: true }));

const SPOT = `${STACK}-spot`;
let last = 0;
const newId = (): string => `i-${(++last).toString(16).padStart(17, '0')}`;

/** Plays in a region of its own; nothing may be denied in it unless a test says so. */
async function play(
  parameters: Record<string, number>,
  act: (region: Region) => Promise<void>,
  denied: RegExp = /^$/,
): Promise<void> {
  const region = await Region.start(packaged, parameters);
  try {
    await act(region);
    const others = region.iam.denied.filter((call) => !denied.test(call));
    assert.deepEqual(others, [], 'denied calls');
    ledger.adopt(region.iam);
  } finally {
    await region.stop();
  }
}

const minutes = (region: Region, number: number): Promise<void> =>
  region.clock.runUntil(() => false, number * MINUTE);
const loseEvents = (region: Region): void => {
  region.events.deliveries = () => [];
};
const commandsFor = (region: Region, { id }: ScaledInstance): SentCommand[] =>
  region.ssm.commands.filter(({ InstanceIds }) => InstanceIds[0] === id);
const mailsAbout = (region: Region, { id }: ScaledInstance) =>
  region.endpoint.alerts.filter(({ subject }) => subject.includes(id));
const instanceOf = (region: Region, id: string): ScaledInstance => region.autoScaling.instances.get(id)!;
const said = ({ history }: ScaledInstance): string => history.join('; ');
const launch = (region: Region, ...more: [group?: string]) => {
  const id = newId();
  return { id, server: region.launchStub(id, ...more), instance: instanceOf(region, id) };
};

describe('an instance id waits twice', () => {
  test('root volume replaced, scaled in 20 minutes later: both flush, with and without events and activities that name it', () =>
    play({}, async (region) => {
      const played = [true, false].flatMap((named) =>
        [true, false].map((events) => ({ named, events, ...launch(region) })),
      );
      region.events.deliveries = (event) =>
        played.some(({ id, events }) => !events && JSON.stringify(event).includes(id)) ? [] : [1];
      const beginAll = (kind: WaitKind): void => {
        for (const { id, named } of played) {
          region.autoScaling.activitiesNameInstances = named;
          region.autoScaling.begin(id, kind);
        }
      };
      beginAll('replaceRootVolume');
      await minutes(region, 20);
      for (const { instance, server } of played) {
        assert.equal(instance.state, 'InService', said(instance));
        assert.ok(commandsFor(region, instance).length >= 1);
        server.takes = 7 * MINUTE;
      }
      beginAll('terminate');
      const begun = region.clock.now;
      await minutes(region, 5);
      for (const { instance } of played) assert.equal(instance.state, 'Terminating:Wait', said(instance));
      await minutes(region, 10);
      for (const { instance } of played) {
        assert.equal(instance.state, 'Terminated', said(instance));
        const second = commandsFor(region, instance).filter(
          ({ RequestedDateTime }) => RequestedDateTime * SECOND >= begun,
        );
        assert.ok(second.some(({ Status }) => Status === 'Success'));
        assert.doesNotMatch(said(instance), /timeout/);
        assert.deepEqual(mailsAbout(region, instance), []);
      }
    }));

  test('a flush that failed counts for its own wait alone; a late event of an earlier wait asks for nothing', () =>
    play({}, async (region) => {
      const { id, server, instance } = launch(region);
      region.autoScaling.groups.get(GROUP)!['WarmPool'] = true;
      const stale: Record<string, unknown>[] = [];
      region.events.deliveries = (event) => {
        stale.push(event);
        return [1];
      };
      server.exits = [3, 3, 0];
      region.autoScaling.begin(id, 'toWarmPool');
      await minutes(region, 6);
      assert.equal(instance.state, 'Warmed:Pending:Retained', said(instance));
      assert.equal(mailsAbout(region, instance).length, 1);
      // An operator repairs it, and puts it back into service.
      instance.state = 'InService';
      const sent = commandsFor(region, instance).length;
      for (const event of stale.filter(({ source }) => source === 'aws.autoscaling')) {
        await region.lambda.invoke('DrainStartLambdaFunction', event);
      }
      assert.equal(commandsFor(region, instance).length, sent, 'its services must not be stopped');
      region.autoScaling.begin(id);
      await minutes(region, 4);
      assert.equal(instance.state, 'Terminated', said(instance));
      assert.equal(mailsAbout(region, instance).length, 1);
    }));
});

for (const way of ['runs-hooks', 'at-once'] as const) {
  describe(`a retained instance is ended, which ${way === 'runs-hooks' ? 'runs its hooks once more' : 'ends it at once'}`, () => {
    test('repaired: it flushes and goes; unmanaged: it goes by the commands of the mail', () =>
      play({}, async (region) => {
        region.autoScaling.endingRetained = way;
        const repaired = launch(region);
        const unmanaged = launch(region);
        repaired.server.exits = [3, 3, 0];
        unmanaged.server.managed = false;
        for (const { id } of [repaired, unmanaged]) region.autoScaling.begin(id);
        await minutes(region, 8);
        for (const { instance } of [repaired, unmanaged]) {
          assert.equal(instance.state, 'Terminating:Retained', said(instance));
          assert.equal(mailsAbout(region, instance).length, 1);
          region.autoScaling.terminate(instance.id, false);
        }
        const [mail] = mailsAbout(region, unmanaged.instance);
        assert.match(mail!.message, /terminate-instance-in-auto-scaling-group --no-should-decrement/);
        const [, hook, group] =
          /--lifecycle-hook-name (\S+) --auto-scaling-group-name (\S+)/.exec(mail!.message) ?? [];
        if (way === 'runs-hooks') {
          assert.equal(unmanaged.instance.state, 'Terminating:Wait');
          region.autoScaling.complete(group!, hook!, unmanaged.id, '', 'CONTINUE');
        }
        await minutes(region, 4);
        assert.equal(repaired.server.runs, way === 'runs-hooks' ? 3 : 2);
        for (const { instance } of [repaired, unmanaged]) {
          assert.equal(instance.state, 'Terminated', said(instance));
          assert.equal(mailsAbout(region, instance).length, 1);
        }
      }));

    test('a flush that succeeds after the budget lets its instance go', () =>
      play({ BudgetSeconds: 600, FlushSeconds: 900 }, async (region) => {
        region.autoScaling.endingRetained = way;
        const { id, server, instance } = launch(region);
        server.takes = 13 * MINUTE;
        region.autoScaling.begin(id);
        await minutes(region, 11);
        assert.equal(instance.state, 'Terminating:Retained', said(instance));
        server.takes = 20 * SECOND;
        await minutes(region, 8);
        assert.equal(instance.state, 'Terminated', said(instance));
        assert.equal(mailsAbout(region, instance).length, 1);
      }));

    test('none may be retained: each is let go with one mail, and nothing goes round', () =>
      play({ MaxRetained: 0 }, async (region) => {
        region.autoScaling.endingRetained = way;
        const failing = launch(region);
        failing.server.exits = [3];
        const timedOut = launch(region);
        timedOut.server.exits = [3];
        region.autoScaling.begin(failing.id);
        // Somebody else gave this one up: it is retained before the functions decide.
        region.autoScaling.begin(timedOut.id);
        region.autoScaling.complete(GROUP, 'tailrace-flush', timedOut.id, '', 'ABANDON');
        await minutes(region, 20);
        for (const { instance } of [failing, timedOut])
          assert.equal(instance.state, 'Terminated', said(instance));
        assert.equal(mailsAbout(region, failing.instance).length, 1);
        assert.ok(mailsAbout(region, timedOut.instance).length <= 1);
        await region.stopFunctions();
        assert.ok(region.alarms().has('DrainFailedAlarm'));
      }));
  });
}

test('every kind of wait is watched, in warm pools of more than a page, too; waits for others are left alone', () =>
  play({ SpotInstances: 2 }, async (region) => {
    loseEvents(region);
    region.autoScaling.groups.get(GROUP)!['WarmPool'] = true;
    for (let i = 0; i < 60; i++) region.launchStub(newId(), GROUP, 'Warmed:Stopped');
    const kinds = ['replaceRootVolume', 'toWarmPool', 'fromWarmPool', 'terminate'] as const;
    const ends = ['InService', 'Warmed:Stopped', 'Terminated', 'Terminated'];
    const played = kinds.map(() => launch(region));
    const stopped = launch(region);
    // One of the pool that is stopped cannot be asked, and has nothing to say.
    stopped.server.managed = false;
    // A launch into the pool waits in the same state for a hook that is not ours.
    const launching = newId();
    region.launchStub(launching, GROUP, 'Warmed:Pending:Wait');
    const spot = launch(region, SPOT);
    kinds.forEach((kind, i) => void region.autoScaling.begin(played[i]!.id, kind));
    region.autoScaling.begin(stopped.id, 'fromWarmPool');
    region.autoScaling.begin(spot.id);
    await minutes(region, 5);
    const states = played.map(({ instance }) => instance.state);
    assert.deepEqual(states, ends);
    for (const { server, instance } of played) assert.equal(server.runs, 1, said(instance));
    assert.equal(stopped.instance.state, 'Terminated', said(stopped.instance));
    assert.equal(spot.instance.state, 'Terminated', said(spot.instance));
    assert.deepEqual(commandsFor(region, instanceOf(region, launching)), []);
    assert.deepEqual(region.endpoint.alerts, []);
    const heartbeats = played.map(({ instance }) => instance.heartbeats);
    assert.ok(
      heartbeats.every((n) => n > 0),
      `${heartbeats}`,
    );
  }));

test('events that come late are acted on, once; what leaves the warm pool and cannot be asked goes at once', () =>
  play({}, async (region) => {
    region.autoScaling.groups.get(GROUP)!['WarmPool'] = true;
    region.events.deliveries = () => [30, 31];
    region.events.scheduled = () => false;
    const late = launch(region);
    const pooled = launch(region);
    pooled.server.managed = false;
    region.autoScaling.begin(late.id);
    region.autoScaling.begin(pooled.id, 'fromWarmPool');
    await minutes(region, 2);
    for (const { instance } of [late, pooled]) assert.equal(instance.state, 'Terminated', said(instance));
    assert.equal(late.server.runs, 1);
    assert.deepEqual(region.endpoint.alerts, []);
  }));

test('another hook of the group: its waits and what it retains are not ours to end', () =>
  play({ MaxRetained: 0 }, async (region) => {
    region.autoScaling.addHook(GROUP, { LifecycleHookName: 'snapshot' });
    const slow = launch(region);
    const theirs = launch(region);
    for (const { id } of [slow, theirs]) region.autoScaling.begin(id);
    await minutes(region, 3);
    // Flushed, and waits on for the other hook alone.
    assert.equal(slow.instance.state, 'Terminating:Wait', said(slow.instance));
    assert.equal(slow.server.runs, 1);
    region.autoScaling.complete(GROUP, 'snapshot', theirs.id, '', 'ABANDON');
    await minutes(region, 5);
    assert.equal(theirs.instance.state, 'Terminating:Retained', said(theirs.instance));
    assert.equal(slow.server.runs, 1, 'it is not asked once more');
    region.autoScaling.complete(GROUP, 'snapshot', slow.id, '', 'CONTINUE');
    await minutes(region, 1);
    assert.equal(slow.instance.state, 'Terminated', said(slow.instance));
    assert.deepEqual(region.endpoint.alerts, []);
  }));

/** Nobody prolongs the wait but the watch: every gap between heartbeats is one of its passes. */
function assertBeating({ beats }: ScaledInstance, until: number): void {
  const gaps = [...beats.slice(1), until].map((at, i) => at - beats[i]!);
  assert.ok(beats.length > 0 && gaps.every((gap) => gap <= 2 * MINUTE), `${gaps}`);
}

test('ListCommands fails for an hour: heartbeats inside the budget, then one mail with the cause', () =>
  play({ BudgetSeconds: 2700 }, async (region) => {
    loseEvents(region);
    const { id, instance } = launch(region);
    region.endpoint.onCall = (operation) =>
      operation === 'ListCommands'
        ? { kind: 'refuse', error: new ServiceError('InternalServerError', 'simulated', 500) }
        : null;
    region.autoScaling.begin(id);
    const begun = region.clock.now;
    await minutes(region, 44);
    assert.equal(instance.state, 'Terminating:Wait', said(instance));
    assertBeating(instance, region.clock.now);
    await minutes(region, 3);
    assert.equal(instance.state, 'Terminating:Retained', said(instance));
    assert.ok(Math.max(...instance.beats) < begun + 2_700_000);
    const mails = mailsAbout(region, instance);
    assert.equal(mails.length, 1);
    assert.match(mails[0]!.message, /simulated/);
    // Nobody queues what failed: the next pass is a minute away.
    const passes = region.lambda.errors.filter((error) => error.startsWith('DrainWatch')).length;
    assert.ok(passes <= 47, `${passes}`);
  }));

for (const [what, cause, bend] of [
  [
    'a tag is missing',
    /AccessDenied/,
    (region: Region) => {
      region.autoScaling.groups.get(GROUP)!['Tags'] = [];
    },
  ],
  [
    'the document has another version',
    /InvalidDocumentVersion: no such version/,
    (region: Region) => {
      const error = new ServiceError('InvalidDocumentVersion', 'no such version');
      region.endpoint.onCall = (operation) =>
        operation === 'SendCommand' ? { kind: 'refuse', error } : null;
    },
  ],
] as const) {
  test(`${what}: heartbeats inside the budget, an alarm at once, one mail that names the cause`, () =>
    play(
      { BudgetSeconds: 2400 },
      async (region) => {
        const { id, instance } = launch(region);
        bend(region);
        region.autoScaling.begin(id);
        await minutes(region, 38);
        assert.equal(instance.state, 'Terminating:Wait', said(instance));
        assertBeating(instance, region.clock.now);
        assert.deepEqual(region.endpoint.alerts, []);
        await minutes(region, 4);
        assert.equal(instance.state, 'Terminating:Retained', said(instance));
        const mails = mailsAbout(region, instance);
        assert.equal(mails.length, 1);
        assert.match(mails[0]!.message, cause);
        await region.stopFunctions();
        assert.ok(region.alarms().has('BlockedAlarm'));
      },
      /ssm:SendCommand/,
    ));
}

test('the groups cannot be described: those that waited before are prolonged', () =>
  play({}, async (region) => {
    const { id, server, instance } = launch(region);
    server.takes = 14 * MINUTE;
    region.autoScaling.begin(id);
    await minutes(region, 2);
    const error = new ServiceError('AccessDenied', 'simulated', 403);
    region.endpoint.onCall = (operation) =>
      operation === 'DescribeAutoScalingGroups' ? { kind: 'refuse', error } : null;
    await minutes(region, 3);
    assertBeating(instance, region.clock.now);
    region.endpoint.onCall = () => null;
    await minutes(region, 11);
    assert.equal(instance.state, 'Terminated', said(instance));
  }));

test('Systems Manager knows the instance 90 s after the wait began: it is asked then', () =>
  play({}, async (region) => {
    const { id, server, instance } = launch(region);
    server.managed = false;
    region.clock.after(90 * SECOND, () => {
      server.managed = true;
    });
    region.autoScaling.begin(id);
    await minutes(region, 4);
    assert.equal(instance.state, 'Terminated', said(instance));
    assert.equal(server.runs, 1);
    assert.deepEqual(region.endpoint.alerts, []);
  }));

test('a spot interruption took the instance: nothing is said to be retained', () =>
  play({}, async (region) => {
    const { id, server, instance } = launch(region);
    server.managed = false;
    instance.ec2 = 'terminated';
    region.autoScaling.begin(id);
    await minutes(region, 8);
    assert.equal(instance.state, 'Terminated', said(instance));
    assert.deepEqual(region.endpoint.alerts, []);
    await region.stopFunctions();
    assert.ok(!region.alarms().has('RetainedAlarm'));
  }));

test('400 instances at once: each is prolonged every minute and asked once, with as many calls each as one alone', () =>
  play({}, async (region) => {
    loseEvents(region);
    const instances = Array.from({ length: 400 }, () => launch(region));
    for (const { id, server } of instances) {
      server.takes = 90 * SECOND;
      region.autoScaling.begin(id);
    }
    await minutes(region, 2);
    for (const { instance } of instances) assert.ok(instance.beats.length >= 2, said(instance));
    await minutes(region, 2);
    for (const { instance, server } of instances) {
      assert.equal(instance.state, 'Terminated', said(instance));
      assert.equal(server.runs, 1);
    }
    // Heartbeats, one command, one completion; and pages of lists, which all of them share.
    assert.ok(region.endpoint.calls.length / 400 < 6, `${region.endpoint.calls.length} calls`);
    assert.deepEqual(region.endpoint.alerts, []);
  }));

test('no grant of the drain roles went unused in all of this', () => {
  assert.deepEqual(ledger.unused(['DrainStartRole', 'DrainFinishRole', 'DrainWatchRole']), []);
});
