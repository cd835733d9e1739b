/** The bound on retained instances: beyond it the latest are ended, so that a broken release can't fill an account. */
import {
  type AutoScalingClient,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling';
import { log } from '../runtime/log.ts';
import { count } from '../runtime/metrics.ts';
import type { FoundCommand, Waiting } from './commands.ts';

/**
 * Ends retained instances beyond `maximum`. Those that are retained the longest are kept, because an operator may be
 * at work on them. An ended instance still stops its agent's unit, which flushes and spills once more.
 */
export async function releaseRetained(
  autoScaling: AutoScalingClient,
  retained: readonly Waiting[],
  found: readonly FoundCommand[],
  maximum: number,
): Promise<void> {
  for (const { instance, group } of excessRetained(retained, found, maximum)) {
    await autoScaling.send(
      new TerminateInstanceInAutoScalingGroupCommand({
        InstanceId: instance,
        ShouldDecrementDesiredCapacity: false,
      }),
    );
    count('RetainedReleased');
    log.error({ instance, group, maximum }, 'more instances are retained than may be: this one is ended');
  }
}

/** The instances to end: the latest ones, by when their last flush was asked for. */
export function excessRetained(
  retained: readonly Waiting[],
  found: readonly FoundCommand[],
  maximum: number,
): Waiting[] {
  const askedAt = new Map<string, number>();
  for (const { instance, requestedAt } of found) {
    askedAt.set(instance, Math.max(requestedAt, askedAt.get(instance) ?? 0));
  }
  // One without a command that is remembered has been here for longer than those are kept.
  const since = ({ instance }: Waiting): number => askedAt.get(instance) ?? 0;
  return retained
    .toSorted((a, b) => since(a) - since(b) || (a.instance < b.instance ? -1 : 1))
    .slice(maximum);
}
