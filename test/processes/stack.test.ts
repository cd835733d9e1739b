/** The embedded stack starts, takes a record and an object, keeps them over a stop, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, before, test } from 'node:test';
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListShardsCommand,
  PutRecordCommand,
} from '@aws-sdk/client-kinesis';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { KinesisStream } from '../../archive/kinesis-stream.ts';
import { dynamodbClient, kinesisClient, s3Client } from '../../local/clients.ts';
import { type Stack, startStack } from '../../local/stack.ts';

const CLI = path.join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');

let folder = '';
before(async () => {
  folder = await fs.mkdtemp(path.join(tmpdir(), 'tailrace-stack-'));
});
after(() => fs.rm(folder, { recursive: true, force: true }));

/** Takes what the stack's clients are for, and closes them. */
async function withClients<T>(
  stack: Stack,
  use: (clients: {
    kinesis: ReturnType<typeof kinesisClient>;
    dynamodb: ReturnType<typeof dynamodbClient>;
    s3: ReturnType<typeof s3Client>;
  }) => Promise<T>,
): Promise<T> {
  const kinesis = kinesisClient(stack.kinesisEndpoint);
  const dynamodb = dynamodbClient(stack.dynamodbEndpoint);
  const s3 = s3Client(stack.s3Endpoint);
  try {
    return await use({ kinesis, dynamodb, s3 });
  } finally {
    kinesis.destroy();
    dynamodb.destroy();
    s3.destroy();
  }
}

async function recordsOf(kinesis: ReturnType<typeof kinesisClient>, StreamName: string): Promise<string[]> {
  const { Shards } = await kinesis.send(new ListShardsCommand({ StreamName }));
  const records: string[] = [];
  for (const { ShardId } of Shards!) {
    const { ShardIterator } = await kinesis.send(
      new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    const { Records } = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
    records.push(...Records!.map(({ Data }) => Buffer.from(Data!).toString()));
  }
  return records;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether something listens on the port of an endpoint. */
async function isTaken(endpoint: string): Promise<boolean> {
  const socket = net.connect(Number(new URL(endpoint).port), '127.0.0.1');
  try {
    return await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]);
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test('a stack takes a record and an object, and a later one on its folder has them', async () => {
  const dataDir = path.join(folder, 'kept');
  const first = await startStack({ dataDir, shards: 3 });
  // Larger than what kinesis-local's own HTTP/2 server can take, by the SDK's default handler, which is HTTP/2.
  const large = 'x'.repeat(700_000);
  // As the commands do: local/'s credentials are in its environment.
  Object.assign(process.env, first.env);
  const location = { name: first.streamName, region: first.region, endpoint: first.kinesisEndpoint };
  const stream = await KinesisStream.open(location, (error) => assert.fail(error));
  await withClients(first, async ({ kinesis, dynamodb, s3 }) => {
    for (const data of ['small', large]) {
      const { ShardId: shard, SequenceNumber: sequence } = await kinesis.send(
        new PutRecordCommand({
          StreamName: first.streamName,
          Data: Buffer.from(data),
          PartitionKey: data[0]!,
        }),
      );
      const before = String(BigInt(sequence!) - 1n);
      assert.deepEqual(
        await Promise.all([
          stream.holds(shard!, { at: sequence! }, sequence!),
          stream.holds(shard!, null, before),
          stream.holds(shard!, { after: sequence! }, String(BigInt(sequence!) + 1n)),
          stream.holds('shardId-000000000077', null, sequence!),
        ]),
        [true, false, false, false],
      );
    }
    stream.close();
    await s3.send(new PutObjectCommand({ Bucket: first.bucket, Key: 'a/b', Body: 'object' }));
    const { Items } = await dynamodb.send(new ScanCommand({ TableName: 'tailrace' }));
    const leases = Items!.map((item) => `${item.leaseKey!.S} ${item.checkpoint!.S}`).sort();
    assert.deepEqual(leases, [
      'shardId-000000000000 TRIM_HORIZON',
      'shardId-000000000001 TRIM_HORIZON',
      'shardId-000000000002 TRIM_HORIZON',
    ]);
  });
  await first.stop();

  const second = await startStack({ dataDir, shards: 3 });
  try {
    await withClients(second, async ({ kinesis, s3 }) => {
      assert.deepEqual((await recordsOf(kinesis, second.streamName)).sort(), ['small', large].sort());
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: second.bucket, Key: 'a/b' }));
      assert.equal(await Body!.transformToString(), 'object');
    });
  } finally {
    await second.stop();
  }
});

