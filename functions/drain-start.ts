/** Called when an instance begins to wait for its termination: asks it to flush. */
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import { drain } from './drain/act.ts';
import { commandsOf, listFlushes } from './drain/commands.ts';
import { terminateEvent } from './drain/events.ts';
import { drainSettings } from './drain/settings.ts';
import { parseEvent, withLogging } from './runtime/handler.ts';

const clients = { ssm: new SSMClient(), autoScaling: new AutoScalingClient(), sns: new SNSClient() };

export const handler = withLogging().handler(async (event: unknown) => {
  const settings = drainSettings();
  const { detail } = parseEvent(terminateEvent, event);
  const waiting = {
    instance: detail.EC2InstanceId,
    group: detail.AutoScalingGroupName,
    token: detail.LifecycleActionToken,
  };
  const now = Date.now();
  const commands = commandsOf(await listFlushes(clients.ssm, settings, now), waiting);
  // An instance that goes out of a warm pool has flushed when it went there, or has never been in service.
  const outOfService = detail.Origin === 'WarmPool';
  const outcome = await drain(clients, settings, waiting, commands, { caller: 'start', outOfService }, now);
  return { instance: waiting.instance, outcome };
});
