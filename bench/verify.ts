/**
 * Measures verify over a day of a thousand agents: synthetic commits, served by the embedded S3, of 16 shards that
 * commit every five minutes; each agent seals one chunk for each of two tags every two seconds. Bare cost: the same
 * commits parsed as JSON and nothing else.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { type Commit, commitHash, encodeCommit } from '../archive/commit.ts';
import { commitKey, objectKey } from '../archive/commit-keys.ts';
import { S3Store } from '../archive/s3.ts';
import type { TimeRange } from '../archive/verify/range.ts';
import type { VerifyReport } from '../archive/verify/report.ts';
import { verifyArchive } from '../archive/verify/verify.ts';
import { LOCAL_ENV } from '../local/clients.ts';
import { Store } from '../local/s3/store.ts';
import { serveArchive } from '../local/stack.ts';
import type { BenchResult } from './run.ts';

const AGENTS = 1000;
const SHARDS = 16;
const BATCH_MS = 300_000;
const DAY_MS = 86_400_000;
const SEALS_PER_BATCH = BATCH_MS / 2000;
const TAGS = ['nginx.access', 'app'] as const;
const START = Date.UTC(2026, 10, 23);
const INCARNATION = '0'.repeat(18);
const BUCKET = 'logs';
const DATA = Buffer.alloc(1000);

export async function run(): Promise<BenchResult> {
  Object.assign(process.env, LOCAL_ENV);
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'tailrace-bench-'));
  try {
    const bare = await makeArchive(path.join(folder, 's3'));
    const server = await serveArchive(folder);
    const store = new S3Store(
      { bucket: BUCKET, region: 'us-east-1', endpoint: server.endpoint },
      { tries: 3 },
    );
    const whole = await timed(() => verify(store));
    const hours = { from: START + 11 * 3_600_000, to: START + 13 * 3_600_000 - 1 };
    const part = await timed(() => verify(store, hours));
    store.close();
    await server.stop();
    const chunks = (DAY_MS / BATCH_MS) * SEALS_PER_BATCH * TAGS.length * AGENTS;
    if (!whole.report.ok || whole.report.chunks !== chunks)
      throw new Error('verify reports faults in a sound archive');
    process.stderr.write(
      `${whole.report.commits} commits of ${(bare.bytes / 2 ** 20).toFixed(0)} MiB, ${chunks} chunks: ${whole.seconds.toFixed(1)} s; two hours of it: ${part.seconds.toFixed(1)} s, ${part.report.commits} commits\n`,
    );
    return {
      bench: 'verify',
      value: Math.round(whole.seconds * 10) / 10,
      unit: 's for a day of 1,000 agents',
      bare: Math.round(bare.cpu * 100) / 100,
      ratio: Math.round((whole.cpu / bare.cpu) * 100) / 100,
      rssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function verify(store: S3Store, range?: TimeRange): Promise<VerifyReport> {
  const now = START + DAY_MS;
  return verifyArchive(store, '', { now, pendingFor: 0, deep: false, commitsOnly: true, range });
}

async function timed(
  work: () => Promise<VerifyReport>,
): Promise<{ report: VerifyReport; seconds: number; cpu: number }> {
  const before = process.cpuUsage();
  const at = performance.now();
  const report = await work();
  const { user, system } = process.cpuUsage(before);
  return { report, seconds: (performance.now() - at) / 1000, cpu: (user + system) / 1e6 };
}

/** @returns the size of the commits in bytes, and the CPU seconds to parse them as JSON */
async function makeArchive(root: string): Promise<{ bytes: number; cpu: number }> {
  const files = await Store.open(root);
  await files.createBucket(BUCKET);
  const put = (key: string, body: Buffer) =>
    files.put(BUCKET, key, Readable.from([body]), { headers: {}, verify: () => ({}), onlyIfAbsent: false });
  let bytes = 0;
  let cpu = 0;
  for (let shard = 0; shard < SHARDS; shard++) {
    const log = new LogMaker(shard);
    for (let n = 1; n <= DAY_MS / BATCH_MS; n++) {
      const commit = log.next(n);
      const text = encodeCommit(commit);
      await put(commitKey('', INCARNATION, commit.shard, n), text);
      if (n === DAY_MS / BATCH_MS) for (const { key } of commit.objects) await put(key, DATA);
      const before = process.cpuUsage();
      JSON.parse(text.toString());
      const { user, system } = process.cpuUsage(before);
      cpu += (user + system) / 1e6;
      bytes += text.length;
    }
  }
  return { bytes, cpu };
}

/** The commits of one shard, whose agents have one lane each. */
class LogMaker {
  readonly #shard: string;
  readonly #agents: { lane: string; producer: string }[];

  constructor(shard: number) {
    this.#shard = `shardId-${String(shard).padStart(12, '0')}`;
    const mine = Array.from({ length: AGENTS }, (_, i) => i).filter((i) => i % SHARDS === shard);
    this.#agents = mine.map((i) => ({ lane: digest(`lane ${i}`), producer: digest(`agent ${i}`) }));
  }

  next(number: number): Commit {
    const perBatch = SEALS_PER_BATCH * TAGS.length;
    const [first, last] = [(number - 1) * perBatch + 1, number * perBatch];
    const epoch = START.toString(16).padStart(12, '0').concat('0000');
    const written = START + number * BATCH_MS - 1;
    const hour = Math.floor(written / 3_600_000);
    const objects = TAGS.map((tag, t) => {
      // The tags' chunks alternate, so the runs of each are single numbers.
      const runs = Array.from({ length: SEALS_PER_BATCH }, (_, i) => first + t + i * TAGS.length).join();
      const chunks = SEALS_PER_BATCH * this.#agents.length;
      return {
        key: '',
        tag,
        hour,
        codec: 'gzip' as const,
        bytes: DATA.length,
        sha256: '0'.repeat(64),
        chunks,
        events: chunks * 100,
        raw_bytes: chunks * 20_000,
        foreign: 0,
        runs: Object.fromEntries(this.#agents.map(({ lane }) => [lane, runs])),
      };
    });
    const hasSnapshot = number % 64 === 1;
    const lanes = this.#agents.map(({ lane, producer }) => [lane, [producer, epoch, `1-${last}`, written]]);
    const bare: Commit = {
      version: 1,
      hash: '',
      stream: 'weblogs',
      incarnation: INCARNATION,
      shard: this.#shard,
      range: ['0'.repeat(32), 'f'.repeat(32)],
      parents: [],
      number,
      encoder: 1,
      from: `${first * 1000}`,
      to: `${last * 1000}`,
      arrival: [written - BATCH_MS, written],
      written,
      close: false,
      records: perBatch,
      objects,
      empty: {},
      lanes: Object.fromEntries(this.#agents.map(({ lane, producer }) => [lane, [producer, epoch]])),
      producers: this.#agents.map(({ producer }) => ({
        producer,
        epoch,
        ordinal: last,
        floor: epoch,
        previous: null,
        end: false,
      })),
      skipped: { duplicates: 0, bytes: 0 },
      unproven: 0,
      damaged: 0,
      voided: [],
      kept: {},
      snapshot: hasSnapshot ? { lanes: Object.fromEntries(lanes), floors: {} } : null,
      snapshot_at: number - ((number - 1) % 64),
    };
    const hash = commitHash(bare);
    const place = { incarnation: INCARNATION, shard: this.#shard, number, hash };
    const named = objects.map((object) => ({
      ...object,
      key: objectKey('', 'logs/tag={tag}/{name}', { ...object, ...place }),
    }));
    return { ...bare, hash, objects: named };
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
