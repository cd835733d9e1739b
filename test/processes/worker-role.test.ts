/** The role of the worker, as it is packaged: a real consumer with KCL makes every call through it. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { packageFunctions, TEMPLATE } from '../../functions/package.ts';
import { startStack } from '../../local/stack.ts';
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

const ROLE = 'WorkerRole';
/** Granted for what this run doesn't have: tables of a first start, the package. */
const UNUSED = ['dynamodb:CreateTable', 'dynamodb:UpdateTable', 's3:GetObject'];

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
    startGate(stack.kinesisEndpoint, iam, ROLE, kinesisRules(template)),
    startGate(stack.dynamodbEndpoint, iam, ROLE, { needs: dynamodbCalls }),
    startGate(stack.s3Endpoint, iam, ROLE, s3Rules(template)),
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
  const unused = iam.unused([ROLE]).map((grant) => grant.split(' ')[1]!);
  assert.deepEqual(unused.sort(), UNUSED);
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
