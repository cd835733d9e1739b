/**
 * One pass of the watch. First every wait is prolonged, whatever else fails; then each is decided for; then those that
 * are retained are looked at. A pass that runs out of time is continued by the next one.
 */
import { TerminateInstanceInAutoScalingGroupCommand } from '@aws-sdk/client-auto-scaling';
import type { EC2Client } from '@aws-sdk/client-ec2';
import { atOnce } from '../../base/at-once.ts';
import { log } from '../runtime/log.ts';
import type { Measures } from '../runtime/metrics.ts';
import { sendAlert } from './alert.ts';
import type { DrainClients } from './clients.ts';
import { commandsOfWait, type FoundCommand, listedSince, listFlushes, sendFlush } from './commands.ts';
import { type Action, afterObstacle, decide, type GiveUpReason } from './decision.ts';
import { isGone } from './gone.ts';
import { complete, heartbeat } from './lifecycle.ts';
import type { WatchMemory } from './memory.ts';
import { type Retained, retainedToEnd } from './retained.ts';
import type { DrainSettings, WatchSettings } from './settings.ts';
import {
  activitiesOf,
  type Census,
  ends,
  groupsOfHookAlone,
  type Member,
  outOfService,
  retains,
  takeCensus,
} from './waits.ts';

/** Calls at once: 1,000 instances at 100 ms a call are served in 4 s a step. */
const CONCURRENCY = 25;
/** Milliseconds before the end of the function after which no further heartbeat, or no further decision, is begun. */
const HEARTBEAT_RESERVE_MS = 8000;
const DECISION_RESERVE_MS = 5000;

export interface WatchTools {
  readonly clients: DrainClients;
  readonly ec2: EC2Client;
  readonly settings: DrainSettings;
  readonly watched: WatchSettings;
  readonly memory: WatchMemory;
  readonly measures: Measures;
  readonly now: number;
  /** Milliseconds until the function is ended. */
  readonly remaining: () => number;
}

export type Outcome = 'send' | 'wait' | 'continue' | 'gone' | 'abandon' | 'release' | 'settled';

export class WatchPass {
  readonly outcomes: Record<string, Outcome> = {};
  readonly failures: unknown[] = [];
  readonly #tools: WatchTools;
  /** Waits that are not those of our hook, or are over. */
  readonly #settled = new Set<string>();
  /** By instance; null when they cannot be listed. */
  #found: ReadonlyMap<string, readonly FoundCommand[]> | null = null;
  #begun: ReadonlyMap<string, number> = new Map();
  /** How many more instances may be retained, and those for which a place is taken that may become free. */
  #room = 0;
  readonly #taking = new Set<Promise<unknown>>();

  constructor(tools: WatchTools) {
    this.#tools = tools;
  }

  async run(): Promise<void> {
    const { clients, settings, watched, memory, measures, now } = this.#tools;
    const census = await this.#try('the groups', () => takeCensus(clients.autoScaling, watched.groups));
    if (census) {
      memory.note(census.waiting, now);
      measures.add('InstancesWaiting', census.waiting.length);
      measures.add('InstancesRetained', census.retained.length);
      measures.add('GroupsMissing', watched.groups.length - census.groups.length);
      measures.add('GroupsNotRetaining', census.groups.filter((group) => !retains(group)).length);
    }
    // Without an answer those that waited a minute ago are looked after.
    const members = [...memory.waiting, ...(census?.retained ?? [])];
    if (members.length === 0) return;
    const oldest = listedSince(now, settings);
    const begun = this.#try('the activities', () => activitiesOf(clients.autoScaling, members, oldest));
    this.#begun = (await begun) ?? new Map();
    await this.#heartbeats();
    const found = await this.#try('the commands', () => listFlushes(clients.ssm, settings, oldest));
    this.#found = found && Map.groupBy(found, ({ instance }) => instance);
    const retained = census === null ? [] : await this.#retained(census);
    this.#room = watched.maxRetained - retained.filter(({ ours }) => ours).length;
    await this.#decideAll();
    await this.#endRetained(retained);
  }

