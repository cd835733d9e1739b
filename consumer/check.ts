/**
 * Tries each right that a worker needs, and names those that are missing. It changes nothing but two probes in the bucket,
 * which stay there for the next time: `_commits/if-none-match`, and one in the folder of the data objects.
 */
import {
  DeleteItemCommand,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamConsumerCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from '@aws-sdk/client-kinesis';
import { COMMITS_FOLDER, checkProbe } from '../archive/commit-keys.ts';
import { handleOf, streamArn, streamClient, streamShards } from '../archive/kinesis-stream.ts';
import { requireConditionalWrites } from '../archive/probe.ts';
import { S3Store } from '../archive/s3.ts';
import { streamOfIterator, streamTarget } from '../base/stream-target.ts';
import { withTimeout } from '../base/with-timeout.ts';
import type { ConsumerConfig } from './config.ts';

const TRY_MS = 15_000;
const PROBE = [Buffer.from('Written by tailrace consumer --check to learn whether it may write here.\n')];
/** Errors that only a caller with the right to ask gets. */
const ALLOWED = new Set(['ConditionalCheckFailedException', 'ResourceNotFoundException']);
/** No item has it and has it not: what is written under this condition is never written. */
const NEVER = 'attribute_exists(leaseKey) AND attribute_not_exists(leaseKey)';
const INDEX = 'LeaseOwnerToLeaseKeyIndex';

/** One right: what it is called in a policy, and a call that needs it. */
interface Right {
  readonly name: string;
  readonly call: (abortSignal: AbortSignal) => Promise<unknown>;
}

/** @returns a line for each right that is missing, by the key of the configuration that it is about */
export async function missingRights(config: ConsumerConfig): Promise<string[]> {
  const missing = await Promise.all([streamRights(config), tableRights(config), bucketRights(config)]);
  return missing.flat();
}

async function streamRights({ stream, kcl, application }: ConsumerConfig): Promise<string[]> {
  const client = streamClient(stream, 3);
  const fanOut: Right = {
    name: 'kinesis:DescribeStreamConsumer, for kcl.retrieval: fan_out',
    call: async (abortSignal) => {
      const StreamARN = await streamArn(client, stream);
      const input = { StreamARN, ConsumerName: application };
      await client.send(new DescribeStreamConsumerCommand(input), { abortSignal });
    },
  };
  try {
    return await lacking(`stream ${stream.name}`, [
      ...(kcl.retrieval === 'fan_out' ? [fanOut] : []),
      {
        name: 'kinesis:ListShards, kinesis:GetShardIterator and kinesis:GetRecords, and kms:Decrypt with its key',
        call: async (abortSignal) => {
          const [shard] = await streamShards(client, stream);
          if (!shard) return;
          const { ShardIterator } = await client.send(
            new GetShardIteratorCommand({
              ...streamTarget(handleOf(stream)),
              ShardId: shard.id,
              ShardIteratorType: 'TRIM_HORIZON',
            }),
            { abortSignal },
          );
          // One record is what the key is needed for.
          const page = { ShardIterator, Limit: 1, ...streamOfIterator(handleOf(stream)) };
          await client.send(new GetRecordsCommand(page), { abortSignal });
        },
      },
    ]);
  } finally {
    client.destroy();
  }
}

async function tableRights({ application, stream, dynamodb }: ConsumerConfig): Promise<string[]> {
  const { endpoint } = dynamodb;
  const client = new DynamoDBClient({
    region: stream.region,
    maxAttempts: 3,
    ...(endpoint === undefined ? {} : { endpoint }),
  });
  const TableName = application;
  const Key = { leaseKey: { S: 'tailrace-check' } };
  const write = { TableName, ConditionExpression: NEVER };
  const owner = { ':owner': { S: 'tailrace-check' } };
  const right = (name: string, send: Right['call']): Right => ({ name: `dynamodb:${name}`, call: send });
  // KCL looks whether an earlier release has made them.
  const others = ['WorkerMetricStats', 'CoordinatorState'].map((suffix) => `${application}-${suffix}`);
  try {
    return await lacking(`table ${application}`, [
      right('DescribeTable', (abortSignal) =>
        client.send(new DescribeTableCommand({ TableName }), { abortSignal }),
      ),
      right('Scan', (abortSignal) => client.send(new ScanCommand({ TableName, Limit: 1 }), { abortSignal })),
      right('GetItem', (abortSignal) => client.send(new GetItemCommand({ TableName, Key }), { abortSignal })),
      right('PutItem', (abortSignal) =>
        client.send(new PutItemCommand({ ...write, Item: Key }), { abortSignal }),
      ),
      right('UpdateItem', (abortSignal) =>
        client.send(new UpdateItemCommand({ ...write, Key }), { abortSignal }),
      ),
      right('DeleteItem', (abortSignal) =>
        client.send(new DeleteItemCommand({ ...write, Key }), { abortSignal }),
      ),
      right(`Query on its index ${INDEX}`, (abortSignal) => {
        const condition = { KeyConditionExpression: 'leaseOwner = :owner', ExpressionAttributeValues: owner };
        const input = { TableName, IndexName: INDEX, Limit: 1, ...condition };
        return client.send(new QueryCommand(input), { abortSignal }).catch((error: Error) => {
          // A table of before KCL 3 has no such index yet: KCL creates it.
          if (error.name !== 'ValidationException') throw error;
        });
      }),
      ...others.map((name) =>
        right(`DescribeTable of ${name}`, (abortSignal) =>
          client.send(new DescribeTableCommand({ TableName: name }), { abortSignal }),
        ),
      ),
    ]);
  } finally {
    client.destroy();
  }
}

async function bucketRights({ archive, stream }: ConsumerConfig): Promise<string[]> {
  const {
    bucket,
    region = stream.region,
    endpoint,
    prefix,
    kms_key,
    encryption,
    storage_class,
    tags,
  } = archive;
  const written = { kmsKey: kms_key, encryption, storageClass: storage_class, tags };
  const store = new S3Store({ bucket, region, endpoint }, { tries: 1, ...written });
  const data = prefix + checkProbe(archive.key_template);
  const folder = data.slice(0, data.lastIndexOf('/') + 1);
  try {
    if (await isMissing(store, prefix)) {
      return [
        `archive.bucket: there is no bucket ${bucket} at ${endpoint ?? `S3 in ${region}`}: create it, or correct its name`,
      ];
    }
    const written = await lacking(`bucket ${bucket}`, [
      {
        name: `s3:PutObject to ${folder}*${tags ? ', with s3:PutObjectTagging' : ''}, and kms:GenerateDataKey with the key of archive.kms_key or the bucket; a bucket policy may ask for archive.encryption`,
        call: () => writeProbe(store, data),
      },
    ]);
    const read = await lacking(`bucket ${bucket}`, [
      { name: 's3:ListBucket', call: () => store.first(prefix + COMMITS_FOLDER) },
      // Without s3:ListBucket S3 denies what is not there, so this asks for both.
      { name: 's3:PutObject with If-None-Match', call: () => requireConditionalWrites(store, prefix) },
      { name: 's3:GetObject', call: () => store.get(`${prefix}${COMMITS_FOLDER}tailrace-check`) },
      // What was written with a key can be read with it alone.
      {
        name: `s3:GetObject of ${folder}*, and kms:Decrypt with the key of archive.kms_key or the bucket`,
        call: () => store.get(data),
      },
    ]);
    return [...written, ...read];
  } finally {
    store.close();
  }
}

/**
 * Writes a probe as data objects are written. Where a policy lets nobody write without If-None-Match, the day's own probe
 * is written like that: one that is there already would not show whether the key may be used.
 */
async function writeProbe(store: S3Store, key: string): Promise<void> {
  try {
    await store.overwrite(key, PROBE, 'gzip');
  } catch (error) {
    const day = new Date().toISOString().slice(0, 10);
    if (!(await store.putIfAbsent(`${key}-${day}`, PROBE, 'gzip').catch(() => null))) throw error;
  }
}

/** Whether S3 says that there is no such bucket: then no right to it is worth asking for. */
async function isMissing(store: S3Store, prefix: string): Promise<boolean> {
  try {
    await withTimeout(TRY_MS, () => store.first(prefix + COMMITS_FOLDER));
    return false;
  } catch (error) {
    return ((error as Error).cause as Error | undefined)?.name === 'NoSuchBucket';
  }
}

/** @returns a line for each reason, with all rights that fail for it */
async function lacking(where: string, rights: readonly Right[]): Promise<string[]> {
  const failed = await Promise.all(
    rights.map(async ({ name, call }) => {
      try {
        await withTimeout(TRY_MS, call);
        return null;
      } catch (error) {
        const { name: code, message } = error as Error;
        return ALLOWED.has(code) ? null : { name, why: `${code}: ${message}` };
      }
    }),
  );
  const byReason = Map.groupBy(
    failed.filter((one) => one !== null),
    ({ why }) => why,
  );
  return [...byReason].map(
    ([why, rights]) => `${where}: ${rights.map(({ name }) => name).join(', ')}: ${why}`,
  );
}
