/** Called when a flush command has ended: lets the instance go if it flushed; the watch decides all else. */
import { drainClients } from './drain/clients.ts';
import { findFlush } from './drain/commands.ts';
import { invocationEvent } from './drain/events.ts';
import { complete } from './drain/lifecycle.ts';
import { drainSettings } from './drain/settings.ts';
import { parseEvent, withLogging } from './runtime/handler.ts';
import { log } from './runtime/log.ts';
import { Measures } from './runtime/metrics.ts';

const clients = drainClients();

export const handler = withLogging().handler(async (event: unknown) => {
  const { detail } = parseEvent(invocationEvent, event);
  const instance = detail['instance-id'];
  const left = (why: string) => {
    log.info({ ...detail }, `${why}; the watch decides`);
    return { instance, outcome: 'wait' };
  };
  if (detail.status !== 'Success') return left('the flush did not succeed');
  const { hook } = drainSettings();
  const command = await findFlush(clients.ssm, detail['command-id']);
  if (!command || command.instance !== instance || command.group === null) {
    return left('the command is not listed as one of ours');
  }
  // The event may be late, and the instance may be in another wait: only a token says that this command was sent for its wait.
  if (command.token === null) return left('the watch sent the command');
  const action = { instance, group: command.group, token: command.token };
  if (!(await complete(clients.autoScaling, hook, action, 'CONTINUE')))
    return { instance, outcome: 'settled' };
  const measures = new Measures();
  measures.add('DrainSucceeded');
  measures.write();
  log.info({ ...action, command: command.id }, 'the instance has flushed and goes');
  return { instance, outcome: 'continue' };
});
