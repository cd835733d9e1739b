/**
 * Auto Scaling: groups and hooks of the template and of others, every wait that hooks can hold up, heartbeats, both time
 * limits, retention, warm pools, activities. An instance id may wait more than once.
 */
import { randomUUID } from 'node:crypto';
import { SECOND, type SimulatedClock } from './clock.ts';
import { ACCOUNT, type Properties, REGION, type Template } from './template.ts';

export type LifecycleState =
  | 'InService'
  | 'Terminating:Wait'
  | 'Terminating:Proceed'
  | 'Terminating:Retained'
  | 'Terminated'
  | 'ReplacingRootVolume:Wait'
  | 'Warmed:Pending:Wait'
  | 'Warmed:Pending:Retained'
  | 'Warmed:Stopped'
  | 'Warmed:Terminating:Wait'
  | 'Warmed:Terminating:Retained';

/** What hooks can hold up, with what the event says of it. */
const WAITS = {
  terminate: { state: 'Terminating:Wait', origin: 'AutoScalingGroup', destination: 'EC2' },
  replaceRootVolume: {
    state: 'ReplacingRootVolume:Wait',
    origin: 'AutoScalingGroup',
    destination: 'AutoScalingGroup',
  },
  toWarmPool: { state: 'Warmed:Pending:Wait', origin: 'AutoScalingGroup', destination: 'WarmPool' },
  fromWarmPool: { state: 'Warmed:Terminating:Wait', origin: 'WarmPool', destination: 'EC2' },
} as const;
export type WaitKind = keyof typeof WAITS;

const DESCRIPTIONS: Record<WaitKind, string> = {
  terminate: 'Terminating EC2 instance',
  replaceRootVolume: 'Replacing root volume of EC2 instance',
  toWarmPool: 'Returning EC2 instance to the warm pool',
  fromWarmPool: 'Terminating EC2 instance of the warm pool',
};

/** One hook that an instance waits for. */
interface LifecycleAction {
  readonly hook: Properties;
  readonly token: string;
  readonly cancel: (() => void)[];
}

interface Activity {
  readonly id: string;
  readonly group: string;
  readonly description: string;
  readonly start: number;
  end: number | null;
}

export interface ScaledInstance {
  readonly id: string;
  readonly group: string;
  state: LifecycleState;
  /** What EC2 says of it. */
  ec2: 'running' | 'terminated';
  /** Every state and result, for people who read a failure. */
  readonly history: string[];
  heartbeats: number;
  /** Simulated times of the heartbeats. */
  readonly beats: number[];
  waits: WaitKind | null;
  actions: LifecycleAction[];
  activity: Activity | null;
}

/** An error as the service answers it. */
export class ServiceError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

const MAX_WAIT_MS = 48 * 3600 * SECOND;
const invalid = (message: string): ServiceError => new ServiceError('ValidationError', message);

export class AutoScaling {
  readonly instances = new Map<string, ScaledInstance>();
  readonly groups: Map<string, Properties>;
  /** Whether ending a retained instance runs its hooks once more, or ends it at once: AWS's pages do not say. */
  endingRetained: 'runs-hooks' | 'at-once' = 'runs-hooks';
  /** Whether activities name their instance. */
  activitiesNameInstances = true;
  readonly #activities: Activity[] = [];
  readonly #clock: SimulatedClock;
  readonly #emit: (event: Record<string, unknown>) => void;
  readonly #ended: (instance: ScaledInstance) => Promise<void>;

  constructor(
    template: Template,
    clock: SimulatedClock,
    emit: (event: Record<string, unknown>) => void,
    ended: (instance: ScaledInstance) => Promise<void>,
  ) {
    this.groups = new Map(
      template
        .all('AWS::AutoScaling::AutoScalingGroup')
        .map(({ properties }) => [properties['AutoScalingGroupName'] as string, properties]),
    );
    // Groups of others that hooks were attached to, as docs/deploy.md wants them: with our tag, and retaining.
    for (const { properties: hook } of template.all('AWS::AutoScaling::LifecycleHook')) {
      this.groups.set(hook['AutoScalingGroupName'], {
        LifecycleHookSpecificationList: [hook],
        InstanceLifecyclePolicy: { RetentionTriggers: { TerminateHookAbandon: 'retain' } },
        Tags: [{ Key: 'tailrace-drain', Value: template.stackName, PropagateAtLaunch: true }],
      });
    }
    this.#clock = clock;
    this.#emit = emit;
    this.#ended = ended;
  }

