/** Called when a flush command has ended: lets the instance go, or leaves it to the watch. */
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import { drain } from './drain/act.ts';
import { commandsOf, listFlushes, WATCH_TOKEN } from './drain/commands.ts';
import { commandStatus } from './drain/decision.ts';
import { invocationEvent } from './drain/events.ts';
import { drainSettings } from './drain/settings.ts';
import { parseEvent, withLogging } from './runtime/handler.ts';
import { log } from './runtime/log.ts';

const clients = { ssm: new SSMClient(), autoScaling: new AutoScalingClient(), sns: new SNSClient() };

export const handler = withLogging().handler(async (event: unknown) => {
  const settings = drainSettings();
  const { detail } = parseEvent(invocationEvent, event);
  const now = Date.now();
  const found = await listFlushes(clients.ssm, settings, now);
  const ended = found.find(({ id }) => id === detail['command-id']);
  if (!ended || ended.instance !== detail['instance-id'] || ended.group === null) {
    log.warn({ ...detail }, 'no termination is known by this command; the watch looks after its instance');
    return { instance: detail['instance-id'], outcome: 'wait' };
  }
  // A command of the watch's says nothing of the token, so that all of the instance's count.
  const token = ended.token === WATCH_TOKEN ? null : ended.token;
  const waiting = { instance: ended.instance, group: ended.group, token };
  // A list may lag behind the event, never the other way round: what is over stays as it ended.
  const commands = commandsOf(found, waiting).map((command) =>
    command.id === ended.id ? { ...command, status: commandStatus(detail.status) } : command,
  );
  const caller = { caller: 'finish', outOfService: false } as const;
  return {
    instance: waiting.instance,
    outcome: await drain(clients, settings, waiting, commands, caller, now),
  };
});
