/** Web servers that Auto Scaling ends: launched, ended through the packaged functions, and accounted for. */
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { GROUP, type Region } from '../simulation/region.ts';
import type { WebServer } from '../simulation/web-server.ts';
import { generator } from '../support/random.ts';
import type { Fault } from './schedule.ts';
import type { Timeline } from './timeline.ts';

const FUNCTIONS = ['DrainStartLambdaFunction', 'DrainFinishLambdaFunction', 'DrainWatchLambdaFunction'];
const READMIT = 'ReadmitLambdaFunction';
/** As often as the queue gives a message to the function before it goes to the dead letters. */
const RECEIVES = 5;

export class Instances {
  readonly #region: Region;
  readonly #timeline: Timeline;
  /** Lines that each of them wrote. */
  readonly promised = new Map<string, number>();
  #launched = 0;

  constructor(region: Region, timeline: Timeline) {
    this.#region = region;
    this.#timeline = timeline;
  }

  /** The life of one instance: it comes, writes for a while, and is ended as the fault says. */
  async suffer({ kind, ms, pick }: Fault): Promise<void> {
    const region = this.#region;
    const at = this.#timeline.now;
    const number = ++this.#launched;
    const id = `i-${number.toString(16).padStart(17, '0')}`;
    const name = `instance-${number}`;
    const random = generator(Math.floor(pick * 2 ** 32));
    const spilled = kind === 'terminate: spilled and readmitted';
    const server = await region.launch(id, GROUP, { first: 200, mark: name, spill: spilled });
    try {
      await sleep(ms);
      this.#bend(kind, server, random);
      const instance = await region.terminate(id);
      this.#unbend();
      const history = instance.history.join('; ');
      const terminated = instance.state === 'Terminated';
      if (terminated && !region.ssm.commands.some((command) => isSuccess(command, id)))
        this.#timeline.violation(`${name} was let go without a flush that ended well: ${history}`);
      let note = terminated ? 'gone' : 'retained';
      if (!terminated && spilled) {
        // Its disk is gone for good: what was spilled must do.
        await server.kill();
        note += `, ${await this.#readmit(id, random)} spilled objects readmitted`;
      } else if (!terminated) {
        await server.shutDown();
      }
      this.promised.set(name, server.written);
      this.#timeline.add(
        { target: 'instances', kind, note: `${name}: ${note}, ${server.written} lines` },
        at,
      );
      if (region.iam.denied.length > 0)
        this.#timeline.violation(`denied calls: ${JSON.stringify(region.iam.denied.splice(0))}`);
    } finally {
      this.#unbend();
      await server.kill();
      region.servers.delete(id);
      // An operator ends a retained instance when it has been seen to.
      region.autoScaling.instances.delete(id);
      rmSync(server.directory, { recursive: true, force: true });
    }
  }

  #bend(kind: string, server: WebServer, random: () => number): void {
    const region = this.#region;
    const oneOf = <T>(...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
    switch (kind) {
      case 'terminate: nothing fails':
        return;
      case 'terminate: events lost and repeated':
        region.events.deliveries = () => oneOf([], [1], [1, 1], [2, 90], [200], [1, 1, 1]);
        region.ssm.lag = oneOf(0, 20_000);
        return;
      case 'terminate: functions killed':
        region.lambda.onInvoke = () => (random() < 0.2 ? { lost: true } : {});
        region.endpoint.onCall = () => {
          if (random() > 0.15) return null;
          for (const id of FUNCTIONS) region.lambda.kill(id);
          return { kind: 'lose-answer' };
        };
        return;
      case 'terminate: the flush fails once':
        server.modes = ['refused', 'flush'];
        return;
      case 'terminate: retained, flushed later':
        server.modes = ['hang'];
        return;
      case 'terminate: spilled and readmitted':
        // From now on its lines cannot be sent, so that there is something to spill.
        region.refuse(true);
        server.modes = ['refused'];
        return;
      default:
        throw new Error(`no fault ${kind} of an instance`);
    }
  }

  #unbend(): void {
    const region = this.#region;
    region.refuse(false);
    region.ssm.lag = 0;
    region.events.deliveries = () => [1];
    region.lambda.onInvoke = () => ({});
    region.endpoint.onCall = () => null;
  }

  /** The queue in front of the function: what fails is redelivered, and some of it comes twice. */
  async #readmit(id: string, random: () => number): Promise<number> {
    const { bucket, lambda } = this.#region;
    const keys = [...bucket.objects.keys()];
    if (keys.length === 0) this.#timeline.violation(`${id} was retained and has spilled nothing`);
    const again = keys.filter(() => random() < 0.3);
    for (const key of [...keys, ...again]) {
      for (let tries = 1; ; tries++) {
        const killed = random() < 0.3;
        if (killed) setTimeout(() => lambda.kill(READMIT), random() * 300);
        const Records = [{ messageId: key, body: bucket.notification(key) }];
        const result = (await lambda.invoke(READMIT, { Records }).catch(() => null)) as Result | null;
        if (result?.batchItemFailures.length === 0) break;
        if (tries >= 3 * RECEIVES) {
          this.#timeline.violation(`${key} could not be readmitted: ${lambda.errors.slice(-3)}`);
          break;
        }
      }
    }
    for (const key of keys) bucket.objects.delete(key);
    return keys.length;
  }
}

interface Result {
  readonly batchItemFailures: readonly unknown[];
}

function isSuccess(
  command: { readonly Status: string; readonly InstanceIds: string[] },
  id: string,
): boolean {
  return command.Status === 'Success' && command.InstanceIds.includes(id);
}
