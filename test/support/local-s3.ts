/** The embedded S3 inside the test's own process, on its own folder. */
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { createS3Server } from '../../local/s3/server.ts';
import { Store } from '../../local/s3/store.ts';

export const BUCKET = 'bucket';

export interface LocalS3 {
  readonly endpoint: string;
  /** The folder of the store; the bucket is a folder in it. */
  readonly folder: string;
  readonly client: S3Client;
  stop(): Promise<void>;
}

export async function startLocalS3(): Promise<LocalS3> {
  const folder = await fs.mkdtemp(path.join(tmpdir(), 'tailrace-s3-'));
  const server = createS3Server(await Store.open(folder));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = testClient(endpoint);
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  return {
    endpoint,
    folder,
    client,
    stop: async () => {
      client.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
}

/** A client that does not hide the server's response behind retries. */
export function testClient(endpoint: string): S3Client {
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    forcePathStyle: true,
    maxAttempts: 1,
  });
}
