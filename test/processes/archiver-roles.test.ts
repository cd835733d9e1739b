/** The roles of both archivers, as they are packaged: a real consumer with KCL, and the function, make every call through them. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { packageFunctions, TEMPLATE } from '../../functions/package.ts';
import { startStack } from '../../local/stack.ts';
import { EventSourceMapping } from '../simulation/event-source-mapping.ts';
import { type GatedRequest, type Rules, startGate } from '../simulation/gate.ts';
import { type Call, Iam } from '../simulation/iam.ts';
import { ACCOUNT, REGION, Template } from '../simulation/template.ts';
import { ChunkSource } from '../support/chunks.ts';
import {
  assertArchivedOnce,
  ConsumerProcess,
  FAILING_CONSUMER,
  putChunks,
  until,
} from '../support/consumer-process.ts';
import { FunctionPool } from '../support/function-pool.ts';

const WORKER_ROLE = 'WorkerRole';
const FUNCTION_ROLE = 'ArchiveRole';
const HANDLER = join(import.meta.dirname, '..', '..', 'functions', 'archive.ts');
/** Granted for what this run doesn't have: tables of a first start, the package, the metric of each minute. */
const UNUSED = ['cloudwatch:PutMetricData', 'dynamodb:CreateTable', 'dynamodb:UpdateTable', 's3:GetObject'];

test('a consumer reads, leases, archives and resumes with nothing but its grants', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  await packageFunctions(join(directory, 'packaged'), {}, ['stack']);
  // Its name is the consumer's application, which the lease table is called by.
  const template = new Template(join(directory, 'packaged', 'stack', TEMPLATE), 'tailrace');
  const iam = new Iam(template);

  const stack = await startStack({
    dataDir: join(directory, 'data'),
    shards: 2,
    streamName: String(template.resolve({ Ref: 'Stream' })),
    bucket: String(template.resolve({ Ref: 'ArchiveBucket' })),
  });
  t.after(() => stack.stop());
  Object.assign(process.env, stack.env);
  const gates = await Promise.all([
    startGate(stack.kinesisEndpoint, iam, WORKER_ROLE, kinesisRules(template)),
    startGate(stack.dynamodbEndpoint, iam, WORKER_ROLE, { needs: dynamodbCalls }),
    startGate(stack.s3Endpoint, iam, WORKER_ROLE, s3Rules(template)),
  ]);
  t.after(() => Promise.all(gates.map((gate) => gate.stop())));
  const [kinesisEndpoint, dynamodbEndpoint, s3Endpoint] = gates.map(({ endpoint }) => endpoint) as [
    string,
    string,
    string,
  ];
  const gated = { ...stack, kinesisEndpoint, dynamodbEndpoint, s3Endpoint };

  const client = new KinesisClient({ endpoint: stack.kinesisEndpoint, region: stack.region });
  t.after(() => client.destroy());
  const hour = Math.floor(Date.now() / 3_600_000);
  const source = new ChunkSource({ name: 'agent-1' });
  const made = Array.from({ length: 8 }, () => source.next('nginx.access', hour, 5));
  await putChunks(client, stack, made);

  // It ends between a commit and its objects, so that what comes after asks for an object that is not there.
  const flag = join(directory, 'commit');
  const options = { stack: gated, directory, workerId: 'worker-1' };
  const first = new ConsumerProcess({
    ...options,
    tailrace: FAILING_CONSUMER,
    env: { TAILRACE_FAULT: `commit/host:${flag}` },
  });
  t.after(() => first.kill('SIGKILL'));
  await first.start();
  await until('the fault has happened', () => existsSync(flag));
  await assertArchivedOnce(stack, made);
  assert.equal(await first.stop(), 0);

  assert.deepEqual([...new Set(iam.denied)], []);
  const unused = iam.unused([WORKER_ROLE]).map((grant) => grant.split(' ')[1]!);
  assert.deepEqual(unused.sort(), UNUSED);
});

/** Granted for what Lambda itself does when a mapping is made, and for its log. */
const UNUSED_BY_FUNCTION = [
  'kinesis:DescribeStream',
  'kinesis:ListStreams',
  'logs:CreateLogStream',
  'logs:PutLogEvents',
];

