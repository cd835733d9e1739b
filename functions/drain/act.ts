/** Carries the decision out: asks for a flush, prolongs the wait, or completes it and alerts. */
import {
  type AutoScalingClient,
  CompleteLifecycleActionCommand,
  RecordLifecycleActionHeartbeatCommand,
} from '@aws-sdk/client-auto-scaling';
import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { log } from '../runtime/log.ts';
import { count } from '../runtime/metrics.ts';
import { sendFlush, type Waiting } from './commands.ts';
import { type AbandonReason, type Action, decide, type FlushCommand, type Policy } from './decision.ts';
import type { DrainSettings } from './settings.ts';

export interface DrainClients {
  readonly ssm: SSMClient;
  readonly autoScaling: AutoScalingClient;
  readonly sns: SNSClient;
}

/** What was done for an instance; `settled` when somebody else had completed the wait before. */
export type Outcome = Action['kind'] | 'settled';

const REASONS: Record<AbandonReason, string> = {
  unmanaged: 'Systems Manager does not know the instance, so that nothing could be run on it',
  budget: 'the flush did not end within its budget',
  failed: 'the flush failed as often as it is tried',
};

/** Decides for one waiting instance and does it. */
export async function drain(
  clients: DrainClients,
  settings: DrainSettings,
  waiting: Waiting,
  commands: readonly FlushCommand[],
  caller: Pick<Policy, 'caller' | 'outOfService'>,
  now: number,
): Promise<Outcome> {
  const policy = { budget: settings.budget, maxSends: settings.maxSends, ...caller };
  let action = decide(commands, now, policy);
  if (action.kind === 'send') {
    const sent = await sendFlush(clients.ssm, settings, waiting, now);
    if (sent.status !== 'Unmanaged') {
      count('FlushesSent');
      log.info({ ...waiting, command: sent.id, earlier: commands.length }, 'the instance was asked to flush');
      return 'send';
    }
    action = decide([...commands, sent], now, policy);
  }
  switch (action.kind) {
    case 'heartbeat':
      return (await heartbeat(clients, settings, waiting)) ? 'heartbeat' : 'settled';
    case 'continue': {
      if (!(await complete(clients, settings, waiting, 'CONTINUE'))) return 'settled';
      count('DrainSucceeded');
      log.info({ ...waiting }, 'the instance has flushed and goes');
      return 'continue';
    }
    case 'abandon': {
      // Completed first: of several that find the same at once, only the one that took effect alerts.
      if (!(await complete(clients, settings, waiting, 'ABANDON'))) return 'settled';
      count('DrainFailed');
      log.error({ ...waiting, reason: action.reason }, 'the instance is given up and retained');
      await alert(clients, settings, waiting, action.reason, commands);
      return 'abandon';
    }
    default:
      return action.kind;
  }
}

async function heartbeat(
  { autoScaling }: DrainClients,
  { hook }: DrainSettings,
  { instance, group }: Waiting,
): Promise<boolean> {
  const command = new RecordLifecycleActionHeartbeatCommand({
    AutoScalingGroupName: group,
    LifecycleHookName: hook,
    InstanceId: instance,
  });
  return unlessSettled(() => autoScaling.send(command));
}

async function complete(
  { autoScaling }: DrainClients,
  { hook }: DrainSettings,
  { instance, group }: Waiting,
  result: 'CONTINUE' | 'ABANDON',
): Promise<boolean> {
  const command = new CompleteLifecycleActionCommand({
    AutoScalingGroupName: group,
    LifecycleHookName: hook,
    InstanceId: instance,
    LifecycleActionResult: result,
  });
  return unlessSettled(() => autoScaling.send(command));
}

/** @returns false when the wait was over already */
async function unlessSettled(call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    if (isSettled(error)) return false;
    throw error;
  }
}

/** Auto Scaling has no error of its own for this, only a message. */
export function isSettled(error: unknown): boolean {
  const { name, message } = error as Error;
  return name === 'ValidationError' && /no active lifecycle action/i.test(message);
}

async function alert(
  { sns }: DrainClients,
  { alertTopic, document }: DrainSettings,
  { instance, group }: Waiting,
  reason: AbandonReason,
  commands: readonly FlushCommand[],
): Promise<void> {
  const tries = commands.map(({ id, status }) => `  ${id || '(none)'}: ${status}`);
  const text = [
    `Instance ${instance} of group ${group} was to be terminated and could not flush its logs: ${REASONS[reason]}.`,
    `It is retained and keeps its logs (state Terminating:Retained); it is billed until you end it.`,
    '',
    `Flushes asked for (document ${document}):`,
    ...(tries.length > 0 ? tries : ['  none']),
    '',
    'On the instance: systemctl start tailrace; tailrace status; tailrace flush.',
    'When nothing is left:',
    `  aws autoscaling terminate-instance-in-auto-scaling-group --no-should-decrement-desired-capacity --instance-id ${instance}`,
  ];
  const Subject = `tailrace: ${instance} was retained with unsent logs`;
  await sns.send(new PublishCommand({ TopicArn: alertTopic, Subject, Message: text.join('\n') }));
}
