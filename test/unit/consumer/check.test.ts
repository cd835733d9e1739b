/** `consumer --check` tries each right and names the one that is missing; it leaves two probes behind, and no more the next time. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { checkConfig } from '../../../cli/config.ts';
import { missingRights } from '../../../consumer/check.ts';
import { consumerSchema } from '../../../consumer/config.ts';
import { DynamoDbDouble } from '../../support/dynamodb-double.ts';
import { KinesisDouble } from '../../support/kinesis-double.ts';

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const ETAG = { etag: '"0"' };
const DENIED: Refusal = { status: 403, code: 'AccessDenied' };
const objects = new Map<string, Buffer>();
/** What S3 refuses; null lets a request through. */
let refuse: (request: IncomingMessage, key: string) => Refusal | null = () => null;
let s3: Server;
let kinesis: KinesisDouble;
let table: DynamoDbDouble;

before(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
  kinesis = await KinesisDouble.start(1);
  table = await DynamoDbDouble.start();
  s3 = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const key = request.url!.split('?')[0]!.slice('/b/'.length);
    const refusal = refuse(request, key);
    if (refusal) {
      const { status, code, headers = {} } = refusal;
      const body = `<Error><Code>${code}</Code><Message>no</Message></Error>`;
      response.writeHead(status, { 'content-type': 'application/xml', ...headers }).end(body);
    } else if (key === '') {
      response.end('<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>');
    } else if (request.method === 'PUT') {
      const isThere = objects.has(key) && request.headers['if-none-match'] === '*';
      if (!isThere) objects.set(key, Buffer.concat(parts));
      response.writeHead(isThere ? 412 : 200, ETAG).end();
    } else {
      const object = objects.get(key);
      response.writeHead(object ? 200 : 404, { ...ETAG, 'content-length': object?.length ?? 0 });
      response.end(request.method === 'GET' ? object : undefined);
    }
  });
  await new Promise<void>((resolve) => s3.listen(0, '127.0.0.1', resolve));
});

after(async () => {
  s3.closeAllConnections();
  s3.close();
  await kinesis.stop();
  await table.stop();
});

beforeEach(() => {
  refuse = () => null;
  objects.clear();
  table.denied.clear();
  kinesis.onRequest = () => null;
});

const BARE = { stream: { name: 'weblogs', region: 'us-east-1' } };

function check(archive: object = {}, more: object = {}): Promise<string[]> {
  const endpoint = `http://127.0.0.1:${(s3.address() as AddressInfo).port}`;
  const config = {
    stream: { name: 'weblogs', region: 'us-east-1', endpoint: kinesis.endpoint },
    dynamodb: { endpoint: table.endpoint },
    archive: { bucket: 'b', endpoint, ...archive },
    ...more,
  };
  return missingRights(checkConfig('test', config, consumerSchema));
}

test('with every right it leaves two probes, and the same two the next time', async () => {
  for (let time = 0; time < 2; time++) {
    assert.deepEqual(await check(), []);
    assert.deepEqual([...objects.keys()].sort(), ['_commits/if-none-match', 'logs/_tailrace-check']);
  }
  assert.equal(table.writes, 0);
});

test('the probe is in the folder that all data objects share', async () => {
  assert.deepEqual(await check({ prefix: 'web/', key_template: 'raw/v1-{dt}/{name}' }), []);
  assert.ok(objects.has('web/raw/_tailrace-check'));
  assert.deepEqual(await check({ key_template: '{tag}/{name}' }), []);
  assert.ok(objects.has('_tailrace-check'));
});

test('a role that may write commits and no data, or data and no commits, gets its line alone', async () => {
  refuse = ({ method }, key) => (method === 'PUT' && key.startsWith('logs/') ? DENIED : null);
  let [line, ...others] = await check();
  assert.match(line!, /bucket b: s3:PutObject to logs\/\*, .*: access_denied/);
  assert.deepEqual(others, []);
  refuse = ({ method }, key) => (method === 'PUT' && key.startsWith('_commits/') ? DENIED : null);
  [line, ...others] = await check();
  assert.match(line!, /bucket b: s3:PutObject with If-None-Match: .*access_denied/);
  assert.deepEqual(others, []);
});

