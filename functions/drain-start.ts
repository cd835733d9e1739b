/** Called when an instance begins to wait: asks it to flush. */
import { drainClients } from './drain/clients.ts';
import { type FlushTarget, listFlushes, sendFlush } from './drain/commands.ts';
import { terminateEvent } from './drain/events.ts';
import { complete, heartbeat } from './drain/lifecycle.ts';
import { drainSettings } from './drain/settings.ts';
import { parseEvent, withLogging } from './runtime/handler.ts';
import { log } from './runtime/log.ts';
import { Measures } from './runtime/metrics.ts';

/** Milliseconds after which an event is taken for late or repeated, so that its flush may have been asked for. */
const LATE_MS = 5000;
/** Milliseconds before an event's time at which its flush cannot have been asked for. */
const SKEW_MS = 2000;

const clients = drainClients();

export const handler = withLogging().handler(async (event: unknown) => {
  const measures = new Measures();
  const { detail, time } = parseEvent(terminateEvent, event);
  const target = {
    instance: detail.EC2InstanceId,
    group: detail.AutoScalingGroupName,
    token: detail.LifecycleActionToken,
  };
  // An instance that leaves a warm pool has flushed when it went there, or has never been in service.
  const outcome = await start(target, Date.parse(time ?? ''), detail.Origin === 'WarmPool', measures);
  measures.write();
  return { instance: target.instance, outcome };
});

type Outcome = 'send' | 'continue' | 'wait' | 'settled';

async function start(
  target: FlushTarget,
  eventTime: number,
  outOfService: boolean,
  measures: Measures,
): Promise<Outcome> {
  const settings = drainSettings();
  const { ssm, autoScaling } = clients;
  // A late event may be about a wait that is over: its instance may be back in service, and must keep its services.
  if (!(await heartbeat(autoScaling, settings.hook, target))) return 'settled';
  if (!(Date.now() - eventTime < LATE_MS)) {
    const from = Number.isNaN(eventTime) ? Date.now() - settings.budget : eventTime - SKEW_MS;
    const found = await listFlushes(ssm, settings, from);
    // Whatever became of it: the watch decides what follows.
    if (found.some(({ instance }) => instance === target.instance)) return 'wait';
  }
  const command = await sendFlush(ssm, settings, target);
  if (command !== null) {
    measures.add('FlushesSent');
    log.info({ ...target, command }, 'asked the instance to flush');
    return 'send';
  }
  if (!outOfService) {
    log.warn({ ...target }, 'Systems Manager does not know the instance yet; the watch retries');
    return 'wait';
  }
  if (!(await complete(autoScaling, settings.hook, target, 'CONTINUE'))) return 'settled';
  measures.add('DrainSucceeded');
  log.info({ ...target }, 'the instance was not in service: nothing to flush');
  return 'continue';
}
