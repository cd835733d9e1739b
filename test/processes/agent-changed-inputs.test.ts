/** Inputs that the configuration gives other paths, ids or listeners between two runs: nothing is lost or repeated. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAgent, tailrace } from '../support/agent-process.ts';
import { prepareAgent } from '../support/tailing-agent.ts';

test('each line of two logs comes once, whatever inputs follow them from run to run', async (context) => {
  const { directory, kinesis, config, state } = await prepareAgent(context);
  const folder = join(directory, 'logs');
  mkdirSync(folder);
  const logs = ['app.log', 'web.log'].map((name) => join(folder, name));
  const [app, web] = logs as [string, string];
  const tail = (path: string | readonly string[], more = {}) => ({
    ...{ type: 'tail', path, tag: 'app', format: 'none', ...more },
  });
  const expected: string[] = [];
  const write = (): void => {
    for (const log of logs) {
      expected.push(`${log} ${expected.length}`);
      appendFileSync(log, `${expected.at(-1)}\n`);
    }
  };
  const runs: [what: string, inputs: readonly object[]][] = [
    ['both', [tail([app, web])]],
    ['in another order, and one more', [tail([web, app, join(folder, 'new.log')])]],
    ['ids', [tail(app, { id: 'one' }), tail(web, { id: 'two' })]],
    ['one moved to the other', [tail([app, web], { id: 'one' }), tail(join(folder, 'x'), { id: 'two' })]],
    ['as before', [tail([app, web])]],
  ];
  for (const [what, inputs] of runs) {
    write();
    // What was rotated before the very first start is history.
    for (const log of expected.length > 2 ? logs : []) {
      rmSync(`${log}.1`, { force: true });
      renameSync(log, `${log}.1`);
      writeFileSync(log, '');
    }
    write();
    const agent = await startAgent(directory, { ...config, inputs });
    write();
    const flushed = await tailrace(['flush', '--state', state]);
    assert.equal(flushed.code, 0, flushed.stderr);
    write();
    agent.child.kill('SIGKILL');
    await agent.ended;
    const messages = kinesis.events().map((event) => (event as { message: string }).message);
    assert.deepEqual(
      messages.toSorted(),
      messages.filter((message, i) => messages.indexOf(message) === i).toSorted(),
      `${what}: repeated`,
    );
    const missing = expected.slice(0, -2).filter((line) => !messages.includes(line));
    assert.deepEqual(missing, [], `${what}: lost`);
  }
});
