/** The EventBridge events that start the drain functions. */
import * as z from 'zod/mini';

const instanceId = z.string().check(z.regex(/^i-[0-9a-f]{8,17}$/));

export const terminateEvent = z.object({
  source: z.literal('aws.autoscaling'),
  time: z.optional(z.string()),
  detail: z.object({
    LifecycleActionToken: z.string(),
    AutoScalingGroupName: z.string(),
    LifecycleHookName: z.string(),
    EC2InstanceId: instanceId,
    LifecycleTransition: z.literal('autoscaling:EC2_INSTANCE_TERMINATING'),
    Origin: z.optional(z.string()),
    Destination: z.optional(z.string()),
  }),
});

export const invocationEvent = z.object({
  source: z.literal('aws.ssm'),
  detail: z.object({
    'command-id': z.string(),
    'document-name': z.string(),
    'instance-id': instanceId,
    status: z.string(),
  }),
});