  add(id: string, group: string, state: LifecycleState = 'InService'): ScaledInstance {
    if (!this.groups.has(group)) throw new Error(`no group ${group}`);
    const instance: ScaledInstance = {
      id,
      group,
      state,
      ec2: 'running',
      history: [],
      heartbeats: 0,
      beats: [],
      waits: null,
      actions: [],
      activity: null,
    };
    this.instances.set(id, instance);
    return instance;
  }

  /** Another owner's hook in a group. */
  addHook(group: string, hook: Properties): void {
    this.hooks(group).push({
      LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
      HeartbeatTimeout: 3600,
      DefaultResult: 'ABANDON',
      ...hook,
    });
  }

  hooks(group: string): Properties[] {
    return this.groups.get(group)!['LifecycleHookSpecificationList'] as Properties[];
  }

  /** Tags of an instance: those of its group that are propagated. */
  tags(id: string): Record<string, string> {
    const { Tags = [] } = this.groups.get(this.instances.get(id)?.group ?? '') ?? {};
    const propagated = (Tags as { Key: string; Value: string; PropagateAtLaunch: boolean }[]).filter(
      ({ PropagateAtLaunch }) => PropagateAtLaunch,
    );
    return Object.fromEntries(propagated.map(({ Key, Value }) => [Key, Value]));
  }

