import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Runs } from '../../../archive/runs.ts';

const small = fc.integer({ min: 1, max: 60 });
const ranges = fc.array(fc.tuple(small, small).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const));

function ofRanges(list: readonly (readonly [number, number])[]): { runs: Runs; model: Set<number> } {
  const runs = new Runs();
  const model = new Set<number>();
  for (const [first, last] of list) {
    runs.addRange(first, last);
    for (let n = first; n <= last; n++) model.add(n);
  }
  return { runs, model };
}

/** Equal to the model, and in the one form that a set has. */
function assertEqual(runs: Runs, model: ReadonlySet<number>): void {
  for (let n = 1; n <= 62; n++) assert.equal(runs.has(n), model.has(n), `${n} in ${runs}`);
  assert.equal(runs.count, model.size);
  assert.equal(runs.last, Math.max(0, ...model));
  let end = -1;
  for (const [first, last] of runs) {
    assert.ok(first > end + 1 && last >= first, `${runs}`);
    end = last;
  }
  assert.equal(Runs.parse(runs.toString()).toString(), runs.toString());
}

test('runs hold what a set holds, added one by one', () => {
  fc.assert(
    fc.property(fc.array(small), (numbers) => {
      const runs = new Runs();
      const model = new Set<number>();
      for (const n of numbers) {
        assert.equal(runs.add(n), !model.has(n));
        model.add(n);
      }
      assertEqual(runs, model);
    }),
  );
});

test('ranges are added and removed as in a set', () => {
  fc.assert(
    fc.property(ranges, ranges, (added, removed) => {
      const { runs, model } = ofRanges(added);
      for (const [first, last] of removed) {
        runs.removeRange(first, last);
        for (let n = first; n <= last; n++) model.delete(n);
      }
      assertEqual(runs, model);
    }),
  );
});

test('union, subtraction and gaps agree with sets', () => {
  fc.assert(
    fc.property(ranges, ranges, (a, b) => {
      const both = ofRanges(a);
      const other = ofRanges(b);
      assertEqual(both.runs.intersection(other.runs), both.model.intersection(other.model));
      both.runs.union(other.runs);
      assertEqual(both.runs, both.model.union(other.model));
      both.runs.subtract(other.runs);
      const rest = both.model.difference(other.model);
      assertEqual(both.runs, rest);
      const missing = [...both.runs.gaps()].flatMap(([x, y]) =>
        Array.from({ length: y - x + 1 }, (_, i) => x + i),
      );
      const expected = Array.from({ length: both.runs.last }, (_, i) => i + 1).filter((n) => !rest.has(n));
      assert.deepEqual(missing, expected);
    }),
  );
});

test('long lists of single numbers are united as sets are', () => {
  const singles = fc.array(
    small.map((n) => [n, n] as const),
    { minLength: 10, maxLength: 60 },
  );
  fc.assert(
    fc.property(singles, singles, (a, b) => {
      const both = ofRanges(a);
      const other = ofRanges(b);
      both.runs.union(other.runs);
      assertEqual(both.runs, both.model.union(other.model));
    }),
  );
});

test('a lane that arrives in order is one run', () => {
  const runs = new Runs();
  for (let n = 1; n <= 904; n++) runs.add(n);
  assert.equal(runs.toString(), '1-904');
});

test('text that is not a list of runs is refused', () => {
  for (const text of ['0', '1-', '3-2', '1,2', '5,1', '1-3,3', 'a', '1,,3', ' 1', '99999999999999999']) {
    assert.throws(() => Runs.parse(text), { code: 'BAD_RUNS' }, text);
  }
  for (const text of ['-3', '1-2-3', '01', '1-02', ',1', '9007199254740992', '1\n', '１']) {
    assert.throws(() => Runs.parse(text), { code: 'BAD_RUNS' }, text);
  }
  assert.equal(Runs.parse('9007199254740991').last, Number.MAX_SAFE_INTEGER);
  assert.equal(Runs.parse('').count, 0);
});
