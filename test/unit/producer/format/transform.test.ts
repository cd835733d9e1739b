import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as z from 'zod/mini';
import { Transform, transformOptions } from '../../../../producer/format/transform.ts';
import { events, format } from '../../../support/format-harness.ts';

const LINE =
  '192.0.2.17 - bob [23/Nov/2026:20:30:00 +0000] "GET /a?token=secret&x=1 HTTP/1.1" 200 12 "https://r/" "curl"';

const placeholder = (name: string) => `\${${name}}`;

/** Through the parser on bytes and, of the untransformed event, through the function on objects. */
function both(transform: unknown, line = LINE): Record<string, unknown> | null {
  const [onBytes = null] = events('nginx', [line], transform);
  const record = events('nginx', [line])[0]!;
  const compiled = new Transform(z.parse(transformOptions, transform), { hostname: 'web-1' });
  const onObject = compiled.apply(record) ? record : null;
  assert.deepEqual(onBytes, onObject);
  const [asJson = null] = events('json', [JSON.stringify(events('nginx', [line])[0])], transform);
  assert.deepEqual(asJson, onObject);
  return onBytes;
}

test('add, with placeholders and of any type; an added field replaces', () => {
  const event = both({ add: { host: placeholder('hostname'), n: 7, ok: true, agent: 'other' } })!;
  assert.equal(event.host, 'web-1');
  assert.equal(event.n, 7);
  assert.equal(event.ok, true);
  assert.equal(event.agent, 'other');
});

test('a placeholder that the host has no value for leaves its field out; an unknown one is refused', () => {
  assert.ok(!('i' in events('nginx', [LINE], { add: { i: placeholder('instance_id') } })[0]!));
  assert.throws(
    () => events('nginx', [LINE], { add: { i: placeholder('nonsense') } }),
    /add\.i: \$\{nonsense\} is not known/,
  );
});

test('rename and remove', () => {
  const event = both({ rename: { remote: 'client', method: 'agent' }, remove: ['size', 'time'] })!;
  assert.equal(event.client, '192.0.2.17');
  assert.equal(event.agent, 'GET');
  for (const gone of ['remote', 'method', 'size', 'time']) assert.ok(!(gone in event));
});

test('include and exclude', () => {
  assert.ok(
    both({
      include: [
        { field: 'path', pattern: '^/a' },
        { field: 'code', pattern: '^2' },
      ],
    }),
  );
  assert.equal(
    both({
      include: [
        { field: 'path', pattern: '^/a' },
        { field: 'code', pattern: '^5' },
      ],
    }),
    null,
  );
  assert.equal(both({ include: [{ field: 'missing', pattern: '' }] }), null);
  assert.equal(both({ exclude: [{ field: 'agent', pattern: 'curl' }] }), null);
  assert.ok(both({ exclude: [{ field: 'missing', pattern: '' }] }));
  const { tally } = format('nginx', [LINE], { exclude: [{ field: 'agent', pattern: 'curl' }] });
  assert.deepEqual([tally.events, tally.excluded], [0, 1]);
});

test('redactions are counted by the values that they change', () => {
  const redacted = { value: 0 };
  const transform = new Transform({ redact: [{ field: 'path', query: ['token'] }] }, {}, redacted);
  transform.apply({ path: '/a?token=secret' });
  transform.apply({ path: '/a?other=1' });
  assert.equal(redacted.value, 1);
});

test('redact: a field, a query parameter, an address, a pattern', () => {
  const event = both({
    redact: [
      { field: 'user', mask: true },
      { field: 'path', query: ['token'] },
      { field: 'remote', ip: 'truncate' },
      { field: 'referer', pattern: 'r', replace: 'R' },
      { field: 'code', mask: true },
    ],
  })!;
  assert.equal(event.user, '***');
  assert.equal(event.path, '/a?token=***&x=1');
  assert.equal(event.remote, '192.0.2.0');
  assert.equal(event.referer, 'https://R/');
  assert.equal(event.code, '***');
});

test('query parameters: wherever they stand, however their names are written', () => {
  const mask = (path: string) => {
    const record = { path };
    new Transform({ redact: [{ field: 'path', query: ['a', 'b c'] }] }).apply(record);
    return record.path;
  };
  assert.equal(mask('/x?a=1'), '/x?a=***');
  assert.equal(mask('/x?a=1&z=2;a=3&a&a=#a=1'), '/x?a=***&z=2;a=***&a&a=***#a=***');
  assert.equal(mask('/x?%61=1&b+c=2&b%20c=3&%zz=4'), '/x?%61=***&b+c=***&b%20c=***&%zz=4');
  assert.equal(mask('/a=1'), '/a=1');
  assert.equal(mask('/x?'), '/x?');
  assert.equal(mask('/x?&=a=1&'), '/x?&=a=1&');
  assert.equal(mask('/x?A=1&a[]=2&a%5Bk%5D=3&[a]=4&ab[]=5'), '/x?A=***&a[]=***&a%5Bk%5D=***&[a]=4&ab[]=5');
});

