/** What a Kinesis does where implementations differ; each answer is a short phrase for a table. */
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  type GetRecordsCommandOutput,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  PutRecordsCommand,
  type PutRecordsRequestEntry,
  SplitShardCommand,
  waitUntilStreamExists,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { LOCAL_ENV, REGION } from '../../local/clients.ts';
import { answerOf, type Probe, type ServiceError, speaksHttp2, statusAndName } from './probe.ts';

const StreamName = 'probes';
const MiB = 1024 * 1024;
const HIGHEST = (2n ** 128n - 1n).toString();
const HALF = (2n ** 127n).toString();
const LOWER = (2n ** 126n).toString();
const UPPER = (2n ** 127n + 2n ** 126n).toString();
const READS = 40;

export const KINESIS_PROBES: readonly Probe<KinesisClient>[] = [
  {
    about: 'HTTP/2 without TLS, which the KCL speaks',
    amazon: 'with TLS',
    ask: async (kinesis) => speaksHttp2((await kinesis.config.endpoint!()).port!),
  },
  {
    about: 'CBOR, which the KCL speaks',
    amazon: '200',
    ask: cborAnswer,
  },
  {
    about: 'the time a stream was created',
    amazon: 'the same at each call',
    ask: async (kinesis) => {
      const [first, second] = [await createdAt(kinesis), await createdAt(kinesis)];
      return first === undefined ? 'missing' : first === second ? 'the same at each call' : 'changes';
    },
  },
  {
    about: 'an explicit hash key decides the shard',
    amazon: 'yes',
    ask: hashKeyAnswer,
  },
  {
    about: 'the highest hash key of a shard is its own',
    amazon: '200',
    ask: (kinesis) => putAnswer(kinesis, [record(1, HIGHEST)]),
  },
  {
    about: '501 records in one PutRecords',
    amazon: '400 ValidationException',
    ask: (kinesis) =>
      putAnswer(
        kinesis,
        Array.from({ length: 501 }, () => record(1)),
      ),
  },
  {
    about: '11 MiB in one PutRecords',
    amazon: '400 InvalidArgumentException',
    ask: (kinesis) =>
      putAnswer(
        kinesis,
        Array.from({ length: 22 }, () => record(MiB / 2)),
      ),
  },
  {
    about: 'a record of 2 MiB',
    amazon: '400 ValidationException',
    ask: (kinesis) => putAnswer(kinesis, [record(2 * MiB)]),
  },
  {
    about: 'a stream that is missing',
    amazon: '400 ResourceNotFoundException',
    ask: (kinesis) =>
      answerOf(kinesis.send(new DescribeStreamSummaryCommand({ StreamName: 'no-such-stream' }))),
  },
  {
    about: 'a wrong secret key',
    amazon: '400 InvalidSignatureException',
    ask: async (kinesis) => {
      const { protocol, hostname, port } = await kinesis.config.endpoint!();
      const other = clientOf(`${protocol}//${hostname}:${port}`, 'wrong');
      try {
        return await putAnswer(other, [record(1)]);
      } finally {
        other.destroy();
      }
    },
  },
  {
    about: 'the end of a shard that was split',
    amazon: 'no iterator, and its children',
    ask: splitAnswer,
  },
];

/** A client over HTTP/1.1 without retries, and a stream of two shards. */
export async function kinesisProbeClient(endpoint: string): Promise<KinesisClient> {
  const client = clientOf(endpoint, LOCAL_ENV.AWS_SECRET_ACCESS_KEY!);
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }));
  await untilActive(client);
  return client;
}

function clientOf(endpoint: string, secretAccessKey: string): KinesisClient {
  return new KinesisClient({
    endpoint,
    region: REGION,
    credentials: { accessKeyId: LOCAL_ENV.AWS_ACCESS_KEY_ID!, secretAccessKey },
    requestHandler: new NodeHttpHandler(),
    maxAttempts: 1,
  });
}

async function untilActive(client: KinesisClient): Promise<void> {
  await waitUntilStreamExists({ client, maxWaitTime: 30, minDelay: 0.1, maxDelay: 0.5 }, { StreamName });
}

function record(bytes: number, ExplicitHashKey = UPPER): PutRecordsRequestEntry {
  return { Data: Buffer.alloc(bytes, 1), PartitionKey: 'p', ExplicitHashKey };
}

async function putAnswer(kinesis: KinesisClient, Records: PutRecordsRequestEntry[]): Promise<string> {
  try {
    const answer = await kinesis.send(new PutRecordsCommand({ StreamName, Records }));
    return answer.FailedRecordCount ? `200, of which ${answer.FailedRecordCount} failed` : '200';
  } catch (error) {
    return statusAndName(error as ServiceError);
  }
}

async function createdAt(kinesis: KinesisClient): Promise<number | undefined> {
  const answer = await kinesis.send(new DescribeStreamSummaryCommand({ StreamName }));
  return answer.StreamDescriptionSummary?.StreamCreationTimestamp?.getTime();
}

async function hashKeyAnswer(kinesis: KinesisClient): Promise<string> {
  const Records = [LOWER, HALF, UPPER].map((key) => record(1, key));
  const answer = await kinesis.send(new PutRecordsCommand({ StreamName, Records }));
  const [lower, half, upper] = answer.Records!.map(({ ShardId }) => ShardId);
  return lower !== half && half === upper ? 'yes' : 'no';
}

/** The smallest request in CBOR: an empty map. */
async function cborAnswer(kinesis: KinesisClient): Promise<string> {
  const { protocol, hostname, port } = await kinesis.config.endpoint!();
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const response = await fetch(`${protocol}//${hostname}:${port}/`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-cbor-1.1',
      'x-amz-target': 'Kinesis_20131202.ListStreams',
      'x-amz-date': date,
      authorization: `AWS4-HMAC-SHA256 Credential=local/${date.slice(0, 8)}/${REGION}/kinesis/aws4_request, SignedHeaders=host;x-amz-date, Signature=00`,
    },
    body: Buffer.from([0xa0]),
  });
  const type = response.headers.get('content-type') ?? '';
  await response.arrayBuffer();
  return type.includes('cbor') ? String(response.status) : `${response.status}, in ${type.split(';')[0]}`;
}

async function splitAnswer(kinesis: KinesisClient): Promise<string> {
  const { Shards = [] } = await kinesis.send(new ListShardsCommand({ StreamName }));
  const [shard] = Shards;
  await kinesis.send(
    new SplitShardCommand({ StreamName, ShardToSplit: shard!.ShardId!, NewStartingHashKey: '1000' }),
  );
  await untilActive(kinesis);
  const { ShardIterator } = await kinesis.send(
    new GetShardIteratorCommand({
      StreamName,
      ShardId: shard!.ShardId!,
      ShardIteratorType: 'TRIM_HORIZON',
    }),
  );
  let iterator = ShardIterator;
  for (let read = 0; iterator !== undefined && read < READS; read++) {
    const answer: GetRecordsCommandOutput = await kinesis.send(
      new GetRecordsCommand({ ShardIterator: iterator }),
    );
    if (!answer.NextShardIterator) {
      return answer.ChildShards?.length === 2 ? 'no iterator, and its children' : 'no iterator, no children';
    }
    iterator = answer.NextShardIterator;
  }
  return 'an iterator, forever';
}
