/**
 * What a month of logs costs, line by line: tailrace with either archiver, and what people would use otherwise. Pure
 * arithmetic over unit prices; docs/cost.md is made of it.
 */
import type { Prices } from './prices.ts';

export interface Load {
  /** GB (10^9 bytes) of raw logs a day. */
  readonly gbPerDay: number;
  readonly servers: number;
  readonly tags: number;
}

/** One position of a bill. */
export interface Line {
  readonly what: string;
  /** How it comes about, in words and numbers. */
  readonly how: string;
  readonly usd: number;
}

export interface Bill {
  readonly name: string;
  readonly lines: readonly Line[];
  readonly usd: number;
}

const MONTH_HOURS = 730;
const MONTH_DAYS = 30.4;
/** Raw bytes to one compressed byte. */
const COMPRESSION = 8;
const PEAK_TO_MEAN = 4;
/** Bytes a second of a shard, and the part of it that is planned for. */
const SHARD_RATE = 1024 ** 2;
const SHARD_USE = 0.6;
const PUT_UNIT_BYTES = 25_600;
/** Objects of a batch: one for each tag, and a further one where an hour ends. */
const OBJECTS_OVER_TAGS = 0.2;
const BATCHES_A_DAY = 288;
/** A worker's memory for batches, MiB, and the most of one shard. */
const WORKER_MIB = 256;
const SHARD_MIB = 32;
/** Shards that one worker reads at most. */
const SHARDS_A_WORKER = 64;
/** A call of the function brings at most 6 MB in Base64. */
const CALL_BYTES = 4_400_000;
/** Of a call of the archiving function: seconds and GB. */
const CALL_SECONDS = 1.5;
const CALL_GB = 1;
/** Reads of a call: the commits since the last snapshot, on average, and a look at each object of the newest. */
const CALL_GETS = 36;
/** Metrics that the keeper of the shard count reads in a month, and what its calls cost. */
const KEEPER_READS = 131_400;
const KEEPER_FUNCTION_USD = 0.1;
/** Custom metrics that a stack without trouble sends, and those that its alarms look at: counted in the code by the tests. */
const METRICS = { worker: 11, function: 9 };
const ALARMED_METRICS = { worker: 23, function: 22 };
/** Metrics that the worker sends in a month, one a minute. */
const WORKER_PUTS = 43_800;
/** Those of the keeper among them: a stream on demand has none. */
const KEEPER_METRICS = 4;
const KEEPER_ALARMED_METRICS = 2;
/** Of an instance of the stack, by detailed monitoring. */
const INSTANCE_METRICS = 7;
/** Metrics that a web server of the stack sends in a month, two a minute. */
const SERVER_PUTS = 87_600;
/** CloudWatch Logs stores compressed, to about this part. */
const LOGS_STORED = 0.15;
const ARCHIVE_AFTER_DAYS = 30;
const YEAR_DAYS = 365;

interface Sizes {
  readonly compressedADay: number;
  readonly compressed: number;
  readonly shards: number;
  readonly objects: number;
}

function sizesOf({ gbPerDay, tags }: Load, leastShards: number): Sizes {
  const compressedADay = gbPerDay / COMPRESSION;
  const peak = (compressedADay * 1e9 * PEAK_TO_MEAN) / 86_400;
  return {
    compressedADay,
    compressed: compressedADay * MONTH_DAYS,
    shards: Math.max(leastShards, Math.ceil(peak / SHARD_RATE / SHARD_USE)),
    objects: tags + OBJECTS_OVER_TAGS,
  };
}

