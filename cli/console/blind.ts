/** What the console cannot see for want of an option, and which one it is. */
import type { Blind } from './api.ts';

export interface Sight {
  readonly agents: number;
  readonly consumers: number;
  /** Sources of statuses, whether or not they respond. */
  readonly sources: number;
  readonly hasStream: boolean;
  readonly hasGroups: boolean;
  readonly isEmpty: boolean;
}

export function blindSpots({ agents, consumers, hasStream, hasGroups, isEmpty }: Sight): Blind[] {
  const blind: Blind[] = [];
  if (isEmpty)
    blind.push({
      what: 'events: nothing is archived here yet',
      how: 'start an agent and a consumer; the first batch is archived after batch.max_age, five minutes unless you set it',
    });
  if (agents === 0)
    blind.push({
      what: 'what agents hold: spools, versions, events on their way',
      how: '--status http://HOST:24280 for each agent (http.listen in agent.yaml), its agent.yaml on this host, or a folder of what tailrace status --json printed',
    });
  if (consumers === 0)
    blind.push({
      what: 'how far the consumer is behind, and what it has not archived yet',
      how: '--status http://WORKER:24281 (http.listen in consumer.yaml), or --config consumer.yaml on the worker',
    });
  if (!hasStream)
    blind.push({
      what: 'refused records, and shards without an archive yet',
      how: '--stream NAME asks Kinesis and CloudWatch every five minutes',
    });
  if (!hasGroups)
    blind.push({
      what: 'instances that are ending or retained',
      how: '--group NAME asks Auto Scaling every minute; may be repeated',
    });
  return blind;
}
