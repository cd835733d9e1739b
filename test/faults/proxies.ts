/** What stands between the parts of a run and the services of its stack. */
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { kinesisOptions } from '../../local/clients.ts';
import type { Stack } from '../../local/stack.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { generator } from '../support/random.ts';
import type { Target } from './schedule.ts';
import { FaultyService } from './services.ts';
import type { Timeline } from './timeline.ts';

const SLOW = { late: 0.3, lateMs: 400 };
/** Some requests are never answered. */
const REQUEST_MS = 4_000;

export interface Proxies {
  readonly kinesis: FaultProxy;
  readonly s3: FaultProxy;
  readonly dynamodb: FaultProxy;
  /** Between the simulated instances and the stream. */
  readonly instances: FaultProxy;
  /** S3 with answers that come late: what is done by a put is there long before the one who put it knows. */
  readonly slow: FaultProxy;
}

export async function startProxies(stack: Stack, seed: number): Promise<Proxies> {
  const proxy = (endpoint: string, number: number): Promise<FaultProxy> =>
    FaultProxy.start(endpoint, {}, generator(seed * 31 + number));
  const [kinesis, s3, dynamodb, instances, slow] = await Promise.all([
    proxy(stack.kinesisEndpoint, 1),
    proxy(stack.s3Endpoint, 2),
    proxy(stack.dynamodbEndpoint, 3),
    proxy(stack.kinesisEndpoint, 4),
    proxy(stack.s3Endpoint, 5),
  ]);
  slow.faults = SLOW;
  return { kinesis, s3, dynamodb, instances, slow };
}

export function servicesOf(
  stack: Stack,
  { kinesis, s3, dynamodb }: Proxies,
  timeline: Timeline,
): Map<Target, FaultyService> {
  const pid = new Map(stack.children.map(({ name, pid }) => [name, pid]));
  return new Map<Target, FaultyService>([
    ['kinesis', new FaultyService('kinesis', kinesis, pid.get('Kinesis')!, timeline)],
    ['s3', new FaultyService('s3', s3, pid.get('S3')!, timeline)],
    ['dynamodb', new FaultyService('dynamodb', dynamodb, pid.get('DynamoDB')!, timeline)],
  ]);
}

/** The stream by way of its proxy, which does not speak the HTTP/2 that the SDK prefers. */
export function throughProxy(endpoint: string): KinesisClient {
  return new KinesisClient({
    ...kinesisOptions(endpoint),
    requestHandler: new NodeHttpHandler({ requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }),
  });
}
