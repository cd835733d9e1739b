/** What most tests of an agent begin with: a folder, a stream in memory, and a followed log. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentStatus } from '../../producer/status.ts';
import { statusOf, temporaryDirectory } from './agent-process.ts';
import { KinesisDouble } from './kinesis-double.ts';

/**
 * Prepares an agent that follows `app.log`, without starting it.
 *
 * @param options keys of agent.yaml in place of the usual ones; those of `stream` besides them
 */
export async function prepareAgent(
  context: { readonly after: (done: () => Promise<void> | void) => void },
  options: Readonly<Record<string, unknown>> & { readonly stream?: object } = {},
) {
  const directory = temporaryDirectory(context);
  const kinesis = await KinesisDouble.start();
  context.after(() => kinesis.stop());
  const log = join(directory, 'app.log');
  writeFileSync(log, '');
  const config = {
    inputs: [{ type: 'tail', path: log, tag: 'app', format: 'none' }],
    instance: { watch: 'off' },
    ...options,
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint, ...options.stream },
  };
  /** The status, whose numbers of events agree at any moment. */
  const status = async (): Promise<AgentStatus> => {
    const found = await statusOf(directory);
    const { in: taken, open, spooled, acknowledged, quarantined } = found.events;
    assert.equal(taken, open + spooled + acknowledged + quarantined, JSON.stringify(found.events));
    return found;
  };
  return { directory, kinesis, log, config, state: join(directory, 'state'), status };
}

/** Lines `line 1`, `line 2`, … as a followed log has them. */
export function numberedLines(from: number, to: number): string {
  let text = '';
  for (let n = from; n <= to; n++) text += `line ${n}\n`;
  return text;
}
