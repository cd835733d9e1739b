/** Patterns: the quick look never misses a line that matches. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { withinTime } from '../../../../cli/grep/bounded.ts';
import { compilePattern } from '../../../../cli/grep/pattern.ts';

const OPTIONS = { fixed: false, ignoreCase: false };

test('the quick look at many lines takes every text of which a line matches', () => {
  const atom = fc.constantFrom(
    'a',
    'b',
    '.',
    '[^a]',
    '\\s',
    '\\b',
    '\\B',
    '^',
    '$',
    '(?-m:^)',
    '(?i-m:$)',
    'b*',
    'a+?',
    '\\W',
    '(?:)',
    '"',
  );
  const expression = fc
    .tuple(
      fc.array(atom, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('', '(?!b)', '(?<!a)', '(?=a)', '(?<=b)', '(?![^]*a)', '(a|\\n)\\1'),
      fc.array(atom, { maxLength: 3 }),
    )
    .map(([before, around, after]) => before.join('') + around + after.join(''));
  const line = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '"', '\r'), maxLength: 6 });
  fc.assert(
    fc.property(
      expression,
      fc.array(line, { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      (source, lines, ignoreCase) => {
        let pattern: ReturnType<typeof compilePattern>;
        try {
          pattern = compilePattern(source, { fixed: false, ignoreCase });
        } catch {
          return;
        }
        if (lines.some((text) => pattern.matches(text))) assert.ok(pattern.mayMatch(`${lines.join('\n')}\n`));
      },
    ),
    { numRuns: 2000 },
  );
});

test('text is taken as it is, case as requested; what matches is marked', () => {
  const text = compilePattern('a.b(', { fixed: true, ignoreCase: false });
  assert.deepEqual(
    [text.matches('xa.b(y'), text.matches('xaxb(y'), text.matches('A.b(')],
    [true, false, false],
  );
  const folded = compilePattern('Ä.', { fixed: true, ignoreCase: true });
  assert.deepEqual([folded.matches('ä.'), folded.matches('äx')], [true, false]);
  assert.deepEqual(compilePattern('b*', OPTIONS).spans('abbab'), [
    [1, 3],
    [4, 5],
  ]);
  assert.throws(() => compilePattern('(', OPTIONS), {
    code: 'CONFIG',
    message: /^the pattern .*-F takes it as text$/,
  });
});

test('a pattern that backtracks without end is ended, and the next one has its time', () => {
  const endless = compilePattern('(a+)+$', OPTIONS);
  const line = `${'a'.repeat(60)}b`;
  assert.ok(endless.backtracks);
  assert.throws(() => withinTime(() => endless.matches(line), 20), {
    code: 'CONFIG',
    message: /repetitions/,
  });
  assert.equal(
    withinTime(() => endless.matches('aa')),
    true,
  );
  assert.throws(() => withinTime(() => JSON.parse('{')), SyntaxError);
  assert.equal(compilePattern('a|b|[cd]', OPTIONS).backtracks, false);
});
