/** Lines that are kept as text: what redact, exclude and the policy for them do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { format } from '../../../support/format-harness.ts';

const LINE = 'oops "GET /a?x=1&token=secret HTTP/1.1" from 192.0.2.17:5000, [2001:db8:1:2::3] user=bob';

function kept(transform: object, line = LINE) {
  const { lines, tally } = format('nginx', [line], transform);
  return { event: lines[0] && (JSON.parse(lines[0].json) as Record<string, unknown>), tally };
}

test('by default whatever a redaction finds by itself is hidden, and a line is hashed where one finds nothing', () => {
  const redact = [
    { field: 'path', query: ['token'] },
    { field: 'remote', ip: 'truncate' },
    { field: 'agent', pattern: 'bob', replace: 'B' },
  ];
  assert.deepEqual(kept({ redact }).event, {
    message: 'oops "GET /a?x=1&token=***" from 192.0.2.0:5000, [2001:db8:1::] user=B',
    _unparsed: true,
  });
  const { event, tally } = kept({ redact: [...redact, { field: 'user', mask: true }] });
  assert.match(String(event!._hash), /^[0-9a-f]{32}$/);
  assert.deepEqual({ ...event, _hash: '' }, { message: '***', _hash: '', _unparsed: true });
  assert.deepEqual([tally.unparsed, tally.hashed], [1, 1]);
});

test('unparsed: keep, and hash', () => {
  const redact = [{ field: 'path', query: ['token'] }];
  assert.equal(kept({ redact, unparsed: 'keep' }).event!.message, LINE);
  const hashed = kept({ redact: [{ field: 'remote', ip: 'hash', key: 'k' }], unparsed: 'hash' });
  assert.equal(hashed.event!.message, '***');
  const other = kept({ redact: [{ field: 'remote', ip: 'hash', key: 'k' }], unparsed: 'hash' });
  assert.equal(hashed.event!._hash, other.event!._hash);
});

test('exclude, include and redact of the field message act on it', () => {
  assert.equal(kept({ exclude: [{ field: 'message', pattern: '^oops' }] }).tally.excluded, 1);
  assert.equal(kept({ include: [{ field: 'message', pattern: '^fine' }] }).tally.excluded, 1);
  assert.equal(kept({ exclude: [{ field: 'agent', pattern: 'oops' }] }).event!.message, LINE);
  const redact = [{ field: 'message', pattern: 'b.b' }];
  assert.equal(kept({ redact }).event!.message, LINE.replace('bob', '***'));
  assert.equal(kept({ redact, unparsed: 'keep' }).event!.message, LINE.replace('bob', '***'));
});

test('parameters in text: escaped names, values up to the next separator or quote', () => {
  const redact = [{ field: 'path', query: ['token'] }];
  const message = (line: string) => kept({ redact }, line).event!.message;
  assert.equal(message('{"u":"/?%74oken=a b\\"c","x":1}'), '{"u":"/?%74oken=***","x":1}');
  assert.equal(message('/?x=1\\x26token=a&b=2'), '/?x=1\\x26token=***&b=2');
  assert.equal(message('token=a tokens=b'), 'token=***');
  assert.equal(message('=a&=&token'), '=a&=&token');
});

test('what is not an address stays, and what a cut leaves of one does not', () => {
  const redact = [{ field: 'remote', ip: 'truncate' }];
  const message = (line: string) => kept({ redact }, line).event!.message;
  const same = 'at 21:04:07 std::format 1.2.3 1.2.3.4.5 a:b';
  assert.equal(message(same), same);
  assert.equal(
    message('192.0.2.17. x192.0.2.18 ::ffff:192.0.2.19'),
    '192.0.2.0. x192.0.2.0 ::ffff:192.0.2.0',
  );
});
