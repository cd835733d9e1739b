/** The shards of a stream, page by page. */
import {
  ListShardsCommand,
  type ListShardsCommandInput,
  type ListShardsCommandOutput,
  type Shard,
} from '@aws-sdk/client-kinesis';

/** @param send sends one command; how long it may take and how often it is retried is the caller's business */
export async function listShards(
  StreamName: string,
  send: (command: ListShardsCommand) => Promise<ListShardsCommandOutput>,
  filter: Pick<ListShardsCommandInput, 'ShardFilter'> = {},
): Promise<Shard[]> {
  const shards: Shard[] = [];
  let NextToken: string | undefined;
  do {
    // A token stands for the stream and the filter; the service refuses both at once.
    const page = await send(
      new ListShardsCommand(NextToken === undefined ? { StreamName, ...filter } : { NextToken }),
    );
    shards.push(...(page.Shards ?? []));
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return shards;
}