test('the function archives, and completes what a call left, with nothing but its grants', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  await packageFunctions(
    join(directory, 'packaged'),
    { archiver: 'function', vpcId: 'vpc-1', subnetIds: 'subnet-1' },
    ['stack'],
  );
  const template = new Template(join(directory, 'packaged', 'stack', TEMPLATE), 'tailrace');
  const iam = new Iam(template);
  const stack = await startStack({
    dataDir: join(directory, 'data'),
    shards: 1,
    streamName: String(template.resolve({ Ref: 'Stream' })),
    bucket: String(template.resolve({ Ref: 'ArchiveBucket' })),
  });
  t.after(() => stack.stop());
  Object.assign(process.env, stack.env);
  const gates = await Promise.all([
    startGate(stack.kinesisEndpoint, iam, FUNCTION_ROLE, kinesisRules(template)),
    startGate(stack.s3Endpoint, iam, FUNCTION_ROLE, s3Rules(template)),
  ]);
  t.after(() => Promise.all(gates.map((gate) => gate.stop())));
  const client = new KinesisClient({ endpoint: stack.kinesisEndpoint, region: stack.region });
  const gated = new KinesisClient({ endpoint: gates[0].endpoint, region: stack.region });
  t.after(() => {
    for (const one of [client, gated]) one.destroy();
  });
  const pool = new FunctionPool(
    HANDLER,
    {
      ...stack.env,
      AWS_REGION: stack.region,
      AWS_ENDPOINT_URL_KINESIS: gates[0].endpoint,
      AWS_ENDPOINT_URL_S3: gates[1].endpoint,
      STREAM_NAME: stack.streamName,
      ARCHIVE_BUCKET: stack.bucket,
    },
    20_000,
  );
  t.after(() => pool.stop());
  const mapping = new EventSourceMapping({
    stream: stack.streamName,
    kinesis: gated,
    invoke: (event) => pool.invoke(event),
    window: 200,
    batchSize: 100,
    random: () => 1,
  });
  mapping.start();
  t.after(() => mapping.stop().catch(() => {}));
  const hour = Math.floor(Date.now() / 3_600_000);
  const source = new ChunkSource({ name: 'agent-1' });
  const made = Array.from({ length: 6 }, () => source.next('nginx.access', hour, 5));
  await putChunks(client, stack, made.slice(0, 3));
  await until('a batch is archived', () => mapping.calls > 0);
  await putChunks(client, stack, made.slice(3));
  await assertArchivedOnce(stack, made);
  await pool.invoke({ source: 'aws.events' });

  assert.deepEqual([...new Set(iam.denied)], []);
  const unused = iam.unused([FUNCTION_ROLE]).map((grant) => grant.split(' ')[1]!);
  assert.deepEqual(unused.sort(), UNUSED_BY_FUNCTION);
});

function kinesisRules(template: Template): Rules {
  const resource = arn(template, 'Stream');
  const key = arn(template, 'Key');
  return {
    needs: ({ operation }) => [
      { action: `kinesis:${operation}`, resource },
      ...(operation === 'GetRecords' ? [byService('kms:Decrypt', key, 'kinesis')] : []),
    ],
  };
}

function dynamodbCalls({ operation, body }: GatedRequest): Call[] {
  const { TableName, IndexName } = JSON.parse(body.toString()) as { TableName: string; IndexName?: string };
  const table = `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${TableName}`;
  const resource = IndexName === undefined ? table : `${table}/index/${IndexName}`;
  return [{ action: `dynamodb:${operation}`, resource }];
}

function s3Rules(template: Template): Rules {
  const key = arn(template, 'Key');
  return {
    needs: ({ method, url }) => {
      const [bucket, ...rest] = decodeURIComponent(url.pathname).slice(1).split('/');
      const resource = `arn:aws:s3:::${bucket}`;
      if (rest.join('/') === '') {
        const context = { 's3:prefix': url.searchParams.get('prefix') ?? '' };
        return [{ action: 's3:ListBucket', resource, context }];
      }
      const object = `${resource}/${rest.join('/')}`;
      return method === 'PUT'
        ? [{ action: 's3:PutObject', resource: object }, byService('kms:GenerateDataKey', key, 's3')]
        : [{ action: 's3:GetObject', resource: object }, byService('kms:Decrypt', key, 's3')];
    },
    // A request for an object has no prefix.
    absent: ({ url }) => [
      { action: 's3:ListBucket', resource: `arn:aws:s3:::${url.pathname.split('/')[1]}` },
    ],
  };
}

function arn(template: Template, id: string): string {
  return String(template.resolve({ 'Fn::GetAtt': [id, 'Arn'] }));
}

function byService(action: string, resource: string, service: string): Call {
  return { action, resource, context: { 'kms:ViaService': `${service}.${REGION}.amazonaws.com` } };
}
