import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpillFloor } from '../../../producer/flush/floor.ts';
import { ChunkIds } from '../../../producer/forward/chunk-ids.ts';
import { Partials } from '../../../producer/forward/partials.ts';
import { Identity } from '../../../producer/identity.ts';
import { recordHeader } from '../../../producer/spool/record.ts';
import { recoverSegment } from '../../../producer/spool/recovery.ts';
import { type Json, StateMap } from '../../../producer/state.ts';

const INVALID = { code: 'STATE_INVALID', retriable: false };

/** Each refuses the forms that it did not write, and names the part. */
function refuses(read: (state: StateMap) => void, key: string, forms: readonly Json[]): void {
  for (const form of forms) {
    assert.throws(() => read(new StateMap([[key, form]])), { ...INVALID, message: new RegExp(key) });
  }
}

test('an identity of another form is refused: a guess could give two chunks one number', () => {
  const saved = { producer: 'a'.repeat(32), machine: 'm', epoch: '0'.repeat(16), ordinal: 7 };
  const identity = (state: StateMap): Identity => new Identity(state, 'm', 1);
  assert.equal(identity(new StateMap([['identity', saved]])).producer, saved.producer);
  refuses(identity, 'identity', [
    7,
    { ...saved, epoch: '1' },
    { ...saved, ordinal: -1 },
    { ...saved, ordinal: 1.5 },
    { ...saved, producer: 'A'.repeat(32) },
    { producer: saved.producer },
  ]);
});

test('the floor of a spill, chunk ids and partial messages of another form are refused', () => {
  const epoch = '0'.repeat(16);
  assert.equal(new SpillFloor(new StateMap([['spilled', { epoch, at: 1 }]]), 10).oldest(5), epoch);
  refuses((state) => new SpillFloor(state, 10).oldest(5), 'spilled', [epoch, { epoch, at: '1' }, { at: 1 }]);
  refuses((state) => new ChunkIds({ ttl: 1, max: 1 }, state), 'ids/1', [['a'], { ids: 'a' }, { ids: [1] }]);
  const line = { tag: 'a', seconds: 1, nanoseconds: 0, fields: 0, rest: '', seen: 1, bytes: 0, last: 0 };
  assert.equal(new Partials(new StateMap([['part/a', { ...line, parts: [] }]]), 0).size, 1);
  refuses((state) => new Partials(state, 0), 'part/a', [line, { ...line, parts: [['1', '']] }, 'a']);
});

test('the state of a cut in another form is refused, although its checksum is right', () => {
  const segment = (payload: Buffer): Buffer => Buffer.concat([recordHeader('state', payload), payload]);
  const good = { cut: 1, full: true, chunks: 0, sections: { input: { position: [1, null, 'a'] } } };
  const recovered = recoverSegment(segment(Buffer.from(JSON.stringify(good))), false);
  assert.deepEqual(recovered.cuts[0]?.state, good);
  for (const text of [
    'no JSON',
    '[]',
    JSON.stringify({ ...good, cut: 0 }),
    JSON.stringify({ ...good, full: 'yes' }),
    JSON.stringify({ ...good, sections: { input: [] } }),
    JSON.stringify({ cut: 1, full: true, chunks: 0 }),
  ]) {
    assert.throws(() => recoverSegment(segment(Buffer.from(text)), false), INVALID, text);
  }
});
