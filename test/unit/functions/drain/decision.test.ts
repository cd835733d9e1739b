/** The termination decision: the design's table row by row, and what must hold for any commands at any time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Action,
  afterObstacle,
  type CommandStatus,
  commandStatus,
  decide,
  FAILED,
  type FlushCommand,
  type GiveUpReason,
  type Policy,
  UNDER_WAY,
} from '../../../../functions/drain/decision.ts';

const MINUTE = 60_000;
const BUDGET = 60 * MINUTE;
const POLICY: Policy = { budget: BUDGET, maxSends: 2, registration: 5 * MINUTE };

const sent = (status: CommandStatus): FlushCommand => ({ id: 'c', status, requestedAt: 0 });
const giveUp = (reason: GiveUpReason): Action => ({ kind: 'give-up', reason });
const SUCCESS = sent('Success');
const GO: Action = { kind: 'continue', flushed: SUCCESS };
const WAIT: Action = { kind: 'wait' };
const SEND: Action = { kind: 'send' };

type Row = [what: string, FlushCommand[] | null, age: number, Action];
const TABLE: Row[] = [
  ['no command', [], 0, SEND],
  ['no command, budget spent', [], BUDGET, giveUp('blocked')],
  ['the commands cannot be listed', null, MINUTE, WAIT],
  ['the commands cannot be listed, budget spent', null, BUDGET, giveUp('blocked')],
  ...UNDER_WAY.flatMap((status): Row[] => [
    [`${status}, inside the budget`, [sent(status)], MINUTE, WAIT],
    [`${status}, budget spent`, [sent(status)], BUDGET, giveUp('budget')],
    [`one failed, one ${status}`, [sent('Failed'), sent(status)], MINUTE, WAIT],
  ]),
  ['Success', [SUCCESS], MINUTE, GO],
  ['Success, budget spent', [SUCCESS], 2 * BUDGET, GO],
  ['Success of one of two', [sent('Failed'), SUCCESS], MINUTE, GO],
  ...FAILED.flatMap((status): Row[] => [
    [`${status} once, inside the budget`, [sent(status)], MINUTE, SEND],
    [`${status} twice`, [sent(status), sent(status)], MINUTE, giveUp('failed')],
    [`${status} once, budget spent`, [sent(status)], BUDGET, giveUp('budget')],
  ]),
];

for (const [what, commands, age, action] of TABLE) {
  test(`${what} → ${action.kind}`, () => assert.deepEqual(decide(commands, age, POLICY), action));
}

test('an instance that Systems Manager does not know is asked until it had time to register', () => {
  assert.deepEqual(afterObstacle('unmanaged', 4 * MINUTE, POLICY), WAIT);
  assert.deepEqual(afterObstacle('unmanaged', 5 * MINUTE, POLICY), giveUp('unmanaged'));
  const short = { ...POLICY, budget: MINUTE };
  assert.deepEqual(afterObstacle('unmanaged', MINUTE, short), giveUp('unmanaged'));
});

test('any other obstacle is tried until the budget is spent', () => {
  assert.deepEqual(afterObstacle('blocked', BUDGET - 1, POLICY), WAIT);
  assert.deepEqual(afterObstacle('blocked', BUDGET, POLICY), giveUp('blocked'));
});

test('an unknown status counts as under way', () => {
  assert.equal(commandStatus('Levitating'), 'InProgress');
  assert.equal(commandStatus(undefined), 'InProgress');
  for (const status of [...UNDER_WAY, ...FAILED, 'Success']) assert.equal(commandStatus(status), status);
});

const status = fc.constantFrom<CommandStatus>(...UNDER_WAY, ...FAILED, 'Success');
const command = fc.record({ id: fc.uuid(), status, requestedAt: fc.nat() });
const commands = fc.array(command, { maxLength: 6 });
const anyAge = fc.nat({ max: 3 * BUDGET });
const anyPolicy = fc.record({
  budget: fc.constant(BUDGET),
  maxSends: fc.integer({ min: 1, max: 4 }),
  registration: fc.constant(5 * MINUTE),
});

test('CONTINUE only after a Success, and always after one', () => {
  fc.assert(
    fc.property(commands, anyAge, anyPolicy, (list, age, policy) => {
      const flushed = list.some((c) => c.status === 'Success');
      return (decide(list, age, policy).kind === 'continue') === flushed;
    }),
  );
});

test('past the budget nothing but an end is decided', () => {
  fc.assert(
    fc.property(fc.option(commands), anyPolicy, (list, policy) =>
      ['continue', 'give-up'].includes(decide(list, BUDGET, policy).kind),
    ),
  );
});

test('a flush is never asked for more often than allowed', () => {
  fc.assert(
    fc.property(commands, anyAge, anyPolicy, (list, age, policy) => {
      if (decide(list, age, policy).kind === 'send') assert.ok(list.length < policy.maxSends);
    }),
  );
});

test('commands in another order end the same way', () => {
  fc.assert(
    fc.property(commands, anyAge, anyPolicy, (list, age, policy) => {
      assert.equal(decide(list.toReversed(), age, policy).kind, decide(list, age, policy).kind);
    }),
  );
});

test('the watch always comes to an end within the budget and one pass', () => {
  fc.assert(
    fc.property(fc.array(status, { minLength: 1, maxLength: 4 }), (answers) => {
      // The n-th command has its status from the n-th answer, at once and for good.
      const list: FlushCommand[] = [];
      for (let age = 0; age <= BUDGET + MINUTE; age += MINUTE) {
        const action = decide(list, age, POLICY);
        if (action.kind === 'continue' || action.kind === 'give-up') return;
        if (action.kind === 'send') list.push(sent(answers[list.length] ?? 'Failed'));
      }
      assert.fail('it goes on beyond its budget');
    }),
  );
});