/** The main archiver: KCL on an instance, 7 days of retention, a network with endpoints of its own. */
export function workerBill(load: Load, prices: Prices, mode: 'provisioned' | 'on demand'): Bill {
  const sizes = sizesOf(load, 2);
  const { compressed, compressedADay, shards, objects } = sizes;
  const workers = Math.ceil(shards / SHARDS_A_WORKER);
  const batchBytes = Math.min(SHARD_MIB, (WORKER_MIB * workers) / shards) * 1024 ** 2;
  const batches = Math.max(BATCHES_A_DAY, (compressedADay * 1e9) / shards / batchBytes) * shards * MONTH_DAYS;
  const isLarge = load.gbPerDay >= 1000;
  const isKept = mode === 'provisioned';
  const metrics = METRICS.worker + workers * INSTANCE_METRICS - (isKept ? 0 : KEEPER_METRICS);
  const alarmed = ALARMED_METRICS.worker - (isKept ? 0 : KEEPER_ALARMED_METRICS);
  return bill(mode === 'provisioned' ? 'worker' : 'worker, stream on demand', [
    ...streamLines(load, sizes, prices, mode, 7),
    line('interface endpoints', '5 endpoints', 5 * MONTH_HOURS * prices.endpoint_hour),
    line('their traffic', 'twice what is compressed', 2 * compressed * prices.endpoint_gb),
    line(
      'worker',
      workers > 1 ? `${whole(workers)} larger instances` : isLarge ? 'one larger instance' : 'one instance',
      workers * MONTH_HOURS * (isLarge ? prices.large_worker_hour : prices.worker_hour),
    ),
    line('its disk', '8 GB', workers * 8 * prices.disk_gb_month),
    line('S3: puts', `${whole(batches)} batches`, (batches * (objects + 1) * prices.s3_put_thousand) / 1000),
    ...storageLines(compressedADay, batches * objects, prices),
    line(
      'lease table',
      'a write in 3.3 s a shard',
      (shards * ((MONTH_DAYS * 86_400) / 3.3) * prices.dynamodb_write_million) / 1e6,
    ),
    line(
      'CloudWatch',
      `${metrics} metrics, ${alarmed} alarmed metrics, a dashboard`,
      metrics * prices.metric_month +
        alarmed * prices.alarm_month +
        prices.dashboard_month +
        (WORKER_PUTS * prices.metric_read_thousand) / 1000,
    ),
    ...(isKept
      ? [
          line(
            'shard keeper',
            '3 metrics read a minute',
            (KEEPER_READS * prices.metric_read_thousand) / 1000 + KEEPER_FUNCTION_USD,
          ),
        ]
      : []),
    ...commonLines(prices),
  ]);
}

/** The archiver without an instance: a function behind an event source mapping, 24 hours of retention. */
export function functionBill(load: Load, prices: Prices, mode: 'provisioned' | 'on demand'): Bill {
  const sizes = sizesOf(load, 1);
  const { compressedADay, shards, objects } = sizes;
  const calls = Math.max(BATCHES_A_DAY * shards, (compressedADay * 1e9) / CALL_BYTES) * MONTH_DAYS;
  return bill(mode === 'provisioned' ? 'function' : 'function, stream on demand', [
    ...streamLines(load, sizes, prices, mode, 1),
    line(
      'archiving function',
      `${whole(calls)} calls of ${CALL_SECONDS} s and ${CALL_GB} GB`,
      calls * (CALL_SECONDS * CALL_GB * prices.lambda_gb_second + prices.lambda_request_million / 1e6),
    ),
    line('its log', '2 kB a call', calls * 2e-6 * prices.logs_ingest_gb),
    line(
      'S3: puts and lists',
      `${whole(calls)} batches`,
      (calls * (objects + 2) * prices.s3_put_thousand) / 1000,
    ),
    line('S3: gets', `${CALL_GETS} a batch`, (calls * CALL_GETS * prices.s3_get_thousand) / 1000),
    ...storageLines(compressedADay, calls * objects, prices),
    line(
      'CloudWatch',
      `${METRICS.function} metrics, ${ALARMED_METRICS.function} alarmed metrics`,
      METRICS.function * prices.metric_month + ALARMED_METRICS.function * prices.alarm_month,
    ),
    ...commonLines(prices),
  ]);
}

/** What the stack's own web servers cost in CloudWatch, whatever the logs and the archiver; servers of others do not. */
export function serversLine({ servers }: Load, prices: Prices): Line {
  const each = INSTANCE_METRICS * prices.metric_month + (SERVER_PUTS * prices.metric_read_thousand) / 1000;
  return line(
    'web servers',
    `${servers} × (${INSTANCE_METRICS} metrics of detailed monitoring, 2 metrics sent a minute)`,
    servers * each,
  );
}

/** Firehose with direct puts of raw lines, gzip to S3. */
export function firehoseBill(load: Load, prices: Prices): Bill {
  const { compressedADay } = sizesOf(load, 1);
  const objects = Math.max(BATCHES_A_DAY, (compressedADay * 1e9) / 16e6) * MONTH_DAYS * load.tags;
  return bill('Firehose to S3', [
    line(
      'ingestion',
      'raw GB; each record counts as 5 KB at least',
      load.gbPerDay * MONTH_DAYS * prices.firehose_gb,
    ),
    line('S3: puts', 'a delivery stream for each tag', (objects * prices.s3_put_thousand) / 1000),
    ...storageLines(compressedADay, objects, prices),
  ]);
}

/** CloudWatch Logs, a year kept. */
function logsBill(load: Load, prices: Prices): Bill {
  return bill('CloudWatch Logs', [
    line('ingestion', 'raw GB', load.gbPerDay * MONTH_DAYS * prices.logs_ingest_gb),
    line(
      'stored',
      'a year, compressed by the service',
      load.gbPerDay * YEAR_DAYS * LOGS_STORED * prices.logs_stored_gb_month,
    ),
  ]);
}

