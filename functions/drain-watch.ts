/** Called every minute: does what a lost event would have done, sends heartbeats, and gives up at the budget. */
import {
  AutoScalingClient,
  type AutoScalingGroup,
  paginateDescribeAutoScalingGroups,
} from '@aws-sdk/client-auto-scaling';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import { drain, type Outcome } from './drain/act.ts';
import { commandsOf, listFlushes } from './drain/commands.ts';
import { releaseRetained } from './drain/retained.ts';
import { drainSettings, watchSettings } from './drain/settings.ts';
import { withLogging } from './runtime/handler.ts';
import { log } from './runtime/log.ts';
import { count } from './runtime/metrics.ts';

const clients = { ssm: new SSMClient(), autoScaling: new AutoScalingClient(), sns: new SNSClient() };
const caller = { caller: 'watch', outOfService: false } as const;

export const handler = withLogging().handler(async () => {
  const settings = drainSettings();
  const { groups: names, maxRetained } = watchSettings();
  const groups = await describe(names);
  const now = Date.now();
  const inState = (state: string) =>
    groups.flatMap((group) =>
      (group.Instances ?? [])
        .filter(({ LifecycleState }) => LifecycleState === state)
        .map(({ InstanceId }) => ({
          instance: InstanceId!,
          group: group.AutoScalingGroupName!,
          token: null,
        })),
    );
  const waiting = inState('Terminating:Wait');
  const retained = inState('Terminating:Retained');
  const found = waiting.length + retained.length > 0 ? await listFlushes(clients.ssm, settings, now) : [];

  const outcomes: Record<string, Outcome> = {};
  const failures: unknown[] = [];
  for (const one of waiting) {
    try {
      outcomes[one.instance] = await drain(clients, settings, one, commandsOf(found, one), caller, now);
    } catch (error) {
      // The others must not wait for this one.
      log.error({ ...one, err: error }, 'an instance could not be looked after; the next pass tries again');
      failures.push(error);
    }
  }
  count('InstancesWaiting', waiting.length);
  count('InstancesRetained', retained.length);
  count('GroupsMissing', names.length - groups.length);
  count('GroupsNotRetaining', groups.filter((group) => !retains(group)).length);
  await releaseRetained(clients.autoScaling, retained, found, maxRetained);
  if (failures.length > 0) throw failures[0];
  // Last, so that its absence says that the watch does not do its work.
  count('WatchRuns');
  return { outcomes };
});

async function describe(names: readonly string[]): Promise<AutoScalingGroup[]> {
  const groups: AutoScalingGroup[] = [];
  const pages = paginateDescribeAutoScalingGroups(
    { client: clients.autoScaling },
    { AutoScalingGroupNames: [...names] },
  );
  for await (const { AutoScalingGroups } of pages) groups.push(...(AutoScalingGroups ?? []));
  return groups;
}

/** Whether the group keeps an instance whose termination was given up; without that, giving up loses its logs. */
function retains({ InstanceLifecyclePolicy }: AutoScalingGroup): boolean {
  return InstanceLifecyclePolicy?.RetentionTriggers?.TerminateHookAbandon === 'retain';
}