  /** Begins what hooks hold up: an event for each of them, all waiting at once. */
  begin(id: string, kind: WaitKind = 'terminate', origin: string = WAITS[kind].origin): void {
    const instance = this.instances.get(id)!;
    instance.waits = kind;
    instance.state = WAITS[kind].state;
    this.#note(instance, instance.state);
    instance.activity = {
      id: randomUUID(),
      group: instance.group,
      description: `${DESCRIPTIONS[kind]}${this.activitiesNameInstances ? `: ${id}` : ''}`,
      start: this.#clock.now,
      end: null,
    };
    this.#activities.unshift(instance.activity);
    instance.actions = this.hooks(instance.group).map((hook) => {
      const action: LifecycleAction = { hook, token: randomUUID(), cancel: [] };
      this.#restartHeartbeat(instance, action);
      const whole = Math.min(MAX_WAIT_MS, 100 * Number(hook['HeartbeatTimeout']) * SECOND);
      action.cancel[1] = this.#clock.after(whole, () =>
        this.#finish(instance, action, hook['DefaultResult'], 'global timeout'),
      );
      return action;
    });
    for (const { hook, token } of instance.actions) this.#event(instance, kind, origin, hook, token);
  }

  #event(instance: ScaledInstance, kind: WaitKind, Origin: string, hook: Properties, token: string): void {
    const arn = `arn:aws:autoscaling:${REGION}:${ACCOUNT}:autoScalingGroup:uuid:autoScalingGroupName/${instance.group}`;
    this.#emit({
      version: '0',
      id: randomUUID(),
      'detail-type': 'EC2 Instance-terminate Lifecycle Action',
      source: 'aws.autoscaling',
      account: ACCOUNT,
      time: new Date(this.#clock.now).toISOString(),
      region: REGION,
      resources: [arn],
      detail: {
        LifecycleActionToken: token,
        AutoScalingGroupName: instance.group,
        LifecycleHookName: hook['LifecycleHookName'],
        EC2InstanceId: instance.id,
        LifecycleTransition: hook['LifecycleTransition'],
        Origin,
        Destination: WAITS[kind].destination,
        ...(kind === 'replaceRootVolume' ? { Action: 'ReplaceRootVolume' } : {}),
      },
    });
  }

  complete(group: string, hook: string, id: string, token: string, result: string): void {
    const [instance, action] = this.#waiting(group, hook, id, token);
    this.#finish(instance, action, result, 'completed');
  }

  heartbeat(group: string, hook: string, id: string, token: string): void {
    const [instance, action] = this.#waiting(group, hook, id, token);
    instance.heartbeats++;
    instance.beats.push(this.#clock.now);
    this.#restartHeartbeat(instance, action);
  }

  terminate(id: string, decrement: boolean): void {
    const instance = this.instances.get(id);
    if (!instance || instance.state === 'Terminated') throw invalid(`Instance Id not found - ${id}`);
    if (instance.state.startsWith('Warmed:')) throw invalid('cannot be called on instances in a warm pool');
    if (instance.state === 'Terminating:Retained') {
      if (decrement) throw invalid('a retained instance does not count towards the desired capacity');
      if (this.endingRetained === 'at-once')
        return void this.#end(instance, 'TerminateInstanceInAutoScalingGroup');
    }
    this.begin(id);
  }

  /** A page of the group's activities: those under way first, each newest first. */
  activities(group: string, size: number, from: number): { page: Activity[]; next: number | null } {
    const all = this.#activities.filter((activity) => activity.group === group);
    const ordered = [...all.filter(({ end }) => end === null), ...all.filter(({ end }) => end !== null)];
    const next = from + size < ordered.length ? from + size : null;
    return { page: ordered.slice(from, from + size), next };
  }

  members(group: string, warm: boolean): ScaledInstance[] {
    return [...this.instances.values()].filter(
      (one) => one.group === group && one.state !== 'Terminated' && one.state.startsWith('Warmed:') === warm,
    );
  }

  /** Without an instance's own token whichever action of the hook is active is meant. */
  #waiting(group: string, hook: string, id: string, token: string): [ScaledInstance, LifecycleAction] {
    if (!this.groups.has(group)) throw invalid('AutoScalingGroup name not found');
    const instance = this.instances.get(id);
    const action = instance?.actions.find(
      (one) => one.hook['LifecycleHookName'] === hook && (token === '' || token === one.token),
    );
    if (instance?.group !== group || !action) {
      throw invalid(`No active Lifecycle Action found with instance ID ${id}`);
    }
    return [instance, action];
  }

  #restartHeartbeat(instance: ScaledInstance, action: LifecycleAction): void {
    action.cancel[0]?.();
    const { DefaultResult, HeartbeatTimeout } = action.hook;
    action.cancel[0] = this.#clock.after(Number(HeartbeatTimeout) * SECOND, () =>
      this.#finish(instance, action, DefaultResult, 'heartbeat timeout'),
    );
  }

  #finish(instance: ScaledInstance, action: LifecycleAction, result: string, why: string): void {
    const own = action.hook['LifecycleHookName'] === 'tailrace-flush';
    this.#note(instance, `${result} (${why}${own ? '' : `, ${action.hook['LifecycleHookName']}`})`);
    // A hook that is given up ends the wait for all others.
    const over = result === 'ABANDON' ? instance.actions : [action];
    for (const { cancel } of over) for (const stop of cancel) stop();
    instance.actions = instance.actions.filter((one) => !over.includes(one));
    if (instance.actions.length > 0) return;
    const policy = this.groups.get(instance.group)!['InstanceLifecyclePolicy'];
    const retains = policy?.RetentionTriggers?.TerminateHookAbandon === 'retain';
    const abandoned = result === 'ABANDON';
    const kind = instance.waits;
    instance.waits = null;
    if (instance.activity) instance.activity.end = this.#clock.now;
    if (kind === 'replaceRootVolume') this.#enter(instance, 'InService');
    else if (abandoned && retains) {
      this.#enter(instance, instance.state.replace('Wait', 'Retained') as LifecycleState);
    } else if (kind === 'toWarmPool' && !abandoned) this.#enter(instance, 'Warmed:Stopped');
    else void this.#end(instance, result);
  }

  #enter(instance: ScaledInstance, state: LifecycleState): void {
    instance.state = state;
    this.#note(instance, state);
  }

  async #end(instance: ScaledInstance, why: string): Promise<void> {
    instance.state = 'Terminating:Proceed';
    this.#note(instance, `${instance.state} (${why})`);
    this.#clock.after(5 * SECOND, async () => {
      await this.#ended(instance);
      instance.ec2 = 'terminated';
      this.#enter(instance, 'Terminated');
    });
  }

  #note(instance: ScaledInstance, what: string): void {
    instance.history.push(`${new Date(this.#clock.now).toISOString().slice(11, 19)} ${what}`);
  }
}
