/** Which producers are declared gone: what is not an id, or nobody's, is said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { policyOf, unknownGone, withHoursOptions } from '../../../cli/hours-options.ts';

function parse(...args: string[]) {
  const command = withHoursOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return command
    .parse(args, { from: 'user' })
    .opts<{ lateness: number; silentAfter: number; gone?: string[] }>();
}

test('--gone takes the beginning of an id, any number of times', () => {
  const options = parse('--gone', 'd1990f', '--gone', '00');
  const { isGone } = policyOf(options, 0);
  assert.deepEqual(
    ['d1990f97a1f4', '00ff', 'd2', '0d1990f'].map((id) => isGone(id)),
    [true, true, false, false],
  );
  for (const text of ['', 'xyz', 'D1', '0'.repeat(33)])
    assert.throws(() => parse('--gone', text), { code: 'commander.invalidArgument' }, text);
});

test('an id that no producer has is named', () => {
  const without = new Set(['d1990f97a1f4']);
  assert.equal(unknownGone(parse('--gone', 'd19'), without), '');
  assert.match(
    unknownGone(parse('--gone', 'd19', '--gone', 'd18'), without),
    /^--gone d18: no producer .*\n$/,
  );
  assert.equal(unknownGone(parse(), without), '');
});
