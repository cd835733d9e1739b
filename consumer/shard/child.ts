/** The process of one shard, started by the MultiLangDaemon: speaks its protocol and archives the shard. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import kcl from 'aws-kcl';
import { pino } from 'pino';
import { KinesisStream } from '../../archive/kinesis-stream.ts';
import { S3Store } from '../../archive/s3.ts';
import { ENCODER, ENCODERS } from '../../archive/writer/encoders.ts';
import { ShardArchiver } from '../../archive/writer/shard-archiver.ts';
import { closeGoneShard, WHOLE_RANGE } from '../../archive/writer/start.ts';
import { uptime } from '../../base/uptime.ts';
import type { ConsumerConfig } from '../config.ts';
import { Reporter } from '../status/report.ts';
import { faultAt, withFaults } from './fault.ts';
import { GoneShard } from './gone.ts';
import { type KclProcessor, kclProcessor, type ShardWork } from './processor.ts';
import { ignoreSignals, takeStdout, wholeLines } from './protocol.ts';
import { ShardStatus } from './status.ts';

const REPORT_EVERY_MS = 1000;
const PARENT_POLL_MS = 2000;
const SNAPSHOT_EVERY = 64;
const GC_EVERY_BYTES = 8 * 1024 * 1024;
const DAY_MS = 86_400_000;

const collectGarbage = exposedGc();
const output = takeStdout();
ignoreSignals();
const config = readConfig();
const log = pino(
  { level: config.log_level, base: { pid: process.pid } },
  pino.destination({ fd: 2, sync: true }),
);
const limits = { maxBytes: config.batch.max_bytes, maxAge: config.batch.max_age };
const status = new ShardStatus();
const fault = faultAt(process.env.TAILRACE_FAULT);
const reporter = new Reporter(process.env.TAILRACE_REPORTS, (message) => {
  limits.maxBytes = Math.min(config.batch.max_bytes, message.max_bytes);
});
const report = (): void => reporter.send(status.report());
setInterval(report, REPORT_EVERY_MS);

// The daemon closes stdin when it ends, however it ends; nobody else tells this process.
process.stdin.on('end', () => process.exit(0));
process.stdin.on('error', () => process.exit(0));
output.on('error', () => process.exit(0));
process.on('uncaughtException', fail);

const processor: KclProcessor = kclProcessor({
  open: openArchiver,
  busy: (call) => status.busy(call),
  behind: (millis) => {
    status.behind = millis;
  },
  checkpointing: () => fault('checkpoint'),
  checkpointed: () => {
    status.counters.checkpoints += 1;
  },
  checkpointFailed: (error) => log.warn({ shard: status.shard, error }, 'KCL did not take the checkpoint'),
  ended: () => {
    status.phase = 'ended';
    log.info({ shard: status.shard }, 'the shard ends, all of it is archived');
    report();
  },
  leaseLost: (asked) => {
    status.phase = 'lost';
    log.info(
      { shard: status.shard, pending_bytes: status.report().pending_bytes },
      asked ? 'the lease is given up' : 'the lease went to another worker',
    );
    report();
  },
  stopped: (error) => {
    status.stop(error.message);
    const tell = (): void =>
      log.fatal({ shard: status.shard, code: error.code }, `the shard is stopped: ${error.message}`);
    tell();
    setInterval(tell, 60_000);
    report();
  },
  failed: fail,
});

let linesSinceGc = 0;
kcl(processor, wholeLines(process.stdin, tidy), output, process.stderr).run();

async function openArchiver(shard: string): Promise<ShardWork> {
  status.shard = shard;
  report();
  const stream = await KinesisStream.open(config.stream, (error) =>
    log.warn({ shard, error: error.message }, 'Kinesis does not answer'),
  );
  const find = async () => (await stream.shards()).find(({ id }) => id === shard);
  const info = await find();
  const { archive } = config;
  const store = new S3Store(
    { bucket: archive.bucket, region: archive.region ?? config.stream.region, endpoint: archive.endpoint },
    {
      tries: Number.POSITIVE_INFINITY,
      storageClass: archive.storage_class,
      kmsKey: archive.kms_key,
      tags: archive.tags,
      onTrouble: (trouble) => {
        const isNew = status.s3Error(trouble);
        const told = { shard, ...trouble };
        if (isNew)
          log.error(told, 'S3 refuses: nothing is archived, and nothing lost, until that is changed');
        else log.warn(told, 'S3 call failed, trying again');
      },
      onAnswer: () => status.s3Answered(),
    },
  );
  const context = {
    stream: config.stream.name,
    incarnation: stream.incarnation,
    shard,
    range: info?.range ?? WHOLE_RANGE,
    parents: info?.parents ?? [],
    prefix: archive.prefix,
    keyTemplate: archive.key_template,
    forget: { horizon: config.dedupe_horizon, grace: DAY_MS },
    snapshotEvery: SNAPSHOT_EVERY,
    encoder: ENCODER,
    encoders: ENCODERS,
  };
  const wait = async (parent: string): Promise<void> => {
    status.waitFor(parent);
    log.warn({ shard, parent }, 'waiting until the parent shard is archived');
    report();
    await sleep(PARENT_POLL_MS);
  };
  const options = { limits, now: Date.now, uptime, wait, events: status.events(log, report) };
  const faulty = withFaults(store, fault);
  if (!info) {
    log.warn({ shard }, 'the stream no longer has the shard: closing its log and ending its lease');
    return new GoneShard({
      shard,
      isGone: async () => (await find()) === undefined,
      closeLog: () => closeGoneShard(context, faulty, options),
    });
  }
  const archiver = new ShardArchiver(context, faulty, stream, options);
  status.watch(archiver);
  return archiver;
}

/**
 * Lines, what they are parsed into and batches that were written are garbage by the megabyte; V8, left alone, lets
 * several batches' worth of it lie before it looks.
 */
function tidy(bytes: number): void {
  linesSinceGc += bytes;
  if (linesSinceGc < GC_EVERY_BYTES) return;
  linesSinceGc = 0;
  setImmediate(collectGarbage);
}

/** V8's own `gc`, which no command line of the daemon's has to ask for. */
function exposedGc(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

function fail(error: unknown): never {
  const { code, message, stack } = error as { code?: string; message?: string; stack?: string };
  log.fatal({ shard: status.shard, code, stack }, `the shard's process ends: ${message ?? String(error)}`);
  process.exit(1);
}

function readConfig(): ConsumerConfig {
  const text = process.env.TAILRACE_CONSUMER;
  if (text === undefined) {
    process.stderr.write('this is started by `tailrace consumer`, through the MultiLangDaemon\n');
    process.exit(2);
  }
  return JSON.parse(text) as ConsumerConfig;
}