/** An agent on each server that uploads files to S3 itself. */
function uploadBill(load: Load, prices: Prices): Bill {
  const { compressedADay } = sizesOf(load, 1);
  const objects = load.servers * load.tags * BATCHES_A_DAY * MONTH_DAYS;
  return bill('agents upload to S3', [
    line('S3: puts', 'an object a server, tag and five minutes', (objects * prices.s3_put_thousand) / 1000),
    ...storageLines(compressedADay, objects, prices),
  ]);
}

/** tailrace with either archiver and either kind of stream. */
export function tailraceBills(load: Load, prices: Prices): Bill[] {
  return [
    functionBill(load, prices, 'provisioned'),
    functionBill(load, prices, 'on demand'),
    workerBill(load, prices, 'provisioned'),
    workerBill(load, prices, 'on demand'),
  ];
}

/** All bills for one load, tailrace's first. */
export function billsOf(load: Load, prices: Prices): Bill[] {
  return [
    ...tailraceBills(load, prices),
    firehoseBill(load, prices),
    logsBill(load, prices),
    uploadBill(load, prices),
  ];
}

/**
 * The volume from which on `one` stays below `other`, to 1 GB a day, of the loads up to `most` GB a day.
 *
 * @returns null when `one` is not the cheaper at `most`
 */
export function cheaperFrom(
  one: (load: Load) => Bill,
  other: (load: Load) => Bill,
  load: Load,
  most: number,
): number | null {
  const isCheaper = (gbPerDay: number): boolean =>
    one({ ...load, gbPerDay }).usd < other({ ...load, gbPerDay }).usd;
  if (!isCheaper(most)) return null;
  let from = most;
  while (from > 1 && isCheaper(from - 1)) from -= 1;
  return from;
}

function streamLines(
  load: Load,
  { compressed, shards }: Sizes,
  prices: Prices,
  mode: 'provisioned' | 'on demand',
  retentionDays: number,
): Line[] {
  if (mode === 'on demand') {
    // What lies there beyond the first day, on average.
    const kept = (compressed / MONTH_DAYS) * (retentionDays - 1);
    return [
      line('stream, on demand', 'hours', MONTH_HOURS * prices.kinesis_on_demand_stream_hour),
      line('written to it', 'compressed GB', compressed * prices.kinesis_on_demand_gb_in),
      line('read from it', 'compressed GB', compressed * prices.kinesis_on_demand_gb_out),
      ...(retentionDays > 1
        ? [
            line(
              `retention of ${retentionDays} days`,
              'GB kept',
              kept * prices.kinesis_on_demand_extended_retention_gb_month,
            ),
          ]
        : []),
    ];
  }
  // An agent seals once a second at the most, and each of its records is a unit at least.
  const units = Math.max((compressed * 1e9) / PUT_UNIT_BYTES, load.servers * 86_400 * MONTH_DAYS);
  return [
    line('shard hours', plural(shards, 'shard'), shards * MONTH_HOURS * prices.kinesis_shard_hour),
    ...(retentionDays > 1
      ? [
          line(
            `retention of ${retentionDays} days`,
            plural(shards, 'shard'),
            shards * MONTH_HOURS * prices.kinesis_extended_retention_shard_hour,
          ),
        ]
      : []),
    line('put units', `${whole(units / 1e6)} million`, (units * prices.kinesis_put_units_million) / 1e6),
  ];
}

/** A year of objects, the last 30 days of it at hand. */
function storageLines(compressedADay: number, objects: number, prices: Prices): Line[] {
  return [
    line('S3: last 30 days', 'compressed GB', compressedADay * ARCHIVE_AFTER_DAYS * prices.s3_gb_month),
    line(
      'S3: to Glacier IR',
      `${whole(objects)} objects`,
      (objects * prices.s3_archive_transition_thousand) / 1000,
    ),
    line(
      'S3: 11 further months there',
      'compressed GB',
      compressedADay * (YEAR_DAYS - ARCHIVE_AFTER_DAYS) * prices.s3_archive_gb_month,
    ),
  ];
}

function commonLines(prices: Prices): Line[] {
  // The watch of terminating instances, each minute.
  const watches = 43_800;
  return [
    line('KMS', 'a key and its requests', prices.kms_month),
    line(
      'drain functions',
      'a watch a minute',
      watches *
        (0.5 * 0.25 * prices.lambda_gb_second +
          prices.lambda_request_million / 1e6 +
          (2e3 / 1e9) * prices.logs_ingest_gb),
    ),
  ];
}

function bill(name: string, lines: readonly Line[]): Bill {
  return { name, lines, usd: lines.reduce((sum, { usd }) => sum + usd, 0) };
}

function line(what: string, how: string, usd: number): Line {
  return { what, how, usd };
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
