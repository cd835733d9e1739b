/** What the real daemon is measured on: a Kinesis over TLS that it trusts, and leases that are given out at once. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import * as path from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { primeLeases } from '../local/prime.ts';
import { firstLine } from './consumer-driver.ts';

export const REGION = 'us-east-1';
export const STREAM = 'weblogs';
const PASSWORD = 'bench-bench';

export interface Trust {
  /** Of the TLS key and certificate, PEM. */
  readonly key: string;
  readonly certificate: string;
  /** With these Java trusts it. */
  readonly javaOptions: readonly string[];
}

/** A certificate for localhost, and what makes Java trust it. */
export function makeCertificate(directory: string): Trust {
  const [key, certificate, trustStore] = ['key.pem', 'cert.pem', 'trust.p12'].map((name) =>
    path.join(directory, name),
  ) as [string, string, string];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', certificate, ...subject], {
    stdio: 'ignore',
  });
  execFileSync(
    'keytool',
    ['-importcert', '-noprompt', '-file', certificate, '-keystore', trustStore, '-storepass', PASSWORD],
    { stdio: 'ignore' },
  );
  const javaOptions = [
    `-Djavax.net.ssl.trustStore=${trustStore}`,
    `-Djavax.net.ssl.trustStorePassword=${PASSWORD}`,
  ];
  return { key, certificate, javaOptions };
}

export interface SourceOptions {
  readonly shards: number;
  /** Records of each shard, and of one read. */
  readonly records: number;
  readonly perRead: number;
  readonly recordBytes: number;
  /** Whether each shard has chunks of a lane of its own, made when they are read; otherwise all have the same ones. */
  readonly ownLanes: boolean;
}

export interface Source {
  readonly endpoint: string;
  /** Of all records together. */
  readonly bytes: number;
  end(): Promise<void>;
}

export async function startSource(options: SourceOptions, { key, certificate }: Trust): Promise<Source> {
  const kinesis = spawn(
    process.execPath,
    [path.join(import.meta.dirname, 'daemon-kinesis.ts'), JSON.stringify({ ...options, key, certificate })],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const { port, bytes } = JSON.parse(await firstLine(kinesis)) as { port: number; bytes: number };
  return { endpoint: `https://localhost:${port}`, bytes, end: () => endOf(kinesis) };
}

/** Leases as KCL would have made them, half a minute later. */
export async function prime(
  kinesisEndpoint: string,
  dynamodbEndpoint: string,
  worker?: string,
): Promise<void> {
  const dynamodb = new DynamoDBClient({ region: REGION, endpoint: dynamodbEndpoint });
  const kinesis = new KinesisClient({ region: REGION, endpoint: kinesisEndpoint });
  await primeLeases({ kinesis, dynamodb, streamName: STREAM, application: 'tailrace', worker });
  dynamodb.destroy();
  kinesis.destroy();
}

async function endOf(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.stdin!.end();
  await ended;
}
