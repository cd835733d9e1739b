/** docs/iam.md is what the templates say, and nothing is tied to one partition of AWS. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { S3Client } from '@aws-sdk/client-s3';
import { IAM_FILE, iamDocument } from '../../support/iam-document.ts';

const ROOT = join(import.meta.dirname, '../../..');

test('docs/iam.md is up to date', () => {
  const text = readFileSync(IAM_FILE, 'utf8');
  assert.equal(text, iamDocument(), 'run `npm run docs`');
  const policies = [...text.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => JSON.parse(json!));
  assert.equal(policies.length, 11);
});

test('no ARN in the templates and programs is of one partition', () => {
  const files = globSync(
    ['serverless*.yml', '{infra,functions,producer,consumer,archive,cli}/**/*.{yml,ts,sh}'],
    {
      cwd: ROOT,
    },
  );
  assert.ok(files.length > 100);
  const offences = files.filter((file) =>
    readFileSync(join(ROOT, file), 'utf8')
      .split('\n')
      .some((line) => line.includes('arn:aws:') && !/^\s*(\/\/|\*|#)/.test(line)),
  );
  assert.deepEqual(offences, []);
});

test("the clients find each partition's endpoints by the region alone", async () => {
  const credentials = { accessKeyId: 'x', secretAccessKey: 'x' };
  const hosts = async (region: string): Promise<string[]> => {
    const clients = [KinesisClient, DynamoDBClient, S3Client].map(
      (Client) => new Client({ region, credentials }) as KinesisClient,
    );
    return clients.map(
      (client) => client.config.endpointProvider({ Region: region } as never, {}).url.hostname,
    );
  };
  assert.deepEqual(await hosts('cn-north-1'), [
    'kinesis.cn-north-1.amazonaws.com.cn',
    'dynamodb.cn-north-1.amazonaws.com.cn',
    's3.cn-north-1.amazonaws.com.cn',
  ]);
  assert.deepEqual(await hosts('us-gov-west-1'), [
    'kinesis.us-gov-west-1.amazonaws.com',
    'dynamodb.us-gov-west-1.amazonaws.com',
    's3.us-gov-west-1.amazonaws.com',
  ]);
});
