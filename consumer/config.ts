/** consumer.yaml: the archiver's configuration, every key with its default. docs/consumer.md describes it. */
import { hostname } from 'node:os';
import * as z from 'zod/mini';
import { DEFAULT_KEY_TEMPLATE, templateFault } from '../archive/commit-keys.ts';
import { DEDUPE_HORIZON_MS } from '../archive/dedupe-horizon.ts';
import { ENCRYPTIONS } from '../archive/encryption.ts';
import { hostPort } from '../base/host-port.ts';
import { isSameStream, STREAM_ARN } from '../base/stream-target.ts';
import { duration, size } from '../base/units.ts';

const text = z.string().check(z.minLength(1));
const url = z.url({ protocol: /^https?$/ });
const count = z.int().check(z.minimum(1));
const MiB = 1024 * 1024;

const prefix = z.string().check(
  z.refine((value) => value === '' || (/^[\w.\-=/]+\/$/.test(value) && !value.startsWith('/')), {
    error: 'must be empty or end in / (letters, digits and . _ - = / only)',
  }),
);
const keyTemplate = z.string().check(
  z.refine((value) => templateFault(value) === null, {
    error: (issue) => templateFault(String(issue.input)) ?? 'is not a key template',
  }),
);

/** Where an archive is; what readers of it need, too. */
const archiveSchema = z
  .strictObject({
    bucket: text,
    prefix: z._default(prefix, ''),
    /** The bucket's region, when it is not the stream's. */
    region: z.optional(text),
    endpoint: z.optional(url),
    key_template: z._default(keyTemplate, DEFAULT_KEY_TEMPLATE),
    storage_class: z.optional(text),
    /** Key id or ARN for SSE-KMS; without it the bucket's own setting holds. */
    kms_key: z.optional(text),
    /** For a bucket whose policy asks for the header. */
    encryption: z.optional(z.enum(ENCRYPTIONS)),
    tags: z.optional(z.record(text, z.string())),
  })
  .check(
    z.refine(({ kms_key, encryption }) => kms_key === undefined || encryption !== 'AES256', {
      error: 'encryption: AES256 has no kms_key: leave one of them out',
    }),
  );

/** KCL's own settings, named and measured our way; consumer/kcl/properties.ts says which property each becomes. */
export const kclSchema = z.strictObject({
  retrieval: z._default(z.enum(['polling', 'fan_out']), 'polling'),
  failover_time: z._default(duration, 10_000),
  shard_sync_interval: z._default(duration, 60_000),
  parent_poll_interval: z._default(duration, 10_000),
  idle_between_reads: z._default(duration, 1000),
  max_records: z._default(count.check(z.maximum(10_000)), 10_000),
  max_leases: z.optional(count),
  lease_assignment_interval: z._default(duration, 10_000),
  graceful_handoff: z._default(z.boolean(), false),
  shutdown_grace: z._default(duration, 30_000),
  worker_metrics_interval: z._default(duration, 30_000),
  worker_metrics_sample: z._default(duration, 10_000),
  cloudwatch_metrics: z._default(z.enum(['none', 'summary', 'detailed']), 'none'),
  credentials_provider: z._default(text, 'DefaultCredentialsProvider'),
});

const streamSchema = z
  .strictObject({
    name: text,
    region: text,
    /** Of a stream in another account, whose policy must allow this one's role. */
    arn: z.optional(text.check(z.regex(STREAM_ARN, 'is not the ARN of a stream'))),
    endpoint: z.optional(url),
  })
  .check(z.refine(isSameStream, { error: 'arn: names another stream or region than name and region' }));

export const consumerSchema = z.strictObject({
  stream: streamSchema,
  archive: archiveSchema,
  dynamodb: z._default(z.strictObject({ endpoint: z.optional(url) }), {}),
  /** The KCL application: the name of its lease table. */
  application: z._default(text, 'tailrace'),
  /** Unique among the live workers of the application, and the same after a restart. */
  worker_id: z._default(text, hostname()),
  batch: z.prefault(
    z.strictObject({
      max_bytes: z._default(size, 32 * MiB),
      max_age: z._default(duration, 300_000),
      /** What the batches of all shards of the worker may hold together. */
      memory: z._default(size, 256 * MiB),
    }),
    {},
  ),
  /** A lane that has sent nothing for so long is forgotten. */
  dedupe_horizon: z._default(duration, DEDUPE_HORIZON_MS),
  kcl: z.prefault(kclSchema, {}),
  java: z.prefault(
    z.strictObject({
      command: z._default(text, 'java'),
      /** Of the daemon; half of the machine's memory unless given. */
      heap: z.optional(size),
      /** Of the JVM, after its own: the last of two that contradict each other counts. */
      options: z._default(z.array(text), []),
      /** A directory of KCL's jars; without it the ones that set-up fetched. */
      jars: z.optional(text),
    }),
    {},
  ),
  restart: z.prefault(
    z.strictObject({
      backoff: z._default(duration, 1000),
      max_backoff: z._default(duration, 60_000),
      /** How often in a row the daemon may die before the worker gives up. */
      give_up_after: z._default(count, 10),
      /** A daemon that has lived so long resets the count of deaths in a row. */
      healthy_after: z._default(duration, 120_000),
    }),
    {},
  ),
  /** How long a stop may take before the daemon is killed. */
  stop_timeout: z._default(duration, 60_000),
  /** A shard that has been in one call for so long is reported as stuck. */
  stuck_after: z._default(duration, 300_000),
  /** An open shard that no worker has read for so long is a fault. */
  unread_after: z._default(duration, 180_000),
  http: z._default(z.strictObject({ listen: hostPort }), { listen: '127.0.0.1:24281' }),
  log_level: z._default(z.enum(['debug', 'info', 'warn', 'error']), 'info'),
});

export type ConsumerConfig = z.output<typeof consumerSchema>;
export type KclConfig = ConsumerConfig['kcl'];
