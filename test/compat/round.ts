/** One implementation tried: its probes, then the whole pipeline on it, in which every process is killed once. */
import * as path from 'node:path';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { CONDITIONAL_WRITE_PROBE } from '../../archive/commit-keys.ts';
import { s3Client } from '../../local/clients.ts';
import { Pipeline } from '../../local/pipeline.ts';
import type { Service } from '../../local/stack.ts';
import { KilledPipeline } from '../support/pipeline-kills.ts';
import type { Implementation, Running } from './implementations.ts';
import { askAll } from './probe.ts';
import { S3_PROBES, s3ProbeClient } from './s3-probes.ts';
import { KINESIS_PROBES, kinesisProbeClient } from './stream-probes.ts';
import { DYNAMODB_PROBES, dynamodbProbeClient } from './table-probes.ts';

const SHARDS = 2;
const EVENTS_A_SECOND = 250;
const ROUND_MS = 240_000;

export type Answers = Partial<Record<Service, readonly string[]>>;

export interface PipelineResult {
  /** Distinct events archived. */
  readonly events: number;
  readonly missing: number;
  readonly repeated: number;
  readonly kills: readonly string[];
  /** Exit code of `tailrace verify --deep`. */
  readonly verify: number;
}

export interface Result {
  readonly name: string;
  readonly version: string;
  readonly answers: Answers;
  /** What went wrong instead, or null when the pipeline was not asked for. */
  readonly pipeline: PipelineResult | string | null;
}

const S3_RACE = S3_PROBES.findIndex(({ amazon }) => amazon === 'one wins');

export async function tryOut(
  implementation: Implementation,
  folder: string,
  withPipeline: boolean,
  say: (text: string) => void,
): Promise<Result> {
  const { name, version } = implementation;
  say(`${name}: installing and starting`);
  const running = await implementation.start(path.join(folder, 'server'));
  try {
    say(`${name}: asking`);
    const answers = await askEverything(running);
    if (!withPipeline) return { name, version, answers, pipeline: null };
    say(`${name}: running the pipeline`);
    const isRacy = answers.s3 !== undefined && answers.s3[S3_RACE] !== S3_PROBES[S3_RACE]!.amazon;
    const pipeline = await runPipeline(running, path.join(folder, 'data'), isRacy).catch(
      (error: Error) => error.message,
    );
    return { name, version, answers, pipeline };
  } finally {
    await running.stop();
  }
}

async function askEverything({ raw }: Running): Promise<Answers> {
  const answers: Answers = {};
  if (raw.s3 !== undefined) answers.s3 = await ask((endpoint) => s3ProbeClient(endpoint), raw.s3, S3_PROBES);
  if (raw.kinesis !== undefined) answers.kinesis = await ask(kinesisProbeClient, raw.kinesis, KINESIS_PROBES);
  if (raw.dynamodb !== undefined)
    answers.dynamodb = await ask(dynamodbProbeClient, raw.dynamodb, DYNAMODB_PROBES);
  return answers;
}

async function ask<Client extends { destroy(): void }>(
  open: (endpoint: string) => Promise<Client>,
  endpoint: string,
  probes: Parameters<typeof askAll<Client>>[0],
): Promise<readonly string[]> {
  const client = await open(endpoint);
  try {
    return await askAll(probes, client);
  } finally {
    client.destroy();
  }
}

async function runPipeline(running: Running, dataDir: string, isRacy: boolean): Promise<PipelineResult> {
  const options = { dataDir, shards: SHARDS, rate: EVENTS_A_SECOND, events: null, batchAge: '1s' };
  const { endpoints, env = {} } = running;
  Object.assign(process.env, env);
  if (isRacy) await passFirstProbe(endpoints.s3!);
  const pipeline = await Pipeline.start({ ...options, endpoints });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const logs = pipeline.paths.logs;
      reject(new Error(`not done after ${ROUND_MS / 1000} s; the logs are in ${logs}`));
    }, ROUND_MS);
  });
  try {
    return await Promise.race([killAndFinish(pipeline, running), late]);
  } finally {
    clearTimeout(timer);
    pipeline.killAll();
    for (const name of Object.keys(env)) delete process.env[name];
  }
}

async function killAndFinish(pipeline: Pipeline, running: Running): Promise<PipelineResult> {
  const killed = new KilledPipeline(pipeline);
  const kills = await killed.killEach();
  if (running.killAndRestart !== undefined) {
    await running.killAndRestart();
    await killed.archivedMore();
    kills.push('the store');
  }
  const { archived, missing, repeated } = await killed.finish();
  const { code } = await killed.verify();
  await pipeline.stop();
  return { events: archived, missing, repeated, kills, verify: code ?? -1 };
}

/**
 * A store that lets several writers win is refused by chance, at the first start of an archive. This is what its users
 * would have after a start that did not notice: one archiver, whom nobody races.
 */
async function passFirstProbe(endpoint: string): Promise<void> {
  const s3 = s3Client(endpoint);
  try {
    await s3.send(new CreateBucketCommand({ Bucket: 'logs' }));
    await s3.send(new PutObjectCommand({ Bucket: 'logs', Key: CONDITIONAL_WRITE_PROBE, Body: 'there' }));
  } finally {
    s3.destroy();
  }
}
