/** Single passes of the watch over few instances: which are prolonged, kept, let go or ended, and why. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { EC2Client } from '@aws-sdk/client-ec2';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import { WatchMemory } from '../../../../functions/drain/memory.ts';
import { WatchPass } from '../../../../functions/drain/watch.ts';
import { log } from '../../../../functions/runtime/log.ts';
import { Measures } from '../../../../functions/runtime/metrics.ts';

log.level = 'silent';

const MINUTE = 60_000;
const NOW = 1_800_000_000_000;
const BUDGET = 60 * MINUTE;
const ids = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `i-${(i + 1).toString(16).padStart(17, '0')}`);
const [A, B, C] = ids(3) as [string, string, string];

interface Activity {
  readonly instance: string;
  /** Minutes ago. */
  readonly began: number;
  readonly ended?: number;
}
interface Flush {
  readonly instance: string;
  readonly status: string;
  /** Minutes ago. */
  readonly asked: number;
}

/** A group as the services describe it. */
interface World {
  readonly states: Readonly<Record<string, string>>;
  readonly activities?: readonly Activity[];
  readonly flushes?: readonly Flush[];
  /** Hooks besides ours, with their transitions. */
  readonly hooks?: Readonly<Record<string, string>>;
  /** What EC2 says of an instance; running where nothing is said, and an error for null. */
  readonly ec2?: Readonly<Record<string, string | null>>;
  /** Instances whose wait somebody else has completed. */
  readonly settled?: readonly string[];
  readonly maxRetained?: number;
  /** Whether TerminateInstanceInAutoScalingGroup is denied. */
  readonly denied?: boolean;
}

interface Course {
  readonly outcomes: Readonly<Record<string, string>>;
  readonly failures: number;
  readonly beats: readonly string[];
  /** `instance result` of each completed wait. */
  readonly completed: readonly string[];
  readonly ended: readonly string[];
  readonly mails: readonly string[];
  readonly measured: Readonly<Record<string, number>>;
}

type Input = Record<string, unknown>;
type Request = { readonly constructor: { readonly name: string }; readonly input: Input };

const named = (name: string, message = 'simulated'): Error => Object.assign(new Error(message), { name });

async function pass(world: World): Promise<Course> {
  const course = {
    beats: [] as string[],
    completed: [] as string[],
    ended: [] as string[],
    mails: [] as string[],
    measured: {} as Record<string, number>,
  };
  const send = async ({ constructor: { name }, input }: Request): Promise<object> => {
    const instance = input['InstanceId'] as string;
    const command = name.replace(/Command$/, '');
    const active = (): void => {
      if (world.settled?.includes(instance)) {
        throw named('ValidationError', `No active Lifecycle Action found with instance ID ${instance}`);
      }
    };
    if (command === 'RecordLifecycleActionHeartbeat') {
      course.beats.push(instance);
      return {};
    }
    if (command === 'CompleteLifecycleAction') {
      active();
      course.completed.push(`${instance} ${input['LifecycleActionResult']}`);
      return {};
    }
    if (command === 'TerminateInstanceInAutoScalingGroup') {
      if (world.denied) throw named('AccessDenied');
      course.ended.push(instance);
      return {};
    }
    if (command === 'Publish') {
      course.mails.push(String(input['Subject']));
      return {};
    }
    return described(world, command, input);
  };
  const tools = [AutoScalingClient, SSMClient, SNSClient, EC2Client].map((Client) =>
    Object.assign(new Client({ region: 'us-east-1' }), { send }),
  ) as unknown as [AutoScalingClient, SSMClient, SNSClient, EC2Client];
  const [autoScaling, ssm, sns, ec2] = tools;
  const measures = new Measures();
  const add = measures.add.bind(measures);
  measures.add = (name, value = 1) => {
    course.measured[name] = (course.measured[name] ?? 0) + value;
    add(name, value);
  };
  const watch = new WatchPass({
    clients: { ssm, autoScaling, sns },
    ec2,
    settings: {
      document: 'd',
      hook: 'tailrace-flush',
      deliverySeconds: 120,
      alertTopic: 't',
      budget: BUDGET,
      maxSends: 2,
      registration: 5 * MINUTE,
    },
    watched: { groups: ['web'], maxRetained: world.maxRetained ?? 10 },
    memory: new WatchMemory(),
    measures,
    now: NOW,
    remaining: () => 50_000,
  });
  await watch.run();
  return { ...course, outcomes: watch.outcomes, failures: watch.failures.length };
}

/** What the services answer to questions. */
function described(world: World, command: string, input: Input): object {
  const ago = (minutes: number): Date => new Date(NOW - minutes * MINUTE);
  switch (command) {
    case 'DescribeAutoScalingGroups': {
      const Instances = Object.entries(world.states).map(([InstanceId, LifecycleState]) => ({
        InstanceId,
        LifecycleState,
      }));
      return { AutoScalingGroups: [{ AutoScalingGroupName: 'web', Instances }] };
    }
    case 'DescribeScalingActivities':
      return {
        Activities: (world.activities ?? []).map(({ instance, began, ended }) => ({
          Description: `Terminating EC2 instance: ${instance}`,
          StartTime: ago(began),
          ...(ended === undefined ? {} : { EndTime: ago(ended) }),
        })),
      };
    case 'DescribeLifecycleHooks': {
      const all = { 'tailrace-flush': 'autoscaling:EC2_INSTANCE_TERMINATING', ...world.hooks };
      return {
        LifecycleHooks: Object.entries(all).map(([LifecycleHookName, LifecycleTransition]) => ({
          LifecycleHookName,
          LifecycleTransition,
        })),
      };
    }
    case 'ListCommands':
      return {
        Commands: (world.flushes ?? []).map(({ instance, status, asked }, i) => ({
          CommandId: `c${i}`,
          Comment: `terminate ${instance} watch`,
          Status: status,
          RequestedDateTime: ago(asked),
        })),
      };
    case 'SendCommand':
      return { Command: { CommandId: 'new' } };
    case 'DescribeInstances': {
      const [id] = input['InstanceIds'] as [string];
      const state = world.ec2?.[id] === undefined ? 'running' : world.ec2[id];
      if (state === null) throw named('RequestLimitExceeded');
      if (state === 'unknown') throw named('InvalidInstanceID.NotFound');
      return { Reservations: [{ Instances: [{ InstanceId: id, State: { Name: state } }] }] };
    }
    default:
      throw new Error(command);
  }
}

