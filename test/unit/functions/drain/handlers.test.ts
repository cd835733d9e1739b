/** The handlers of the two events: an instance goes only when a flush that was sent for this wait has succeeded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { SSMClient } from '@aws-sdk/client-ssm';
import { log } from '../../../../functions/runtime/log.ts';

log.level = 'silent';
Object.assign(process.env, {
  AWS_REGION: 'us-east-1',
  DOCUMENT_NAME: 'flush',
  HOOK_NAME: 'hook',
  BUDGET_SECONDS: '3600',
  MAX_SENDS: '2',
  DELIVERY_SECONDS: '120',
  ALERT_TOPIC_ARN: 'arn',
});

const instance = 'i-0123456789abcdef0';
const calls: string[] = [];
const world = { comment: '', isOver: false };

async function send({ constructor: { name } }: object): Promise<object> {
  calls.push(name);
  if (world.isOver && name.includes('LifecycleAction'))
    throw Object.assign(new Error('No active Lifecycle Action found'), { name: 'ValidationError' });
  if (name === 'SendCommandCommand') return { Command: { CommandId: 'sent' } };
  if (name !== 'ListCommandsCommand') return {};
  const Parameters = { group: ['web'] };
  const command = { CommandId: 'c', Comment: world.comment, InstanceIds: [instance], Parameters };
  return { Commands: [{ ...command, Status: 'Success', RequestedDateTime: new Date() }] };
}
Object.assign(AutoScalingClient.prototype, { send });
Object.assign(SSMClient.prototype, { send });
const { handler: finish } = await import('../../../../functions/drain-finish.ts');
const { handler: start } = await import('../../../../functions/drain-start.ts');

async function outcomeOf(
  handler: typeof start,
  event: object,
  change: Partial<typeof world>,
): Promise<string> {
  Object.assign(world, { comment: '', isOver: false }, change);
  calls.length = 0;
  const context = { getRemainingTimeInMillis: () => 60_000 } as never;
  return ((await handler(event, context)) as { outcome: string }).outcome;
}

test('a success lets the instance go by the token of its wait alone', async () => {
  const ended = (status: string): object => ({
    source: 'aws.ssm',
    detail: { 'command-id': 'c', 'document-name': 'flush', 'instance-id': instance, status },
  });
  const comment = `terminate ${instance} token`;
  assert.equal(await outcomeOf(finish, ended('Success'), { comment }), 'continue');
  assert.equal(await outcomeOf(finish, ended('Success'), { comment, isOver: true }), 'settled');
  for (const [status, other] of [
    ['Failed', comment],
    ['Success', `terminate ${instance} watch`],
    ['Success', 'terminate i-0123456789abcdef1 token'],
    ['Success', 'by hand'],
  ] as const) {
    assert.equal(await outcomeOf(finish, ended(status), { comment: other }), 'wait', other);
    assert.ok(!calls.includes('CompleteLifecycleActionCommand'), other);
  }
});

test('an instance whose wait is over is not asked to flush: its services must go on', async () => {
  const event = {
    source: 'aws.autoscaling',
    time: new Date().toISOString(),
    detail: {
      LifecycleActionToken: 'token',
      AutoScalingGroupName: 'web',
      LifecycleHookName: 'hook',
      EC2InstanceId: instance,
      LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
    },
  };
  assert.equal(await outcomeOf(start, event, {}), 'send');
  assert.equal(await outcomeOf(start, event, { isOver: true }), 'settled');
  assert.ok(!calls.includes('SendCommandCommand'));
});
