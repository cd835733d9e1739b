/**
 * `npm run refusals`: runs a worker with the real KCL on the embedded stack and has AWS refuse it something, one case after
 * the other: what /health, the log and `--check` say, and whether it archives by itself once the cause is gone. Some three
 * minutes a case, nearly all of it waiting.
 *
 *     npm run refusals
 *     npm run refusals -- kms token     cases whose names contain one of the words
 *
 * Exit code 0 when every case is named and recovered from, and each chunk is archived once.
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { kinesisClient } from '../../local/clients.ts';
import { type Stack, startStack } from '../../local/stack.ts';
import { ChunkSource, type MadeChunk } from '../support/chunks.ts';
import {
  archived,
  assertArchivedOnce,
  ConsumerProcess,
  putChunks,
  until,
  writeConfig,
} from '../support/consumer-process.ts';
import { RefusalProxy } from '../support/refusal-proxy.ts';
import { CASES, type RefusalCase } from './cases.ts';

const CLI = path.join(import.meta.dirname, '..', '..', 'cli', 'tailrace.ts');
const HOUR = Math.floor(Date.now() / 3_600_000);
const RECOVERY_MS = 300_000;

const words = process.argv.slice(2);
const chosen = CASES.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tailrace-refusals-'));
const stack = await startStack({ dataDir: path.join(directory, 'data'), shards: 1, worker: 'worker-1' });
Object.assign(process.env, stack.env);
const client = kinesisClient(stack.kinesisEndpoint);
const proxies = await Promise.all([
  RefusalProxy.start('kinesis', stack.kinesisEndpoint),
  RefusalProxy.start('dynamodb', stack.dynamodbEndpoint),
  RefusalProxy.start('s3', stack.s3Endpoint),
]);
const behind: Stack = {
  ...stack,
  kinesisEndpoint: proxies[0].endpoint,
  dynamodbEndpoint: proxies[1].endpoint,
  s3Endpoint: proxies[2].endpoint,
};
const consumer = new ConsumerProcess({ stack: behind, directory, workerId: 'worker-1' });
const source = new ChunkSource({ name: 'agent' });
const made: MadeChunk[] = [];
let failures = 0;

try {
  await consumer.start();
  const isRunning = async (): Promise<boolean> =>
    Object.values((await consumer.status()).shards).some(({ phase }) => phase === 'running');
  await until('the shard is read', isRunning, RECOVERY_MS);
  await put();
  await archived(stack, made.length, RECOVERY_MS);
  say('healthy, and the first chunks are archived');
  for (const one of chosen) await tryOut(one);
  await assertArchivedOnce(stack, made);
  say(`${made.length} chunks archived once; ${failures} of ${chosen.length} cases failed`);
  await consumer.stop();
} finally {
  fs.writeFileSync(path.join(os.tmpdir(), 'tailrace-refusals.log'), consumer.log);
  consumer.kill('SIGKILL');
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  client.destroy();
  await stack.stop();
  fs.rmSync(directory, { recursive: true, force: true });
}
process.exit(failures === 0 ? 0 : 1);

async function tryOut(one: RefusalCase): Promise<void> {
  const logFrom = consumer.log.length;
  for (const proxy of proxies) proxy.refuse = one.refuse;
  const since = performance.now();
  const seconds = (): string => ((performance.now() - since) / 1000).toFixed(0);
  await put();
  if (one.fromStart) {
    await consumer.stop();
    await consumer.start();
  }
  try {
    if (one.fault === null) {
      await archived(stack, made.length, RECOVERY_MS);
      say(`${one.name}: archived as ever; ${(await faults()).join('; ') || 'no fault'}`);
      say(`  --check: ${await check(one)}`);
      return;
    }
    await until(
      'the refusal is named',
      async () => (await faults()).some((fault) => one.fault!.test(fault)),
      RECOVERY_MS,
    );
    const named = seconds();
    const { status } = await fetch(`http://127.0.0.1:${consumer.port}/health`);
    say(`${one.name}: named after ${named} s, /health ${status}: ${(await faults()).join(' | ')}`);
    const lines = consumer.log
      .slice(logFrom)
      .split('\n')
      .filter((line) => /"level":[56]0/.test(line));
    const messages = new Set(lines.map((line) => (JSON.parse(line) as { msg: string }).msg.slice(0, 160)));
    say(`  log: ${[...messages].slice(0, 3).join(' | ')}`);
    say(`  --check: ${await check(one)}`);
    await sleep(2000);
  } catch (error) {
    failures += 1;
    say(
      `${one.name}: FAILED after ${seconds()} s: ${(error as Error).message}; ${(await faults()).join(' | ')}`,
    );
  }
  for (const proxy of proxies) proxy.refuse = () => null;
  await recover(one);
}

async function recover(one: RefusalCase): Promise<void> {
  const since = performance.now();
  const seconds = (): string => ((performance.now() - since) / 1000).toFixed(0);
  const restarts = (await consumer.status()).daemon_restarts;
  try {
    await archived(stack, made.length, RECOVERY_MS);
    const after = seconds();
    await until('no fault is left', async () => (await faults()).length === 0, RECOVERY_MS);
    say(
      `  the cause gone: archived after ${after} s, healthy after ${seconds()} s; ${restarts} restarts of the daemon so far`,
    );
  } catch (error) {
    failures += 1;
    say(`  ${one.name}: NOT RECOVERED: ${(error as Error).message}; ${(await faults()).join(' | ')}`);
  }
}

async function faults(): Promise<readonly string[]> {
  return (await consumer.status()).faults;
}

/** What `--check` says meanwhile. */
async function check({ name, check }: RefusalCase): Promise<string> {
  const config = writeConfig(behind, directory, 'check');
  const child = spawn(process.execPath, [CLI, 'consumer', '--config', config, '--check'], {
    env: { ...process.env, ...stack.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  const code = await new Promise((resolve) => child.once('close', resolve));
  const isRight = check === null ? code === 0 : code !== 0 && check.test(text);
  if (!isRight) {
    failures += 1;
    text = `WRONG for ${name}: ${text}`;
  }
  return `exit code ${code}: ${text.trim().replaceAll('\n', ' | ').replaceAll(`${directory}/`, '')}`;
}

async function put(): Promise<void> {
  const chunks = Array.from({ length: 3 }, () => source.next('app', HOUR, 5));
  made.push(...chunks);
  await putChunks(client, stack, chunks);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