const WAIT = 'Terminating:Wait';
const RETAINED = 'Terminating:Retained';
const spent = (...instances: string[]): Activity[] => instances.map((instance) => ({ instance, began: 61 }));

test('only a wait inside its budget is prolonged', async () => {
  const activities = [
    { instance: A, began: 59 },
    { instance: B, began: 60 },
  ];
  const { beats } = await pass({ states: { [A]: WAIT, [B]: WAIT }, activities });
  assert.deepEqual(beats, [A]);
});

test('as many instances are kept as may be: those retained already count, the next is let go with a mail', async () => {
  const states = { [A]: RETAINED, [B]: WAIT, [C]: WAIT };
  const course = await pass({ states, activities: spent(A, B, C), maxRetained: 2 });
  assert.deepEqual(course.completed, [`${B} ABANDON`, `${C} CONTINUE`]);
  assert.deepEqual(course.outcomes, { [B]: 'abandon', [C]: 'release' });
  assert.deepEqual([course.measured['DrainFailed'], course.measured['RetainedReleased']], [2, 1]);
  assert.match(course.mails[0]!, new RegExp(`${B} was retained`));
  assert.match(course.mails[1]!, new RegExp(`${C} was ended without a flush`));
});

test('a wait that somebody else completed takes nobody’s place among the kept, and raises no mail', async () => {
  const course = await pass({
    states: { [A]: WAIT, [B]: WAIT },
    activities: spent(A, B),
    settled: [A],
    maxRetained: 1,
  });
  assert.deepEqual(course.outcomes, { [A]: 'settled', [B]: 'abandon' });
  assert.equal(course.mails.length, 1);
});

test('an instance that goes on with another disk is never let go without its flush', async () => {
  const states = {
    [A]: 'ReplacingRootVolume:Wait',
    [B]: 'Warmed:Pending:Wait',
    [C]: 'Warmed:Terminating:Wait',
  };
  const course = await pass({ states, activities: spent(A, B, C), maxRetained: 0 });
  assert.deepEqual(course.completed, [`${A} ABANDON`, `${B} ABANDON`, `${C} CONTINUE`]);
});

test('one that EC2 has ended already is let go without a mail; one that EC2 cannot be asked about is kept', async () => {
  for (const state of ['terminated', 'shutting-down', 'unknown']) {
    const course = await pass({ states: { [A]: WAIT }, activities: spent(A), ec2: { [A]: state } });
    assert.deepEqual(course.completed, [`${A} CONTINUE`], state);
    assert.deepEqual([course.outcomes[A], course.mails, course.measured['InstancesGone']], ['gone', [], 1]);
  }
  for (const state of ['running', 'stopping', null]) {
    const course = await pass({ states: { [A]: WAIT }, activities: spent(A), ec2: { [A]: state } });
    assert.deepEqual(course.completed, [`${A} ABANDON`], String(state));
    assert.equal(course.mails.length, 1);
  }
});

test('an activity that has ended is of an earlier wait: neither its age nor its flush counts', async () => {
  const earlier = { instance: A, began: 120, ended: 100 };
  const flushes = [{ instance: A, status: 'Success', asked: 110 }];
  const course = await pass({ states: { [A]: WAIT }, activities: [earlier], flushes });
  assert.deepEqual([course.outcomes[A], course.beats, course.completed], ['send', [A], []]);
  // Of a retained one it is the wait that it was given up in.
  const kept = await pass({ states: { [A]: RETAINED }, activities: [earlier], flushes });
  assert.deepEqual(kept.ended, [A]);
});

test('retained instances are ended when only our hook can have kept them, or it was ours that gave up', async () => {
  const states = { [A]: RETAINED };
  const activities = spent(A);
  const endedWith = async (more: Partial<World>): Promise<readonly string[]> =>
    (await pass({ states, activities, maxRetained: 0, ...more })).ended;
  assert.deepEqual(await endedWith({}), [A]);
  assert.deepEqual(await endedWith({ hooks: { warm: 'autoscaling:EC2_INSTANCE_LAUNCHING' } }), [A]);
  const hooks = { other: 'autoscaling:EC2_INSTANCE_TERMINATING' };
  assert.deepEqual(await endedWith({ hooks }), []);
  // Its flush succeeded: so it was the other hook that kept it.
  assert.deepEqual(await endedWith({ hooks, flushes: [{ instance: A, status: 'Success', asked: 30 }] }), []);
  assert.deepEqual(await endedWith({ hooks, flushes: [{ instance: A, status: 'Failed', asked: 30 }] }), [A]);
});

test('an instance that could not be ended is not counted as ended, and the pass fails', async () => {
  const world = { states: { [A]: RETAINED }, activities: spent(A), maxRetained: 0 };
  const done = await pass(world);
  assert.deepEqual([done.measured['RetainedReleased'], done.failures], [1, 0]);
  const denied = await pass({ ...world, denied: true });
  assert.deepEqual([denied.measured['RetainedReleased'], denied.failures], [undefined, 1]);
});
