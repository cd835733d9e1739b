/** What Auto Scaling says of the watched groups: which instances wait or are retained, since when, and by whose hooks. */
import {
  type AutoScalingClient,
  type AutoScalingGroup,
  DescribeLifecycleHooksCommand,
  paginateDescribeAutoScalingGroups,
  paginateDescribeScalingActivities,
  paginateDescribeWarmPool,
} from '@aws-sdk/client-auto-scaling';

/** The states in which an instance waits for hooks of its termination, of its way into the warm pool, or of its new disk. */
const WAITING = [
  'Terminating:Wait',
  'ReplacingRootVolume:Wait',
  'Warmed:Pending:Wait',
  'Warmed:Terminating:Wait',
] as const;
const RETAINED = ['Terminating:Retained', 'Warmed:Pending:Retained', 'Warmed:Terminating:Retained'] as const;

export interface Member {
  readonly instance: string;
  readonly group: string;
  readonly state: string;
}

export interface Census {
  readonly groups: readonly AutoScalingGroup[];
  readonly waiting: readonly Member[];
  readonly retained: readonly Member[];
}

/** Members of a warm pool come from DescribeWarmPool alone: one more call for a group that has one. */
export async function takeCensus(autoScaling: AutoScalingClient, names: readonly string[]): Promise<Census> {
  const groups: AutoScalingGroup[] = [];
  const pages = paginateDescribeAutoScalingGroups(
    { client: autoScaling },
    { AutoScalingGroupNames: [...names] },
  );
  for await (const { AutoScalingGroups } of pages) groups.push(...(AutoScalingGroups ?? []));
  const members: Member[] = [];
  for (const { AutoScalingGroupName, Instances, WarmPoolConfiguration } of groups) {
    const group = AutoScalingGroupName!;
    const instances = [...(Instances ?? [])];
    if (WarmPoolConfiguration) {
      const pool = paginateDescribeWarmPool({ client: autoScaling }, { AutoScalingGroupName: group });
      for await (const page of pool) instances.push(...(page.Instances ?? []));
    }
    for (const { InstanceId, LifecycleState } of instances) {
      members.push({ instance: InstanceId!, group, state: LifecycleState! });
    }
  }
  return {
    groups,
    waiting: members.filter(({ state }) => isOneOf(WAITING, state)),
    retained: members.filter(({ state }) => isOneOf(RETAINED, state)),
  };
}

function isOneOf(states: readonly string[], state: string): boolean {
  return states.includes(state);
}

/** Whether the group keeps an instance whose termination was given up; without that, giving up ends it. */
export function retains({ InstanceLifecyclePolicy }: AutoScalingGroup): boolean {
  return InstanceLifecyclePolicy?.RetentionTriggers?.TerminateHookAbandon === 'retain';
}

/** An instance that never was in service, or has flushed on its way into the warm pool. */
export function outOfService({ state }: Member): boolean {
  return state === 'Warmed:Terminating:Wait';
}

/** Whether the instance ends when its wait is over, instead of going on with another disk or in the warm pool. */
export function ends({ state }: Member): boolean {
  return state === 'Terminating:Wait' || state === 'Warmed:Terminating:Wait';
}

const INSTANCE_ID = /\bi-[0-9a-f]{8,17}\b/;

/**
 * When the latest activity that ends or changes each of these instances began, milliseconds since 1970.
 * Activities are listed newest first, those under way before all others.
 *
 * @param oldest what began earlier is not looked for
 */
export async function activitiesOf(
  autoScaling: AutoScalingClient,
  members: readonly Member[],
  oldest: number,
): Promise<Map<string, number>> {
  const begun = new Map<string, number>();
  for (const group of new Set(members.map((member) => member.group))) {
    const wanted = new Map(members.filter((one) => one.group === group).map((one) => [one.instance, one]));
    const pages = paginateDescribeScalingActivities(
      { client: autoScaling, pageSize: 100 },
      { AutoScalingGroupName: group },
    );
    for await (const { Activities = [] } of pages) {
      for (const { Description = '', StartTime, EndTime } of Activities) {
        const [instance] = INSTANCE_ID.exec(Description) ?? [];
        const member = wanted.get(instance ?? '');
        if (!member || !StartTime || /^Launching/.test(Description)) continue;
        // A wait is an activity under way; one that has ended was an earlier one.
        if (isOneOf(WAITING, member.state) && EndTime) continue;
        const known = begun.get(member.instance) ?? Number.NEGATIVE_INFINITY;
        begun.set(member.instance, Math.max(known, StartTime.getTime()));
      }
      const last = Activities.at(-1);
      const over = last?.EndTime !== undefined && (last.StartTime?.getTime() ?? 0) < oldest;
      if (over || [...wanted.keys()].every((instance) => begun.has(instance))) break;
    }
  }
  return begun;
}

/** Those of the groups whose instances wait for no other hook than `hook` when they terminate. */
export async function groupsOfHookAlone(
  autoScaling: AutoScalingClient,
  groups: Iterable<string>,
  hook: string,
): Promise<Set<string>> {
  const alone = new Set<string>();
  for (const group of groups) {
    const { LifecycleHooks = [] } = await autoScaling.send(
      new DescribeLifecycleHooksCommand({ AutoScalingGroupName: group }),
    );
    const others = LifecycleHooks.filter(
      ({ LifecycleHookName, LifecycleTransition }) =>
        LifecycleHookName !== hook && LifecycleTransition === 'autoscaling:EC2_INSTANCE_TERMINATING',
    );
    if (others.length === 0) alone.add(group);
  }
  return alone;
}
