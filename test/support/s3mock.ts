/** Adobe's S3Mock as a process on loopback, with a bucket. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import { ensureJar } from '../../consumer/kcl/jars.ts';
import { freePorts } from '../../local/ports.ts';
import { BUCKET, testClient } from './local-s3.ts';

export const S3MOCK_VERSION = '5.2.0';
const S3MOCK = `com/adobe/testing/s3mock/${S3MOCK_VERSION}/s3mock-${S3MOCK_VERSION}-exec.jar`;
const S3MOCK_SHA256 = 'dd7c192fef0005374dec507317ae946eaa5beeffeb4e901d8b97f7fd2ddfb741';
const START_MS = 60_000;

export interface S3Mock {
  readonly client: S3Client;
  readonly endpoint: string;
  stop(): Promise<void>;
}

/** @throws Error when Java or the jar is not available */
export async function startS3Mock(): Promise<S3Mock> {
  if (spawnSync('java', ['-version']).status !== 0) throw new Error('no Java');
  const jar = await ensureJar(S3MOCK, S3MOCK_SHA256);
  const folder = await fs.mkdtemp(path.join(tmpdir(), 'tailrace-s3mock-'));
  const [port] = await freePorts(1);
  const java = spawn(
    'java',
    [
      '-Xmx256m',
      '-XX:TieredStopAtLevel=1',
      '-jar',
      jar,
      '--server.address=127.0.0.1',
      '--server.ssl.enabled=false',
      `--server.port=${port}`,
      '--http.port=0',
      `--com.adobe.testing.s3mock.store.root=${folder}`,
    ],
    { stdio: 'ignore', cwd: folder },
  );
  const endpoint = `http://127.0.0.1:${port}`;
  const client = testClient(endpoint);
  const stop = async (): Promise<void> => {
    client.destroy();
    await ended(java);
    await fs.rm(folder, { recursive: true, force: true });
  };
  for (const deadline = Date.now() + START_MS; ; ) {
    try {
      await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
      return { client, endpoint, stop };
    } catch (error) {
      if (Date.now() > deadline || java.exitCode !== null) {
        await stop();
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
