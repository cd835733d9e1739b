/** What an S3 does where implementations differ, asked by the SDK; each answer is a short phrase for a table. */
import { createHash } from 'node:crypto';
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  type PutObjectCommandOutput,
  S3Client,
} from '@aws-sdk/client-s3';
import { LOCAL_ENV, REGION } from '../../local/clients.ts';
import { answerOf, type Probe, speaksHttp2 } from './probe.ts';

/** Another at each run, because a store of somebody's own keeps what an earlier run left. */
const Bucket = `tailrace-probes-${Date.now().toString(36)}`;
const RACES = 50;
const RACERS = 8;
const HOUR_MS = 3_600_000;
const OTHER = createHash('sha256').update('something else').digest('base64');

/** Answers of S3 itself, from its documentation; what differs from them is marked in the table. */
export const S3_PROBES: readonly Probe<S3Client>[] = [
  {
    about: '`If-None-Match: *` on an object that is there',
    amazon: '412 PreconditionFailed',
    ask: async (s3) => {
      await put(s3, { Key: 'there' });
      return answerOf(put(s3, { Key: 'there', IfNoneMatch: '*' }));
    },
  },
  {
    about: `the same, ${RACERS} writers at once`,
    amazon: 'one wins',
    ask: raceAnswer,
  },
  {
    about: 'a body that is not what `x-amz-checksum-sha256` says',
    amazon: '400 BadDigest',
    ask: (s3) => answerOf(put(s3, { Key: 'sum', ChecksumSHA256: OTHER })),
  },
  {
    about: 'GET without such an object',
    amazon: '404 NoSuchKey',
    ask: (s3) => answerOf(s3.send(new GetObjectCommand({ Bucket, Key: 'nothing' }))),
  },
  {
    about: 'GET without such a bucket',
    amazon: '404 NoSuchBucket',
    ask: (s3) => answerOf(s3.send(new GetObjectCommand({ Bucket: 'no-such-bucket', Key: 'k' }))),
  },
  {
    about: 'HEAD without such an object',
    amazon: '404 NotFound',
    ask: (s3) => answerOf(s3.send(new HeadObjectCommand({ Bucket, Key: 'nothing' }))),
  },
  {
    about: 'a range past the end',
    amazon: '416 InvalidRange',
    ask: async (s3) => {
      await put(s3, { Key: 'short' });
      return answerOf(s3.send(new GetObjectCommand({ Bucket, Key: 'short', Range: 'bytes=100-' })));
    },
  },
  {
    about: 'an object under the name of another (`a`, `a/b`)',
    amazon: '200',
    ask: async (s3) => {
      await put(s3, { Key: 'nested' });
      return answerOf(put(s3, { Key: 'nested/inside' }));
    },
  },
  {
    about: 'the order of a list',
    amazon: 'UTF-8 bytes',
    ask: orderAnswer,
  },
  {
    about: 'a list of folders, in pages of two',
    amazon: 'each once, in order',
    ask: foldersAnswer,
  },
  {
    about: 'tags and a storage class at a PUT',
    amazon: '200',
    ask: (s3) => answerOf(put(s3, { Key: 'tagged', Tagging: 'a=b', StorageClass: 'STANDARD_IA' })),
  },
  {
    about: 'a wrong secret key',
    amazon: '403 SignatureDoesNotMatch',
    ask: async (s3) => {
      const { accessKeyId } = await s3.config.credentials();
      return asOther(s3, { credentials: { accessKeyId, secretAccessKey: 'wrong' } });
    },
  },
  {
    about: 'a clock that is an hour wrong',
    amazon: '403 RequestTimeTooSkewed',
    ask: async (s3) =>
      asOther(s3, { credentials: await s3.config.credentials(), systemClockOffset: HOUR_MS }),
  },
  {
    about: 'HTTP/2 without TLS',
    amazon: 'no',
    ask: async (s3) => speaksHttp2((await s3.config.endpoint!()).port ?? 80),
  },
];

interface Access {
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly systemClockOffset?: number;
}

/** A client without retries, and the bucket of the probes. */
export async function s3ProbeClient(endpoint: string, env = LOCAL_ENV): Promise<S3Client> {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = env;
  const client = clientOf(endpoint, { credentials: { accessKeyId, secretAccessKey } });
  await client.send(new CreateBucketCommand({ Bucket }));
  return client;
}

function clientOf(endpoint: string, access: Access): S3Client {
  return new S3Client({ endpoint, region: REGION, forcePathStyle: true, maxAttempts: 1, ...access });
}

async function asOther(s3: S3Client, access: Access): Promise<string> {
  const { protocol, hostname, port } = await s3.config.endpoint!();
  const other = clientOf(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`, access);
  try {
    return await answerOf(put(other, { Key: 'other' }));
  } finally {
    other.destroy();
  }
}

function put(
  s3: S3Client,
  input: Omit<PutObjectCommandInput, 'Bucket' | 'Body'>,
): Promise<PutObjectCommandOutput> {
  return s3.send(new PutObjectCommand({ Bucket, Body: 'body', ...input }));
}

async function raceAnswer(s3: S3Client): Promise<string> {
  let several = 0;
  let none = 0;
  for (let race = 0; race < RACES; race++) {
    const answers = await Promise.all(
      Array.from({ length: RACERS }, () => answerOf(put(s3, { Key: `race-${race}`, IfNoneMatch: '*' }))),
    );
    const winners = answers.filter((status) => status === '200').length;
    if (winners > 1) several++;
    else if (winners === 0) none++;
  }
  if (none > 0) return `nobody wins in ${none} of ${RACES} races`;
  return several === 0 ? 'one wins' : `several win in ${several} of ${RACES} races`;
}

const NAMES = [
  'order/a',
  'order/a-b',
  'order/a/c',
  'order/aé',
  'order/a\u{1f600}',
  'order/a\uff5e',
  'order/B',
];

async function orderAnswer(s3: S3Client): Promise<string> {
  const kept: string[] = [];
  for (const Key of NAMES) if ((await answerOf(put(s3, { Key }))) === '200') kept.push(Key);
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'order/' }));
  const listed = Contents.map(({ Key }) => Key!);
  const sorted = kept.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return listed.join() === sorted.join() ? 'UTF-8 bytes' : 'another';
}

async function foldersAnswer(s3: S3Client): Promise<string> {
  const folders = ['a', 'b', 'c', 'd', 'e'].map((name) => `folders/${name}/`);
  for (const folder of folders) await put(s3, { Key: `${folder}x` });
  const found: string[] = [];
  let token: string | undefined;
  do {
    const page = await s3.send(
      new ListObjectsV2Command({
        Bucket,
        Prefix: 'folders/',
        Delimiter: '/',
        MaxKeys: 2,
        ContinuationToken: token,
      }),
    );
    found.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix!));
    token = page.NextContinuationToken;
  } while (token !== undefined && found.length < 20);
  return found.join() === folders.join() ? 'each once, in order' : 'not so';
}