test('a stopped stack leaves no process and no port', async () => {
  const stack = await startStack({ dataDir: path.join(folder, 'stopped'), shards: 1 });
  const endpoints = [stack.kinesisEndpoint, stack.dynamodbEndpoint, stack.s3Endpoint];
  const pids = stack.children.map(({ pid }) => pid);
  for (const endpoint of endpoints) assert.equal(await isTaken(endpoint), true);
  await stack.stop();
  for (const pid of pids) assert.equal(isAlive(pid), false);
  for (const endpoint of endpoints) assert.equal(await isTaken(endpoint), false);
});

test('the services end when the process that started them is killed', async () => {
  const dataDir = path.join(folder, 'orphaned');
  const parent = spawn(process.execPath, [CLI, 'local', '--data', dataDir, '--shards', '1'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  for await (const text of parent.stdout.setEncoding('utf8')) {
    output += text;
    if (output.includes('AWS_ENDPOINT_URL_S3')) break;
  }
  const endpoints = [...output.matchAll(/AWS_ENDPOINT_URL_\w+=(\S+)/g)].map((match) => match[1]!);
  assert.equal(endpoints.length, 3);
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  for (const endpoint of endpoints) while (await isTaken(endpoint)) await new Promise(setImmediate);
});

test('a second stack on the same folder is refused, and the first goes on', async () => {
  const dataDir = path.join(folder, 'held');
  const stack = await startStack({ dataDir, shards: 1 });
  try {
    const second = spawn(process.execPath, [CLI, 'local', '--data', dataDir], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [text, [code]] = await Promise.all([readAll(second.stderr), once(second, 'exit')]);
    assert.equal(code, 2);
    assert.match(text, new RegExp(`is in use by process ${process.pid}`));
    await withClients(stack, async ({ kinesis }) => {
      assert.deepEqual(await recordsOf(kinesis, stack.streamName), []);
    });
  } finally {
    await stack.stop();
  }
});

/** A request's first half has come to the server, which said so, when its connection is cut, or all of it has. */
const CUTS = ['by a FIN in the middle', 'by a RST in the middle', 'before the answer'] as const;

const BODY = Buffer.from(JSON.stringify({ TableName: 'x'.repeat(1000) }));

/** Sends a request by HTTP/1.1 and cuts its connection; resolves when the connection is gone. */
async function cutRequest(
  url: URL,
  method: string,
  headers: object,
  cut: (typeof CUTS)[number],
): Promise<void> {
  const request = http.request(url, {
    method,
    agent: false,
    headers: { ...headers, expect: '100-continue', 'content-length': BODY.length },
  });
  request.on('error', () => {});
  request.flushHeaders();
  await once(request, 'continue');
  const socket = request.socket!;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await new Promise<void>((resolve) => {
    request.write(cut === 'before the answer' ? BODY : BODY.subarray(0, BODY.length / 2), () => resolve());
  });
  if (cut === 'by a RST in the middle') socket.resetAndDestroy();
  else socket.destroy();
  await closed;
}

/** The same by HTTP/2, of which a part of a connection may be cut: a stream. */
async function cutHttp2Request(url: URL, headers: object, cut: 'stream' | 'connection'): Promise<void> {
  const session = http2.connect(url);
  session.on('error', () => {});
  const stream = session.request({ ':method': 'POST', ':path': '/', ...headers, expect: '100-continue' });
  stream.on('error', () => {});
  await once(stream, 'continue');
  await new Promise<void>((resolve) => stream.write(BODY.subarray(0, BODY.length / 2), () => resolve()));
  const closed = new Promise((resolve) => session.once('close', resolve));
  if (cut === 'connection') session.destroy();
  else {
    const reset = new Promise((resolve) => stream.once('close', resolve));
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await reset;
    session.close();
  }
  await closed;
}

test('clients that end in the middle of a request are let go of, and the services go on answering', async () => {
  const stack = await startStack({ dataDir: path.join(folder, 'cut'), shards: 1 });
  const json = {
    authorization: 'AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c',
    'x-amz-date': 'd',
  };
  const kinesisHeaders = {
    ...json,
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'Kinesis_20131202.DescribeStreamSummary',
  };
  const dynamodbHeaders = {
    ...json,
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': 'DynamoDB_20120810.DescribeTable',
  };
  try {
    await withClients(stack, async ({ kinesis, dynamodb, s3 }) => {
      const object = { Bucket: stack.bucket, Key: 'whole' };
      await s3.send(new PutObjectCommand({ ...object, Body: 'object' }));
      for (const cut of CUTS) {
        await cutRequest(new URL(stack.kinesisEndpoint), 'POST', kinesisHeaders, cut);
        await cutRequest(new URL(stack.dynamodbEndpoint), 'POST', dynamodbHeaders, cut);
        await cutRequest(new URL('/logs/cut', stack.s3Endpoint), 'PUT', {}, cut);
      }
      for (const cut of ['stream', 'connection'] as const) {
        await cutHttp2Request(new URL(stack.kinesisEndpoint), kinesisHeaders, cut);
      }
      assert.deepEqual(await recordsOf(kinesis, stack.streamName), []);
      await dynamodb.send(new ScanCommand({ TableName: 'tailrace' }));
      const { Body } = await s3.send(new GetObjectCommand(object));
      assert.equal(await Body!.transformToString(), 'object');
    });
  } finally {
    await stack.stop();
  }
  // 143: ended by SIGTERM, in order. Whichever had failed at a cut would have ended with another code.
  for (const { name, exit } of stack.children)
    assert.ok([0, 143].includes(exit!.code!), `${name}: ${exit!.code}`);
});

test('a port in use is named, and nothing is left running', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  try {
    await assert.rejects(
      startStack({ dataDir: path.join(folder, 'port'), shards: 1, ports: { s3: port } }),
      new RegExp(`S3 cannot start: port ${port} on 127.0.0.1 is in use`),
    );
    await assert.rejects(fs.stat(path.join(folder, 'port', 'stack.pid')), { code: 'ENOENT' });
  } finally {
    server.close();
  }
});

test('a command runs with the environment that reaches the stack, and its exit code is passed on', async () => {
  const script = `
    import { S3Client, PutObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
    const s3 = new S3Client({});
    await s3.send(new PutObjectCommand({ Bucket: 'logs', Key: 'by/command', Body: 'x' }));
    console.log((await s3.send(new HeadObjectCommand({ Bucket: 'logs', Key: 'by/command' }))).ContentLength);
    process.exitCode = 7;`;
  const child = spawn(
    process.execPath,
    [
      CLI,
      'local',
      '--data',
      path.join(folder, 'command'),
      '--shards',
      '1',
      '--',
      process.execPath,
      '--input-type=module',
      '--eval',
      script,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], cwd: path.join(import.meta.dirname, '..', '..') },
  );
  const [text, [code]] = await Promise.all([readAll(child.stdout), once(child, 'exit')]);
  assert.equal(text.trim(), '1');
  assert.equal(code, 7);
});

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const piece of stream.setEncoding('utf8')) text += piece;
  return text;
}
