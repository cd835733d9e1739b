/** Flush commands found again in Systems Manager: by comment, by token; and the bound on retained instances. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSettled } from '../../../../functions/drain/act.ts';
import {
  commandsOf,
  commentOf,
  type FoundCommand,
  foundCommand,
} from '../../../../functions/drain/commands.ts';
import { terminateEvent } from '../../../../functions/drain/events.ts';
import { excessRetained } from '../../../../functions/drain/retained.ts';

const INSTANCE = 'i-0123456789abcdef0';
const TOKEN = '5a1c1e0c-0a6d-4f0e-9a44-6c8d0c2d3a11';
const at = new Date('2026-11-23T07:00:00Z');

const found = (instance: string, token: string, requestedAt = 0): FoundCommand => ({
  id: `${instance}/${token}`,
  status: 'Success',
  requestedAt,
  instance,
  token,
  group: 'web',
});

test('a comment has at most 100 characters and is read back', () => {
  for (const token of [TOKEN, null]) {
    const Comment = commentOf({ instance: INSTANCE, group: 'web', token });
    assert.ok(Comment.length <= 100, Comment);
    const command = foundCommand({
      CommandId: 'c',
      Comment,
      Status: 'Success',
      RequestedDateTime: at,
      Parameters: { group: ['web'] },
    });
    assert.deepEqual(command, {
      id: 'c',
      status: 'Success',
      requestedAt: at.getTime(),
      instance: INSTANCE,
      token: token ?? 'watch',
      group: 'web',
    });
  }
});

test('a command that somebody ran by hand is none of ours', () => {
  assert.equal(foundCommand({ CommandId: 'c', Comment: 'flush please', Status: 'Success' }), null);
  assert.equal(foundCommand({ CommandId: 'c', Status: 'Success' }), null);
});

test('an undeliverable command is told from one that failed', () => {
  const Comment = commentOf({ instance: INSTANCE, group: 'web', token: TOKEN });
  const command = foundCommand({ CommandId: 'c', Comment, Status: 'Failed', StatusDetails: 'Undeliverable' });
  assert.equal(command?.status, 'Undeliverable');
});

test('commands of another instance, or of an earlier wait of this one, do not count', () => {
  const all = [
    found(INSTANCE, TOKEN),
    found(INSTANCE, 'watch'),
    found(INSTANCE, 'earlier'),
    found('i-0ther', TOKEN),
  ];
  const tokens = (token: string | null) =>
    commandsOf(all, { instance: INSTANCE, group: 'web', token }).map((command) => command.token);
  assert.deepEqual(tokens(TOKEN), [TOKEN, 'watch']);
  assert.deepEqual(tokens(null), [TOKEN, 'watch', 'earlier']);
});

test('beyond the bound the latest of the retained instances are ended', () => {
  const waiting = ['i-a', 'i-b', 'i-c', 'i-d'].map((instance) => ({ instance, group: 'web', token: null }));
  const asked = [found('i-a', 'watch', 300), found('i-c', 'watch', 100), found('i-d', 'watch', 200)];
  const ended = (maximum: number) => excessRetained(waiting, asked, maximum).map(({ instance }) => instance);
  assert.deepEqual(ended(4), []);
  assert.deepEqual(ended(2), ['i-d', 'i-a']);
  assert.deepEqual(ended(0), ['i-b', 'i-c', 'i-d', 'i-a']);
});

test('only the message of a settled wait counts as settled', () => {
  const error = (name: string, message: string) => Object.assign(new Error(message), { name });
  assert.ok(
    isSettled(error('ValidationError', `No active Lifecycle Action found with instance ID ${INSTANCE}`)),
  );
  assert.ok(!isSettled(error('ValidationError', 'AutoScalingGroup name not found')));
  assert.ok(!isSettled(error('Throttling', 'Rate exceeded')));
});

test('a command that ran on another instance is none of this one, whatever its comment says', () => {
  const command = {
    CommandId: 'c',
    Comment: commentOf({ instance: INSTANCE, group: 'web', token: TOKEN }),
    Status: 'Success',
  } as const;
  assert.equal(foundCommand({ ...command, InstanceIds: ['i-0fedcba9876543210'] }), null);
  assert.equal(foundCommand({ ...command, InstanceIds: [INSTANCE] })?.instance, INSTANCE);
});

test('an event with an instance id that is none is refused', () => {
  const detail = {
    LifecycleActionToken: TOKEN,
    AutoScalingGroupName: 'web',
    LifecycleHookName: 'tailrace-flush',
    LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
  };
  const event = (EC2InstanceId: string) => ({
    source: 'aws.autoscaling',
    detail: { ...detail, EC2InstanceId },
  });
  assert.ok(terminateEvent.safeParse(event(INSTANCE)).success);
  for (const id of ['', 'i-1 x', 'i-12345678\n', '--help', '$(reboot)', 'mi-0123456789abcdef0'])
    assert.ok(!terminateEvent.safeParse(event(id)).success, JSON.stringify(id));
  const forged = { ...event(INSTANCE), source: 'my.app' };
  assert.ok(!terminateEvent.safeParse(forged).success);
});
