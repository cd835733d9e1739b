/** Flush commands found in Systems Manager: by comment, by token, by wait; and the bound on retained instances. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  commandsOfWait,
  commentOf,
  encodeGroup,
  type FoundCommand,
  foundCommand,
} from '../../../../functions/drain/commands.ts';
import { terminateEvent } from '../../../../functions/drain/events.ts';
import { isSettled } from '../../../../functions/drain/lifecycle.ts';
import { type Retained, retainedToEnd } from '../../../../functions/drain/retained.ts';

const INSTANCE = 'i-0123456789abcdef0';
const TOKEN = '5a1c1e0c-0a6d-4f0e-9a44-6c8d0c2d3a11';
const at = new Date('2026-11-23T07:00:00Z');

const found = (
  instance: string,
  token: string | null,
  requestedAt = 0,
  status: FoundCommand['status'] = 'Success',
): FoundCommand => ({
  id: `${instance}/${token}`,
  status,
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
      token,
      group: 'web',
    });
  }
});

test('a command that somebody ran by hand is none of ours', () => {
  assert.equal(foundCommand({ CommandId: 'c', Comment: 'flush please', Status: 'Success' }), null);
  assert.equal(foundCommand({ CommandId: 'c', Status: 'Success' }), null);
});

test('an undeliverable command is distinguished from one that failed', () => {
  const Comment = commentOf({ instance: INSTANCE, group: 'web', token: TOKEN });
  const command = foundCommand({ CommandId: 'c', Comment, Status: 'Failed', StatusDetails: 'Undeliverable' });
  assert.equal(command?.status, 'Undeliverable');
});

const T = 1_800_000_000_000;

test('commands of an earlier wait do not count', () => {
  const all = [
    found(INSTANCE, 'earlier', T - 1_200_000),
    found(INSTANCE, null, T - 1_100_000),
    found(INSTANCE, TOKEN, T + 1000),
    found(INSTANCE, null, T + 2000),
  ];
  const tokens = commandsOfWait(all, { begun: T, seen: T + 40_000 }).map(({ token }) => token);
  assert.deepEqual(tokens, [TOKEN, null]);
});

test('where nothing says when the wait began, only what cannot be of an earlier one counts', () => {
  const all = [
    found(INSTANCE, 'failed earlier', T - 1000, 'Failed'),
    found(INSTANCE, 'maybe earlier', T - 1000),
    found(INSTANCE, null, T - 1000),
    found(INSTANCE, 'under way', T - 1000, 'InProgress'),
    found(INSTANCE, null, T),
  ];
  const since = { begun: null, seen: T };
  const tokens = (settled: string[]) =>
    commandsOfWait(all, since, new Set(settled)).map(({ token }) => token);
  assert.deepEqual(tokens([]), ['maybe earlier', 'under way', null]);
  // Completing with its token reported that it was.
  assert.deepEqual(tokens(['maybe earlier']), ['under way', null]);
});

test('any name of a group travels in a parameter that a shell takes for a word, and comes back', () => {
  for (const name of ['web', 'Shop & Blog (old)', "it's; reboot", 'größe/ß', 'a%b', '$(x)`y`"!*~']) {
    const text = encodeGroup(name);
    assert.match(text, /^[A-Za-z0-9%._-]+$/);
    const Comment = commentOf({ instance: INSTANCE, group: name, token: TOKEN });
    const command = foundCommand({ CommandId: 'c', Comment, Parameters: { group: [text] } });
    assert.equal(command?.group, name);
  }
  const Comment = commentOf({ instance: INSTANCE, group: '', token: TOKEN });
  // As releases before wrote it.
  assert.equal(foundCommand({ CommandId: 'c', Comment, Parameters: { group: ['50%off'] } })?.group, '50%off');
});

test('beyond the bound the latest of the retained instances are ended; those of other hooks are left alone', () => {
  const retained = (instance: string, begun: number | null, more: Partial<Retained> = {}): Retained => ({
    member: { instance, group: 'web', state: 'Terminating:Retained' },
    begun,
    ours: true,
    flushed: false,
    ...more,
  });
  const warm = { instance: 'i-w', group: 'web', state: 'Warmed:Pending:Retained' };
  const all = [
    retained('i-a', 300),
    retained('i-b', null),
    retained('i-c', 100),
    retained('i-d', 200),
    retained('i-other', 900, { ours: false }),
    retained('i-w', 900, { member: warm }),
    retained('i-late', 50, { flushed: true }),
  ];
  const ended = (maximum: number) => retainedToEnd(all, maximum).map(({ member }) => member.instance);
  assert.deepEqual(ended(4), ['i-late']);
  assert.deepEqual(ended(2), ['i-late', 'i-d', 'i-a']);
  assert.deepEqual(ended(0), ['i-late', 'i-b', 'i-c', 'i-d', 'i-a']);
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
