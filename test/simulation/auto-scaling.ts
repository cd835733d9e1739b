/** Auto Scaling: groups of the template, the wait of a terminating instance, heartbeats, both time limits, retention. */
import { randomUUID } from 'node:crypto';
import { SECOND, type SimulatedClock } from './clock.ts';
import { ACCOUNT, type Properties, REGION, type Template } from './template.ts';

export type LifecycleState =
  | 'InService'
  | 'Terminating:Wait'
  | 'Terminating:Proceed'
  | 'Terminating:Retained'
  | 'Terminated';

export interface ScaledInstance {
  readonly id: string;
  readonly group: string;
  state: LifecycleState;
  token: string;
  /** Every state and result, for people who read a failure. */
  readonly history: string[];
  heartbeats: number;
  cancel: (() => void)[];
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

export class AutoScaling {
  readonly instances = new Map<string, ScaledInstance>();
  readonly groups: Map<string, Properties>;
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

  add(id: string, group: string): ScaledInstance {
    if (!this.groups.has(group)) throw new Error(`no group ${group}`);
    const instance: ScaledInstance = {
      id,
      group,
      state: 'InService',
      token: '',
      history: [],
      heartbeats: 0,
      cancel: [],
    };
    this.instances.set(id, instance);
    return instance;
  }

  /** Tags of an instance: those of its group that are propagated. */
  tags(id: string): Record<string, string> {
    const { Tags = [] } = this.groups.get(this.instances.get(id)?.group ?? '') ?? {};
    const propagated = (Tags as { Key: string; Value: string; PropagateAtLaunch: boolean }[]).filter(
      ({ PropagateAtLaunch }) => PropagateAtLaunch,
    );
    return Object.fromEntries(propagated.map(({ Key, Value }) => [Key, Value]));
  }

  scaleIn(id: string, origin = 'AutoScalingGroup'): void {
    const instance = this.instances.get(id)!;
    const hook = this.#hook(instance.group);
    instance.state = 'Terminating:Wait';
    instance.token = randomUUID();
    this.#note(instance, 'Terminating:Wait');
    const timeout = Number(hook['HeartbeatTimeout']) * SECOND;
    this.#restartHeartbeat(instance, timeout);
    const whole = Math.min(MAX_WAIT_MS, 100 * timeout);
    instance.cancel[1] = this.#clock.after(whole, () =>
      this.#finish(instance, hook['DefaultResult'], 'global timeout'),
    );
    this.#emit({
      version: '0',
      id: randomUUID(),
      'detail-type': 'EC2 Instance-terminate Lifecycle Action',
      source: 'aws.autoscaling',
      account: ACCOUNT,
      time: new Date(this.#clock.now).toISOString(),
      region: REGION,
      resources: [
        `arn:aws:autoscaling:${REGION}:${ACCOUNT}:autoScalingGroup:uuid:autoScalingGroupName/${instance.group}`,
      ],
      detail: {
        LifecycleActionToken: instance.token,
        AutoScalingGroupName: instance.group,
        LifecycleHookName: hook['LifecycleHookName'],
        EC2InstanceId: id,
        LifecycleTransition: hook['LifecycleTransition'],
        Origin: origin,
        Destination: 'EC2',
      },
    });
  }

  complete(group: string, hook: string, id: string, result: string): void {
    this.#waiting(group, hook, id);
    this.#finish(this.instances.get(id)!, result, 'completed');
  }

  heartbeat(group: string, hook: string, id: string): void {
    const instance = this.#waiting(group, hook, id);
    instance.heartbeats++;
    this.#restartHeartbeat(instance, Number(this.#hook(group)['HeartbeatTimeout']) * SECOND);
  }

  terminate(id: string): void {
    const instance = this.instances.get(id);
    if (!instance) throw new ServiceError('ValidationError', `Instance Id not found - ${id}`);
    void this.#terminate(instance, 'TerminateInstanceInAutoScalingGroup');
  }

  #waiting(group: string, hook: string, id: string): ScaledInstance {
    if (!this.groups.has(group)) throw new ServiceError('ValidationError', 'AutoScalingGroup name not found');
    const instance = this.instances.get(id);
    const known = this.#hook(group)['LifecycleHookName'] === hook;
    if (!known || instance?.group !== group || instance.state !== 'Terminating:Wait') {
      throw new ServiceError('ValidationError', `No active Lifecycle Action found with instance ID ${id}`);
    }
    return instance;
  }

  #hook(group: string): Properties {
    const hooks = this.groups.get(group)!['LifecycleHookSpecificationList'] as Properties[];
    return hooks[0]!;
  }

  #restartHeartbeat(instance: ScaledInstance, timeout: number): void {
    instance.cancel[0]?.();
    const { DefaultResult } = this.#hook(instance.group);
    instance.cancel[0] = this.#clock.after(timeout, () =>
      this.#finish(instance, DefaultResult, 'heartbeat timeout'),
    );
  }

  #finish(instance: ScaledInstance, result: string, why: string): void {
    for (const cancel of instance.cancel) cancel();
    this.#note(instance, `${result} (${why})`);
    const policy = this.groups.get(instance.group)!['InstanceLifecyclePolicy'];
    if (result === 'ABANDON' && policy?.RetentionTriggers?.TerminateHookAbandon === 'retain') {
      instance.state = 'Terminating:Retained';
      this.#note(instance, instance.state);
    } else void this.#terminate(instance, result);
  }

  async #terminate(instance: ScaledInstance, why: string): Promise<void> {
    instance.state = 'Terminating:Proceed';
    this.#note(instance, `${instance.state} (${why})`);
    this.#clock.after(5 * SECOND, async () => {
      await this.#ended(instance);
      instance.state = 'Terminated';
      this.#note(instance, instance.state);
    });
  }

  #note(instance: ScaledInstance, what: string): void {
    instance.history.push(`${new Date(this.#clock.now).toISOString().slice(11, 19)} ${what}`);
  }
}