test('a key that may not be used, and one that is disabled, are named although the probes are there', async () => {
  assert.deepEqual(await check(), []);
  const kms = { status: 400, code: 'KMS.DisabledException' };
  refuse = ({ method }) => (method === 'PUT' ? kms : null);
  assert.match((await check()).join('\n'), /kms:GenerateDataKey with the key of .*: kms/);
  refuse = ({ method }, key) => (method === 'GET' && key.startsWith('logs/') ? kms : null);
  const [line, ...others] = await check();
  assert.match(line!, /s3:GetObject of logs\/\*, and kms:Decrypt .*: kms/);
  assert.deepEqual(others, []);
});

test('what the configuration writes with is written with: key, tags and storage class', async () => {
  const seen: IncomingMessage['headers'][] = [];
  refuse = ({ method, headers }, key) => {
    if (method === 'PUT' && key.startsWith('logs/')) seen.push(headers);
    return method === 'PUT' && headers['x-amz-tagging'] !== undefined ? DENIED : null;
  };
  const missing = await check({ kms_key: 'k', tags: { team: 'web' }, storage_class: 'STANDARD_IA' });
  assert.match(missing.join('\n'), /s3:PutObject to logs\/\*, with s3:PutObjectTagging/);
  assert.equal(seen[0]!['x-amz-server-side-encryption-aws-kms-key-id'], 'k');
  assert.equal(seen[0]!['x-amz-storage-class'], 'STANDARD_IA');
  assert.deepEqual(await check(), []);
});

test('a policy that demands encryption of every write is satisfied by the configuration, and named without it', async () => {
  refuse = ({ method, headers }) =>
    method === 'PUT' && headers['x-amz-server-side-encryption'] !== 'AES256' ? DENIED : null;
  assert.match((await check()).join('\n'), /bucket policy may ask for archive\.encryption: .*access_denied/);
  assert.deepEqual(await check({ encryption: 'AES256' }), []);
  assert.throws(
    () =>
      checkConfig(
        'test',
        { ...BARE, archive: { bucket: 'b', encryption: 'AES256', kms_key: 'k' } },
        consumerSchema,
      ),
    /AES256 has no kms_key/,
  );
});

test('a policy that demands If-None-Match of every write is satisfied', async () => {
  refuse = ({ method, headers }) =>
    method === 'PUT' && headers['if-none-match'] === undefined ? DENIED : null;
  assert.deepEqual(await check(), []);
});

test('a bucket in another region is named with its region', async () => {
  refuse = () => ({
    status: 301,
    code: 'PermanentRedirect',
    headers: { 'x-amz-bucket-region': 'eu-west-1' },
  });
  const missing = await check();
  assert.match(missing.join('\n'), /wrong_region: the bucket is in eu-west-1: set archive\.region/);
});

test('a stream of another account is named by its ARN in every request', async () => {
  const arn = 'arn:aws:kinesis:us-east-1:123456789012:stream/weblogs';
  kinesis.named.clear();
  const stream = { name: 'weblogs', region: 'us-east-1', arn, endpoint: kinesis.endpoint };
  assert.deepEqual(await check({}, { stream }), []);
  assert.deepEqual([...kinesis.named], [arn]);
});

test('fan-out asks for its own right', async () => {
  kinesis.onRequest = (operation) =>
    operation === 'DescribeStreamConsumer'
      ? { status: 400, body: { __type: 'AccessDeniedException', message: 'no' } }
      : null;
  assert.deepEqual(await check(), []);
  const [line] = await check({}, { kcl: { retrieval: 'fan_out' } });
  assert.match(line!, /stream weblogs: kinesis:DescribeStreamConsumer, .*: AccessDeniedException/);
});

test('the tables of an earlier KCL are asked for, too', async () => {
  table.denied.add('DescribeTable');
  const missing = await check();
  assert.match(missing.join('\n'), /DescribeTable of tailrace-CoordinatorState/);
});

test('what the stream and the table deny is named', async () => {
  for (const operation of ['UpdateItem', 'Query']) table.denied.add(operation);
  kinesis.onRequest = (operation) =>
    operation === 'GetRecords'
      ? { status: 400, body: { __type: 'KMSDisabledException', message: 'off' } }
      : null;
  const [stream, update, query, ...others] = await check();
  assert.match(stream!, /stream weblogs: .*kms:Decrypt.*: KMSDisabledException: off/);
  assert.match(update!, /table tailrace: dynamodb:UpdateItem: AccessDeniedException: no UpdateItem/);
  assert.match(query!, /table tailrace: dynamodb:Query on its index .*: AccessDeniedException/);
  assert.deepEqual(others, []);
});
