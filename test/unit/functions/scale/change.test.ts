/** Changes of shards and their notes: what the service refuses uses up nothing, what may have been done does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import {
  KinesisClient,
  LimitExceededException,
  ResourceInUseException,
  UpdateShardCountCommand,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { changeBorders, changeCount } from '../../../../functions/scale/change.ts';
import { parseChanges, readChanges } from '../../../../functions/scale/change-log.ts';

const NOW = 1_764_000_000_500;
const SECOND = 1_764_000_000_000;

/** A stream with a tag, whose changes end in `failure`. */
class Stream {
  tag = '';
  readonly changes: string[] = [];
  /** What the tag said when the change was asked for. */
  noted = '';
  readonly #failure: Error | null;

  constructor(tag = '', failure: Error | null = null) {
    this.tag = tag;
    this.#failure = failure;
  }

  get client(): KinesisClient {
    const send = async ({
      constructor: { name },
      input,
    }: {
      constructor: { name: string };
      input: object;
    }) => {
      if (name === 'ListTagsForStreamCommand') {
        return { Tags: [{ Key: 'tailrace:shard-changes', Value: this.tag }] };
      }
      if (name === 'AddTagsToStreamCommand') {
        this.tag = Object.values((input as { Tags: Record<string, string> }).Tags)[0]!;
        return {};
      }
      this.changes.push(name);
      this.noted = this.tag;
      if (this.#failure) throw this.#failure;
      return {};
    };
    return { send } as unknown as KinesisClient;
  }
}

/** A service that ends each call with the next of these errors, `lost` without an answer. */
async function serve(errors: string[]) {
  const server = http.createServer((request, response) => {
    const error = errors.shift();
    if (error === 'lost') request.socket.destroy();
    else response.writeHead(error === 'InternalFailure' ? 500 : 400).end(JSON.stringify({ __type: error }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const kinesis = new KinesisClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    maxAttempts: 2,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    requestHandler: new NodeHttpHandler(),
  });
  const end = async (): Promise<void> => {
    kinesis.destroy();
    server.close();
  };
  return { kinesis, [Symbol.asyncDispose]: end };
}

const refusal = new LimitExceededException({ message: 'simulated', $metadata: {} });

test('a change of the count is noted before it is asked for; older than a day is dropped', async () => {
  const stream = new Stream('1763900000 1763990000');
  await changeCount(stream.client, 'weblogs', 8, NOW);
  assert.deepEqual(stream.changes, ['UpdateShardCountCommand']);
  assert.equal(stream.noted, stream.tag);
  assert.deepEqual(parseChanges(stream.tag).counts, [1_763_990_000_000, SECOND]);
});

test('a refused change is taken back, and is still an error', async () => {
  const busy = new ResourceInUseException({ message: 'simulated', $metadata: {} });
  for (const error of [refusal, busy]) {
    const stream = new Stream('1763990000 s1763980000', error);
    await assert.rejects(changeCount(stream.client, 'weblogs', 8, NOW), error);
    assert.equal(stream.tag, '1763990000 s1763980000');
    const split = { kind: 'split', shard: 'a', at: 1n } as const;
    await assert.rejects(changeBorders(stream.client, 'weblogs', split, NOW), error);
    assert.match(stream.noted, /s1764000000$/);
    assert.equal(stream.tag, '1763990000 s1763980000');
  }
});

test('a change that may have been made stays noted', async () => {
  const error = new Error('socket hang up');
  const stream = new Stream('', error);
  await assert.rejects(changeCount(stream.client, 'weblogs', 8, NOW), error);
  assert.equal(stream.tag, '1764000000');
});

test('the SDK retries: refused each time, it is taken back; after a lost answer it stays noted', async () => {
  const limit = 'LimitExceededException';
  for (const [tries, tag] of [
    [[limit, limit], ''],
    [['lost', limit], '1764000000'],
    [['InternalFailure', 'ResourceInUseException'], '1764000000'],
  ] as const) {
    const stream = new Stream();
    const left: string[] = [...tries];
    await using server = await serve(left);
    const send = (command: UpdateShardCountCommand): Promise<unknown> =>
      command instanceof UpdateShardCountCommand ? server.kinesis.send(command) : stream.client.send(command);
    const error = tries.at(-1)!;
    await assert.rejects(changeCount({ send } as KinesisClient, 'weblogs', 8, NOW), { name: error });
    assert.deepEqual(left, []);
    assert.equal(stream.tag, tag, tries.join());
  }
});

test('a split is noted apart and uses up none of the day; a merge needs no note', async () => {
  const stream = new Stream('1763990000');
  await changeBorders(stream.client, 'weblogs', { kind: 'split', shard: 'a', at: 5n }, NOW);
  await changeBorders(stream.client, 'weblogs', { kind: 'merge', shard: 'a', with: 'b' }, NOW + 60_000);
  assert.deepEqual(stream.changes, ['SplitShardCommand', 'MergeShardsCommand']);
  assert.equal(stream.tag, '1763990000 s1764000000');
});

test('the tag is found behind more tags than the service lists at once', async () => {
  const keys = [...Array.from({ length: 25 }, (_, i) => `a${i}`), 'tailrace:shard-changes'];
  const send = async ({ input }: { input: { ExclusiveStartTagKey?: string } }) => {
    const from = keys.indexOf(input.ExclusiveStartTagKey ?? '') + 1;
    const Tags = keys.slice(from, from + 10).map((Key) => ({ Key, Value: '1763990000' }));
    return { Tags, HasMoreTags: from + 10 < keys.length };
  };
  const { counts } = await readChanges({ send } as unknown as KinesisClient, 'weblogs');
  assert.deepEqual(counts, [1_763_990_000_000]);
});