test('what is left out by a pattern is looked at before it is hidden', () => {
  const redact = [{ field: 'user', mask: true }];
  assert.ok(both({ redact, include: [{ field: 'user', pattern: '^bob$' }] }));
});

test('addresses: IPv6, IPv4 inside IPv6, lists; hashes that a key makes', () => {
  const redact = (value: string, rule: object) => {
    const record = { ip: value };
    new Transform(z.parse(transformOptions, { redact: [{ field: 'ip', ...rule }] })).apply(record);
    return record.ip;
  };
  const truncate = (value: string) => redact(value, { ip: 'truncate' });
  assert.equal(truncate('2001:db8:1:2:3:4:5:6'), '2001:db8:1::');
  assert.equal(truncate('2001:db8::1'), '2001:db8:0::');
  assert.equal(truncate('::1'), '0:0:0::');
  assert.equal(truncate('::ffff:192.0.2.17'), '::ffff:192.0.2.0');
  assert.equal(truncate('203.0.113.9, 10.1.2.3'), '203.0.113.0, 10.1.2.0');
  assert.equal(truncate('010.001.002.003:80'), '010.001.002.0:80');
  assert.equal(truncate('1.2.3.256'), '1.2.3.256');
  assert.equal(truncate('unknown'), 'unknown');
  const hash = (value: string, key: string) => redact(value, { ip: 'hash', key });
  assert.match(hash('192.0.2.17', 'k'), /^[0-9a-f]{16}$/);
  assert.equal(hash('192.0.2.17', 'k'), hash('192.0.2.17', 'k'));
  assert.notEqual(hash('192.0.2.17', 'k'), hash('192.0.2.17', 'l'));
});

test('names may lead into nested objects, and numbers come out as they went in', () => {
  const line = '{"user":{"email":"a@b","id":12345678901234567890},"p":1.50}';
  const { lines } = format('json', [line], { redact: [{ field: 'user.email', mask: true }] });
  assert.equal(lines[0]!.json, '{"user":{"email":"***","id":12345678901234567890},"p":1.50}');
});

test('the message of the format none, and a redaction that makes a value longer', () => {
  const longer = (field: string, pattern: string) => ({
    redact: [{ field, pattern, replace: 'x'.repeat(200_000) }],
  });
  const { message } = events('none', ['a secret'], longer('message', 'secret'))[0]!;
  assert.equal(String(message).length, 200_002);
  const event = events('nginx', [LINE], longer('agent', 'curl'))[0]!;
  assert.equal(event._unparsed, undefined);
  assert.equal(String(event.agent).length, 200_000);
});

test('faults of a configuration', () => {
  const fault = (options: unknown) => z.safeParse(transformOptions, options).error?.issues[0]?.message ?? '';
  assert.match(fault({ redact: [{ field: 'a' }] }), /exactly one/);
  assert.match(fault({ redact: [{ field: 'a', ip: 'hash' }] }), /needs a key/);
  assert.match(fault({ include: [{ field: 'a', pattern: '(' }] }), /regular expression/);
  assert.throws(() => new Transform({ rename: { a: 'c', b: 'c' } }), /given twice/);
});

test('property: on bytes, on JSON and on objects transforms do the same', () => {
  const field = fc.constantFrom(
    'remote',
    'user',
    'time',
    'method',
    'path',
    'protocol',
    'code',
    'size',
    'agent',
    'none',
  );
  const pattern = fc.constantFrom('^2', '[a-z]', 'curl', '\\d', 'GET');
  const transform = fc.record(
    {
      add: fc.dictionary(field, fc.oneof(fc.string(), fc.integer(), fc.boolean()), { maxKeys: 2 }),
      rename: fc.uniqueArray(field, { minLength: 2, maxLength: 2 }).map(([from, to]) => ({ [from!]: to! })),
      remove: fc.array(field, { maxLength: 2 }),
      include: fc.array(fc.record({ field, pattern }), { maxLength: 1 }),
      exclude: fc.array(fc.record({ field, pattern }), { maxLength: 1 }),
      redact: fc.array(fc.record({ field, mask: fc.constant(true as const) }), { maxLength: 1 }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      transform,
      fc.constantFrom(LINE, LINE.replace('bob', '-').replace('200', '404')),
      (options, line) => {
        const given = new Set(Object.keys(options.add ?? {}));
        fc.pre(!Object.values(options.rename ?? {}).some((target) => given.has(target)));
        both(options, line);
      },
    ),
    { numRuns: 500 },
  );
});
