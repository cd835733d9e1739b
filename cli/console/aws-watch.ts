/** What the console asks AWS for where it is given a stream or Auto Scaling groups: shards, CloudWatch, and instances. */
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { listShards } from '../../base/list-shards.ts';
import { activitiesOf, retains, takeCensus } from '../../functions/drain/waits.ts';
import { openShards, shareOf } from '../../functions/scale/layout.ts';
import { placeOf, type StreamOptions } from '../shards-client.ts';
import { fromCloudWatch, type Measured } from '../shards-measure.ts';
import type { GroupsView, InstanceLine } from './api.ts';
import { faultText } from './sources.ts';

/** CloudWatch has a value a minute, and takes a cent for a thousand of them. */
const STREAM_MS = 300_000;
const GROUPS_MS = 60_000;
const DAY_MS = 86_400_000;

export interface StreamSeen extends Measured {
  readonly open: readonly { readonly id: string; readonly share: number }[];
  readonly closed: readonly string[];
}

/** The shards of a stream, and their rates as CloudWatch has them. */
export class StreamWatch {
  readonly interval = STREAM_MS;
  readonly stream: string;
  readonly #kinesis: KinesisClient;
  readonly #cloudWatch: CloudWatchClient;
  seen: StreamSeen | null = null;
  trouble: string | null = null;

  constructor(options: StreamOptions) {
    this.stream = options.stream;
    const place = { ...placeOf(options), maxAttempts: 2 };
    this.#kinesis = new KinesisClient(place);
    const { endpoint: _, ...without } = place as { endpoint?: string; region?: string; maxAttempts: number };
    this.#cloudWatch = new CloudWatchClient(without);
  }

  async look(): Promise<void> {
    try {
      const all = await listShards(this.stream, (command) => this.#kinesis.send(command));
      const open = openShards(all);
      const ids = new Set(open.map(({ id }) => id));
      const closed = all.map(({ ShardId }) => ShardId!).filter((id) => !ids.has(id));
      const measured = await fromCloudWatch(this.#cloudWatch, this.stream, open, closed);
      this.seen = {
        ...measured,
        open: open.map((shard) => ({ id: shard.id, share: shareOf(shard) })),
        closed,
      };
      this.trouble = null;
    } catch (error) {
      this.trouble = faultText(error);
    }
  }

  close(): void {
    this.#kinesis.destroy();
    this.#cloudWatch.destroy();
  }
}

/** Instances of Auto Scaling groups that wait for their end, or are retained. */
export class GroupsWatch {
  readonly interval = GROUPS_MS;
  readonly #groups: readonly string[];
  readonly #client: AutoScalingClient;
  seen: GroupsView | null = null;
  trouble: string | null = null;

  /** @param client for tests */
  constructor(groups: readonly string[], region: string | undefined, client?: AutoScalingClient) {
    this.#groups = groups;
    this.#client = client ?? new AutoScalingClient({ ...(region ? { region } : {}), maxAttempts: 2 });
  }

  async look(now: number): Promise<void> {
    try {
      const { groups, waiting, retained } = await takeCensus(this.#client, this.#groups);
      const members = [...waiting, ...retained];
      const begun = members.length === 0 ? null : await activitiesOf(this.#client, members, now - 7 * DAY_MS);
      const line = ({ instance, group, state }: Omit<InstanceLine, 'since'>): InstanceLine => ({
        ...{ instance, group, state },
        since: begun?.get(instance) ?? null,
      });
      this.seen = {
        groups: groups.map((group) => ({
          name: group.AutoScalingGroupName!,
          size: group.Instances?.length ?? 0,
          retains: retains(group),
        })),
        waiting: waiting.map(line),
        retained: retained.map(line),
      };
      const unknown = this.#groups.filter((name) => !this.seen!.groups.some((group) => group.name === name));
      this.trouble = unknown.length === 0 ? null : `there is no Auto Scaling group ${unknown.join(', ')}`;
    } catch (error) {
      this.trouble = faultText(error);
    }
  }

  close(): void {
    this.#client.destroy();
  }
}