  /** Null when it fails, which is remembered: the rest of the pass goes on without it. */
  async #try<T>(what: string, call: () => Promise<T>): Promise<T | null> {
    try {
      return await call();
    } catch (error) {
      log.error({ err: error }, `${what} cannot be read; the pass goes on without them`);
      this.failures.push(error);
      return null;
    }
  }

  #age(member: Member): number {
    const { memory, now } = this.#tools;
    return now - (this.#begun.get(member.instance) ?? memory.seen(member));
  }

  /** Sent before anything is decided, so that they depend on nothing else. Tells waits of our hook from others, too. */
  async #heartbeats(): Promise<void> {
    const { clients, settings, memory, now, remaining } = this.#tools;
    const members = memory
      .inOrder('beatAt', this.#begun)
      .filter((member) => this.#age(member) < settings.budget);
    await atOnce(CONCURRENCY, members, async (member) => {
      if (remaining() < HEARTBEAT_RESERVE_MS) return;
      try {
        const action = { ...member, token: null };
        if (!(await heartbeat(clients.autoScaling, settings.hook, action)))
          this.#settled.add(member.instance);
        memory.beat(member, now);
      } catch (error) {
        log.error({ ...member, err: error }, 'the wait could not be prolonged; the next pass retries');
        this.failures.push(error);
      }
    });
  }

  async #decideAll(): Promise<void> {
    const { memory, now, remaining } = this.#tools;
    let left = 0;
    await atOnce(CONCURRENCY, memory.inOrder('decidedAt', this.#begun), async (member) => {
      if (this.#settled.has(member.instance)) {
        this.outcomes[member.instance] = 'settled';
        return;
      }
      if (remaining() < DECISION_RESERVE_MS) {
        left++;
        return;
      }
      try {
        const outcome = await this.#decide(member);
        this.outcomes[member.instance] = outcome;
        if (outcome === 'send' || outcome === 'wait') memory.decided(member, now);
        else memory.forget(member);
      } catch (error) {
        // The others must not wait for this one.
        log.error({ ...member, err: error }, 'the instance could not be looked after; the next pass retries');
        this.failures.push(error);
      }
    });
    if (left > 0) log.warn({ left }, 'out of time: the next pass goes on with these instances');
  }

  async #decide(member: Member): Promise<Outcome> {
    const { memory, settings } = this.#tools;
    const since = { begun: this.#begun.get(member.instance) ?? null, seen: memory.seen(member) };
    const over = new Set<string>();
    for (;;) {
      const commands = this.#found && commandsOfWait(this.#found.get(member.instance) ?? [], since, over);
      const action = decide(commands, this.#age(member), settings);
      if (action.kind !== 'continue') return this.#carryOut(member, action, commands ?? []);
      const { token } = action.flushed;
      if (await this.#letGo(member, token)) return 'continue';
      if (token === null) return 'settled';
      // The wait goes on, so this command was sent for an earlier one.
      over.add(token);
    }
  }

  async #carryOut(
    member: Member,
    action: Exclude<Action, { kind: 'continue' }>,
    commands: readonly FoundCommand[],
  ): Promise<Outcome> {
    const { settings } = this.#tools;
    if (action.kind === 'wait') return 'wait';
    if (action.kind === 'give-up') {
      return this.#giveUp(member, action.reason, commands, this.#tools.memory.cause(member));
    }
    const sent = await this.#send(member);
    if (sent.kind === 'sent') return 'send';
    if (sent.kind === 'unmanaged' && outOfService(member)) {
      return (await this.#letGo(member, null)) ? 'continue' : 'settled';
    }
    this.#tools.measures.add('DrainBlocked');
    const next = afterObstacle(sent.kind, this.#age(member), settings);
    return next.kind === 'give-up' ? this.#giveUp(member, next.reason, commands, sent.cause) : 'wait';
  }

  async #send(member: Member): Promise<{ kind: 'sent' | 'unmanaged' | 'blocked'; cause: string | null }> {
    const { clients, settings, memory, measures } = this.#tools;
    try {
      const command = await sendFlush(clients.ssm, settings, { ...member, token: null });
      if (command === null) return { kind: 'unmanaged', cause: null };
      measures.add('FlushesSent');
      log.info({ ...member, command }, 'asked the instance to flush');
      return { kind: 'sent', cause: null };
    } catch (error) {
      const { name, message } = error as Error;
      log.error({ ...member, err: error }, 'the instance could not be asked to flush; the next pass retries');
      const cause = `${name}: ${message}`;
      memory.hindered(member, cause);
      return { kind: 'blocked', cause };
    }
  }

  async #letGo(member: Member, token: string | null): Promise<boolean> {
    const { clients, settings, measures } = this.#tools;
    if (!(await complete(clients.autoScaling, settings.hook, { ...member, token }, 'CONTINUE'))) return false;
    measures.add('DrainSucceeded');
    log.info({ ...member }, 'the instance has flushed, or had nothing to flush, and goes');
    return true;
  }

  async #giveUp(
    member: Member,
    reason: GiveUpReason,
    commands: readonly FoundCommand[],
    cause: string | null,
  ): Promise<Outcome> {
    const { clients, ec2, settings, measures } = this.#tools;
    const { autoScaling } = clients;
    const action = { ...member, token: null };
    if (await isGone(ec2, member.instance)) {
      if (!(await complete(autoScaling, settings.hook, action, 'CONTINUE'))) return 'settled';
      measures.add('InstancesGone');
      log.warn({ ...member, reason }, 'EC2 has ended the instance before it could flush: nothing to retain');
      return 'gone';
    }
    // No instance is let go for want of a place while one may yet become free.
    while (this.#room <= 0 && this.#taking.size > 0) await Promise.allSettled(this.#taking);
    // One that goes on with another disk, or in the warm pool, is never let go without its flush.
    const kept = this.#room > 0 || !ends(member);
    // Completed first: of several that find the same at once, only the one that took effect alerts.
    const isDone = kept
      ? await this.#keep(() => complete(autoScaling, settings.hook, action, 'ABANDON'))
      : await complete(autoScaling, settings.hook, action, 'CONTINUE');
    if (!isDone) return 'settled';
    measures.add('DrainFailed');
    if (!kept) measures.add('RetainedReleased');
    log.error({ ...member, reason, cause, kept }, 'the instance could not flush: it is given up');
    const obstacle = cause ?? (this.#found === null ? String(this.failures.at(-1)) : null);
    await sendAlert(clients.sns, settings, member, { reason, cause: obstacle, commands, kept });
    return kept ? 'abandon' : 'release';
  }

  /** Takes a place among the retained, which becomes free when the wait was not given up here. */
  async #keep(abandon: () => Promise<boolean>): Promise<boolean> {
    this.#room--;
    const taking = (async () => {
      let isDone = false;
      try {
        isDone = await abandon();
        return isDone;
      } finally {
        if (!isDone) this.#room++;
      }
    })();
    this.#taking.add(taking);
    try {
      return await taking;
    } finally {
      this.#taking.delete(taking);
    }
  }

  async #retained({ retained }: Census): Promise<Retained[]> {
    const { clients, settings } = this.#tools;
    const found = this.#found;
    if (retained.length === 0 || found === null) return [];
    const groups = new Set(retained.map(({ group }) => group));
    const alone = await this.#try('the hooks', () =>
      groupsOfHookAlone(clients.autoScaling, groups, settings.hook),
    );
    if (alone === null) return [];
    return retained.map((member) => {
      const begun = this.#begun.get(member.instance) ?? null;
      const commands =
        begun === null ? [] : commandsOfWait(found.get(member.instance) ?? [], { begun, seen: Infinity });
      const only = alone.has(member.group);
      const flushed = commands.some(({ status }) => status === 'Success');
      return { member, begun, ours: only || (commands.length > 0 && !flushed), flushed: only && flushed };
    });
  }

  async #endRetained(retained: readonly Retained[]): Promise<void> {
    const { clients, watched, measures, remaining } = this.#tools;
    for (const { member, flushed } of retainedToEnd(retained, watched.maxRetained)) {
      if (remaining() < DECISION_RESERVE_MS) return;
      try {
        await clients.autoScaling.send(
          new TerminateInstanceInAutoScalingGroupCommand({
            InstanceId: member.instance,
            ShouldDecrementDesiredCapacity: false,
          }),
        );
      } catch (error) {
        log.error(
          { ...member, err: error },
          'the retained instance could not be ended; the next pass retries',
        );
        this.failures.push(error);
        continue;
      }
      measures.add('RetainedReleased');
      if (flushed) log.info({ ...member }, 'the retained instance has flushed after all: it is ended');
      else log.error({ ...member }, 'more instances are retained than may be: this one is ended');
    }
  }
}
