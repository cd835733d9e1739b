/** Other implementations of S3, Kinesis and DynamoDB: how each is brought and started. */
import { once } from 'node:events';
import * as fs from 'node:fs';
import type { AddressInfo } from 'node:net';
import * as path from 'node:path';
import { LOCAL_ENV } from '../../local/clients.ts';
import { createFront } from '../../local/kinesis/front.ts';
import { type Service, startStack } from '../../local/stack.ts';
import { S3MOCK_VERSION, startS3Mock } from '../support/s3mock.ts';
import { goProgram, pythonPrograms } from './install.ts';
import { Server } from './server.ts';

export interface Running {
  /** As the implementation serves them itself. */
  readonly raw: Partial<Readonly<Record<Service, string>>>;
  /** As the pipeline uses them: Kinesis behind a front for HTTP/2 where it has none. */
  readonly endpoints: Partial<Readonly<Record<Service, string>>>;
  /** For the pipeline's processes. */
  readonly env?: Readonly<Record<string, string>>;
  /** kill -9 and a start on what it has on disk; missing where it keeps everything in memory. */
  killAndRestart?(): Promise<void>;
  stop(): Promise<void>;
}

export interface Implementation {
  readonly name: string;
  readonly version: string;
  /** The registry and the language it is written in, for the table. */
  readonly from: string;
  readonly services: readonly Service[];
  start(folder: string): Promise<Running>;
}

const VERSITYGW = 'v1.8.0';
const GOFAKES3 = 'v1.2.0';
const MOTO = '5.2.5';

const CREDENTIALS = {
  ROOT_ACCESS_KEY_ID: LOCAL_ENV.AWS_ACCESS_KEY_ID!,
  ROOT_SECRET_ACCESS_KEY: LOCAL_ENV.AWS_SECRET_ACCESS_KEY!,
};

/** What tailrace's own tests and its demo run on. */
const embedded: Implementation = {
  name: 'local/',
  version: 'kinesis-local 0.6.2, dynalite 4.0.0',
  from: 'this project, npm',
  services: ['s3', 'kinesis', 'dynamodb'],
  start: async (folder) => {
    const stack = await startStack({ dataDir: folder, shards: 1, application: null });
    const endpoints = {
      s3: stack.s3Endpoint,
      kinesis: stack.kinesisEndpoint,
      dynamodb: stack.dynamodbEndpoint,
    };
    return { raw: endpoints, endpoints, stop: () => stack.stop() };
  },
};

const versitygw: Implementation = {
  name: 'versitygw',
  version: VERSITYGW,
  from: 'Go, `github.com/versity/versitygw`',
  services: ['s3'],
  start: async (folder) => {
    const program = await goProgram('versitygw', 'github.com/versity/versitygw/cmd/versitygw', VERSITYGW);
    const data = path.join(folder, 'data');
    fs.mkdirSync(data, { recursive: true });
    const env = { ...CREDENTIALS, VGW_REGION: LOCAL_ENV.AWS_REGION! };
    return s3Server({
      program,
      args: (port) => ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', '--sidecar', folder, data],
      folder,
      env,
    });
  },
};

const s3mock: Implementation = {
  name: 'S3Mock',
  version: S3MOCK_VERSION,
  from: 'Java, Maven `com.adobe.testing:s3mock`',
  services: ['s3'],
  start: async () => {
    const { endpoint, client, stop } = await startS3Mock();
    client.destroy();
    return { raw: { s3: endpoint }, endpoints: { s3: endpoint }, stop };
  },
};

const gofakes3: Implementation = {
  name: 'gofakes3',
  version: GOFAKES3,
  from: 'Go, `github.com/johannesboyne/gofakes3`',
  services: ['s3'],
  start: async (folder) => {
    const program = await goProgram('gofakes3', 'github.com/johannesboyne/gofakes3/cmd/gofakes3', GOFAKES3);
    const { killAndRestart: _, ...running } = await s3Server({
      program,
      args: (port) => ['-host', `127.0.0.1:${port}`, '-backend', 'memory', '-autobucket=false'],
      folder,
    });
    return running;
  },
};

async function s3Server(options: Parameters<typeof Server.start>[0]): Promise<Running> {
  const server = await Server.start(options);
  const endpoints = { s3: server.endpoint };
  return {
    raw: endpoints,
    endpoints,
    killAndRestart: () => server.killAndRestart(),
    stop: () => server.stop(),
  };
}

const moto: Implementation = {
  name: 'moto',
  version: MOTO,
  from: 'Python, PyPI `moto`',
  services: ['s3', 'kinesis', 'dynamodb'],
  start: async (folder) => {
    const programs = await pythonPrograms(`moto-${MOTO}`, `moto[server,s3,kinesis,dynamodb]==${MOTO}`);
    const server = await Server.start({
      program: path.join(programs, 'moto_server'),
      args: (port) => ['--host', '127.0.0.1', '--port', String(port)],
      folder,
    });
    const { endpoint } = server;
    const front = await startFront(server.port);
    return {
      raw: { s3: endpoint, kinesis: endpoint, dynamodb: endpoint },
      endpoints: { s3: endpoint, kinesis: front.endpoint, dynamodb: endpoint },
      // It reads requests as JSON alone; the AWS SDK for Java sends CBOR to Kinesis by default.
      env: { CBOR_ENABLED: 'false' },
      stop: async () => {
        front.close();
        await server.stop();
      },
    };
  },
};

/** HTTP/2, which KCL needs, before a server that has only HTTP/1.1. */
async function startFront(port: number): Promise<{ readonly endpoint: string; close(): void }> {
  const front = createFront(Promise.resolve(port));
  front.server.listen(0, '127.0.0.1');
  await once(front.server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(front.server.address() as AddressInfo).port}`,
    close: () => front.closeAll(),
  };
}

export const IMPLEMENTATIONS: readonly Implementation[] = [embedded, versitygw, moto, s3mock, gofakes3];
