import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { agentConfig } from '../../../producer/config.ts';

const tail = { type: 'tail', path: '/var/log/a.log', tag: 'a', format: 'none' };

function faults(inputs: readonly object[]): string[] {
  const stream = { name: 'weblogs', region: 'eu-central-1' };
  const result = z.safeParse(agentConfig, { state_dir: '/var/lib/tailrace', stream, inputs });
  return (result.error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

test('two inputs under one name would share their positions: one of them needs an id', () => {
  const [fault] = faults([tail, { ...tail, tag: 'b', format: 'json' }]);
  assert.match(fault!, /^inputs\.1: has the name of inputs\[0\], tail:\/var\/log\/a\.log/);
  assert.deepEqual(faults([tail, { ...tail, id: 'b' }]), []);
  assert.match(faults([{ ...tail, id: 'b' }, tail, { ...tail, id: 'b' }])[0]!, /^inputs\.2: .*inputs\[0\]/);
});
