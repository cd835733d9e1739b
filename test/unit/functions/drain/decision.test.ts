/** The termination decision: the design's table row by row, and what must hold for any commands at any time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Action,
  type CommandStatus,
  commandStatus,
  decide,
  FAILED,
  type FlushCommand,
  type Policy,
  UNDER_WAY,
} from '../../../../functions/drain/decision.ts';

const BUDGET = 3_600_000;
const NOW = 1_800_000_000_000;

function policy(caller: Policy['caller'], outOfService = false): Policy {
  return { budget: BUDGET, maxSends: 2, caller, outOfService };
}

function sent(status: CommandStatus, ago = 60_000): FlushCommand {
  return { id: 'c', status, requestedAt: NOW - ago };
}

const abandon = (reason: string) => ({ kind: 'abandon', reason }) as Action;
const LATE = BUDGET;

type Row = [what: string, FlushCommand[], Policy['caller'], Action];
const TABLE: Row[] = [
  ['no command, the event came', [], 'start', { kind: 'send' }],
  ['no command, the event was lost', [], 'watch', { kind: 'send' }],
  ['no command known to a finish event', [], 'finish', { kind: 'wait' }],
  ['refused: not managed, from the event', [sent('Unmanaged')], 'start', abandon('unmanaged')],
  ['refused: not managed, from the watch', [sent('Unmanaged')], 'watch', abandon('unmanaged')],
  ...UNDER_WAY.flatMap((status): Row[] => [
    [`${status}, inside the budget`, [sent(status)], 'watch', { kind: 'heartbeat' }],
    [`${status}, a repeated event`, [sent(status)], 'start', { kind: 'wait' }],
    [`${status}, budget spent`, [sent(status, LATE)], 'watch', abandon('budget')],
  ]),
  ['Success, finish', [sent('Success')], 'finish', { kind: 'continue' }],
  ['Success, the event was lost', [sent('Success')], 'watch', { kind: 'continue' }],
  ['Success, late', [sent('Success', 2 * LATE)], 'watch', { kind: 'continue' }],
  ['Success of one of two', [sent('Failed'), sent('Success')], 'finish', { kind: 'continue' }],
  ...FAILED.flatMap((status): Row[] => [
    [`${status} once, inside the budget, watch`, [sent(status)], 'watch', { kind: 'send' }],
    [`${status} once, inside the budget, finish`, [sent(status)], 'finish', { kind: 'wait' }],
    [`${status} once, a repeated event`, [sent(status)], 'start', { kind: 'wait' }],
    [`${status} twice, watch`, [sent(status), sent(status)], 'watch', abandon('failed')],
    [`${status} twice, finish`, [sent(status), sent(status)], 'finish', abandon('failed')],
    [`${status} once, budget spent`, [sent(status, LATE)], 'watch', abandon('budget')],
  ]),
  ['one failed, one under way', [sent('Failed'), sent('InProgress')], 'watch', { kind: 'heartbeat' }],
  ['two duplicates under way', [sent('Pending'), sent('Pending')], 'watch', { kind: 'heartbeat' }],
];

for (const [what, commands, caller, action] of TABLE) {
  test(`${what} → ${action.kind}`, () => assert.deepEqual(decide(commands, NOW, policy(caller)), action));
}

test('a refused instance that was out of service goes', () => {
  assert.deepEqual(decide([sent('Unmanaged')], NOW, policy('start', true)), { kind: 'continue' });
});

test('a status that is not known counts as under way', () => {
  assert.equal(commandStatus('Levitating'), 'InProgress');
  assert.equal(commandStatus(undefined), 'InProgress');
  for (const status of [...UNDER_WAY, ...FAILED, 'Success']) assert.equal(commandStatus(status), status);
});

const status = fc.constantFrom<CommandStatus>(...UNDER_WAY, ...FAILED, 'Success', 'Unmanaged');
const command = fc.record({
  id: fc.uuid(),
  status,
  requestedAt: fc.integer({ min: NOW - 3 * BUDGET, max: NOW }),
});
const commands = fc.array(command, { maxLength: 6 });
const anyPolicy = fc.record({
  budget: fc.constant(BUDGET),
  maxSends: fc.integer({ min: 1, max: 4 }),
  caller: fc.constantFrom('start', 'finish', 'watch'),
  outOfService: fc.boolean(),
}) as fc.Arbitrary<Policy>;

test('CONTINUE only after a Success, or where nobody was ever in service', () => {
  fc.assert(
    fc.property(commands, anyPolicy, (list, rules) => {
      if (decide(list, NOW, rules).kind !== 'continue') return true;
      return (
        list.some((c) => c.status === 'Success') ||
        (rules.outOfService && list.some((c) => c.status === 'Unmanaged'))
      );
    }),
  );
});

test('past the budget nothing but an end is decided, by whoever looks', () => {
  fc.assert(
    fc.property(commands, anyPolicy, command, (list, rules, old) => {
      const spent = [...list, { ...old, requestedAt: NOW - BUDGET }];
      const kind = decide(spent, NOW, rules).kind;
      assert.equal(kind, spent.some((c) => c.status === 'Success') ? 'continue' : 'abandon');
    }),
  );
});

test('a flush is never asked for more often than allowed, and again by the watch alone', () => {
  fc.assert(
    fc.property(commands, anyPolicy, (list, rules) => {
      if (decide(list, NOW, rules).kind !== 'send') return;
      assert.ok(list.length < rules.maxSends);
      assert.ok(list.length === 0 || rules.caller === 'watch');
    }),
  );
});

test('commands listed twice or in another order end the same way', () => {
  const ends = (action: Action) => (action.kind === 'continue' || action.kind === 'abandon' ? action : null);
  fc.assert(
    fc.property(commands, anyPolicy, (list, rules) => {
      assert.deepEqual(decide(list.toReversed(), NOW, rules), decide(list, NOW, rules));
      const end = ends(decide(list, NOW, rules));
      if (end !== null) assert.deepEqual(decide([...list, ...list], NOW, rules), end);
    }),
  );
});

test('the watch alone always comes to an end within the budget and one pass', () => {
  fc.assert(
    fc.property(fc.array(status, { minLength: 1, maxLength: 4 }), (answers) => {
      // The n-th command has its status from the n-th answer, at once and for good.
      const list: FlushCommand[] = [];
      const rules = policy('watch');
      for (let now = NOW; now <= NOW + BUDGET + 60_000; now += 60_000) {
        const action = decide(list, now, rules);
        if (action.kind === 'continue' || action.kind === 'abandon') return;
        if (action.kind === 'send') {
          list.push({ id: `${list.length}`, status: answers[list.length] ?? 'Failed', requestedAt: now });
        }
      }
      assert.fail('it goes on beyond its budget');
    }),
  );
});
