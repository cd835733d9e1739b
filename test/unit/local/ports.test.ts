/** Ports for programs that come back to theirs are ones that nobody gets by chance meanwhile. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { lastingPorts } from '../../../local/ports.ts';

test('lasting ports are free, differ, and are below those that a system chooses from', async (context) => {
  const [taken] = await lastingPorts(1);
  const server = createServer();
  context.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(taken, '127.0.0.1', resolve));
  const ports = await lastingPorts(3);
  assert.equal(new Set([taken, ...ports]).size, 4);
  for (const port of ports) assert.ok(port < 32_768, `${port}`);
});
