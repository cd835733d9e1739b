/** The shards of a stream, page by page. */
import {
  ListShardsCommand,
  type ListShardsCommandInput,
  type ListShardsCommandOutput,
  type Shard,
} from '@aws-sdk/client-kinesis';
import { streamOfIterator, streamTarget } from './stream-target.ts';

/**
 * @param stream its name, or its ARN, which reaches a stream of another account, too
 * @param send sends one command; how long it may take and how often it is retried is the caller's business
 */
export async function listShards(
  stream: string,
  send: (command: ListShardsCommand) => Promise<ListShardsCommandOutput>,
  filter: Pick<ListShardsCommandInput, 'ShardFilter'> = {},
): Promise<Shard[]> {
  const target = streamTarget(stream);
  const shards: Shard[] = [];
  let NextToken: string | undefined;
  do {
    // A token stands for the stream's name and the filter; the service refuses both at once, but an ARN may stay.
    const next = { NextToken, ...streamOfIterator(stream) };
    const page = await send(new ListShardsCommand(NextToken === undefined ? { ...target, ...filter } : next));
    shards.push(...(page.Shards ?? []));
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return shards;
}
