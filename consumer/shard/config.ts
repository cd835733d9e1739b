/** What a process that serves shards is configured with: the part of consumer.yaml that it needs, as the launcher read it. */
import * as z from 'zod/mini';
import { ENCRYPTIONS } from '../../archive/encryption.ts';
import type { ConsumerConfig } from '../config.ts';

const count = z.number().check(z.minimum(0));
const location = { region: z.string(), endpoint: z.optional(z.string()) };

const shardConfigSchema = z.strictObject({
  stream: z.strictObject({ name: z.string(), arn: z.optional(z.string()), ...location }),
  archive: z.strictObject({
    bucket: z.string(),
    prefix: z.string(),
    key_template: z.string(),
    storage_class: z.optional(z.string()),
    kms_key: z.optional(z.string()),
    encryption: z.optional(z.enum(ENCRYPTIONS)),
    tags: z.optional(z.record(z.string(), z.string())),
    ...location,
  }),
  batch: z.strictObject({ max_bytes: count, max_age: count, memory: count }),
  dedupe_horizon: count,
  log_level: z.enum(['debug', 'info', 'warn', 'error']),
});

export type ShardConfig = z.output<typeof shardConfigSchema>;

/** The text in which the launcher hands it over. */
export function shardConfigText({
  stream,
  archive,
  batch,
  dedupe_horizon,
  log_level,
}: ConsumerConfig): string {
  const config: ShardConfig = {
    stream,
    archive: { ...archive, region: archive.region ?? stream.region },
    batch,
    dedupe_horizon,
    log_level,
  };
  return JSON.stringify(config);
}

/** @throws Error for a text that no launcher of this release has written */
export function parseShardConfig(text: string): ShardConfig {
  return z.parse(shardConfigSchema, JSON.parse(text));
}
