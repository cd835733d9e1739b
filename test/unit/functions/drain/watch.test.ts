/** Passes of the watch over very many waits, with a delay for each call on a virtual clock. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import type { EC2Client } from '@aws-sdk/client-ec2';
import type { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import { WatchMemory } from '../../../../functions/drain/memory.ts';
import { WatchPass } from '../../../../functions/drain/watch.ts';
import { log } from '../../../../functions/runtime/log.ts';
import { Measures } from '../../../../functions/runtime/metrics.ts';

log.level = 'silent';

const MINUTE = 60_000;
const CALL_MS = 100;
const PASS_MS = 53_000;
const START = 1_800_000_000_000;

/** Instances that all began to wait at `START`, behind calls of 100 ms each. */
class Fleet {
  readonly beats = new Map<string, number[]>();
  readonly asked = new Map<string, number>();
  readonly names: string[];
  /** Virtual milliseconds of this pass, and calls that are under way in it. */
  elapsed = 0;
  #underWay = 0;
  now = START;
  peak = 0;
  readonly #memory = new WatchMemory();

  constructor(size: number) {
    this.names = Array.from({ length: size }, (_, i) => `i-${i.toString(16).padStart(17, '0')}`);
  }

  /** Takes its share of 100 ms: as many as are under way share them. */
  async #call<T>(answer: T): Promise<T> {
    this.#underWay++;
    this.peak = Math.max(this.peak, this.#underWay);
    await new Promise(setImmediate);
    this.elapsed += CALL_MS / this.#underWay;
    this.#underWay--;
    return answer;
  }

  async pass(): Promise<WatchPass> {
    this.elapsed = 0;
    const autoScaling = new AutoScalingClient({ region: 'us-east-1' });
    const ssm = new SSMClient({ region: 'us-east-1' });
    const answers = (command: { constructor: { name: string }; input: object }) => {
      const input = command.input as { InstanceId?: string; InstanceIds?: string[] };
      return this.#call(this.#answer(command.constructor.name, input));
    };
    Object.assign(autoScaling, { send: answers });
    Object.assign(ssm, { send: answers });
    const pass = new WatchPass({
      clients: {
        ssm,
        autoScaling,
        sns: {} as SNSClient,
      },
      ec2: {} as EC2Client,
      settings: {
        document: 'd',
        hook: 'h',
        deliverySeconds: 120,
        alertTopic: 't',
        budget: 60 * MINUTE,
        maxSends: 2,
        registration: 5 * MINUTE,
      },
      watched: { groups: ['web'], maxRetained: 10 },
      memory: this.#memory,
      measures: new Measures(),
      now: this.now,
      remaining: () => PASS_MS - this.elapsed,
    });
    await pass.run();
    this.now += MINUTE;
    return pass;
  }

  #answer(command: string, input: { InstanceId?: string; InstanceIds?: string[] }): object {
    switch (command) {
      case 'DescribeAutoScalingGroupsCommand': {
        const LifecycleState = 'Terminating:Wait';
        const Instances = this.names.map((InstanceId) => ({ InstanceId, LifecycleState }));
        return { AutoScalingGroups: [{ AutoScalingGroupName: 'web', Instances }] };
      }
      case 'RecordLifecycleActionHeartbeatCommand': {
        const beats = this.beats.get(input.InstanceId!) ?? [];
        this.beats.set(input.InstanceId!, [...beats, this.now]);
        return {};
      }
      case 'SendCommandCommand': {
        const [id] = input.InstanceIds!;
        this.asked.set(id!, (this.asked.get(id!) ?? 0) + 1);
        return { Command: { CommandId: 'c' } };
      }
      case 'DescribeScalingActivitiesCommand':
        return {
          Activities: this.names.map((id) => ({
            Description: `Terminating EC2 instance: ${id}`,
            StartTime: new Date(START),
          })),
        };
      case 'ListCommandsCommand':
        return {
          Commands: [...this.asked.keys()].map((id) => ({
            CommandId: id,
            Comment: `terminate ${id} watch`,
            Status: 'InProgress',
            RequestedDateTime: new Date(START),
          })),
        };
      default:
        throw new Error(command);
    }
  }
}

test('1,000 instances: one pass prolongs every wait and asks every instance, within its minute', async () => {
  const fleet = new Fleet(1000);
  await fleet.pass();
  assert.equal(fleet.beats.size, 1000);
  assert.equal(fleet.asked.size, 1000);
  assert.ok(fleet.elapsed < PASS_MS, `${fleet.elapsed} ms`);
  assert.ok(fleet.peak <= 25, `${fleet.peak} calls at once`);
  await fleet.pass();
  for (const beats of fleet.beats.values()) assert.equal(beats.length, 2);
  for (const asked of fleet.asked.values()) assert.equal(asked, 1);
});

test('more than a pass can serve: the next goes on where it stopped, and nobody is left out', async () => {
  const fleet = new Fleet(16_000);
  await fleet.pass();
  const first = fleet.beats.size;
  assert.ok(first > 8000 && first < 16_000, `${first}`);
  for (let i = 0; i < 5; i++) await fleet.pass();
  assert.equal(fleet.beats.size, 16_000);
  // Three passes serve all twice: within 180 s, the least heartbeat timeout, each had one.
  for (const beats of fleet.beats.values()) {
    const gaps = beats.slice(1).map((at, i) => at - beats[i]!);
    assert.ok(Math.max(...gaps) < 180_000, `${gaps}`);
  }
});
