/** Unit prices by region, from a dated file that a user can replace. */
import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { TailraceError } from '../../base/errors.ts';
import shipped from './prices.json' with { type: 'json' };

const price = z.number().check(z.minimum(0));
/** US dollars; each key names the unit it is for. */
const regionSchema = z.strictObject({
  kinesis_shard_hour: price,
  kinesis_extended_retention_shard_hour: price,
  kinesis_put_units_million: price,
  kinesis_on_demand_stream_hour: price,
  kinesis_on_demand_gb_in: price,
  kinesis_on_demand_gb_out: price,
  kinesis_on_demand_extended_retention_gb_month: price,
  endpoint_hour: price,
  endpoint_gb: price,
  worker_hour: price,
  large_worker_hour: price,
  disk_gb_month: price,
  s3_put_thousand: price,
  s3_get_thousand: price,
  s3_gb_month: price,
  s3_archive_gb_month: price,
  s3_archive_transition_thousand: price,
  dynamodb_write_million: price,
  lambda_gb_second: price,
  lambda_request_million: price,
  metric_month: price,
  metric_read_thousand: price,
  alarm_month: price,
  dashboard_month: price,
  logs_ingest_gb: price,
  logs_stored_gb_month: price,
  kms_month: price,
  firehose_gb: price,
});
const fileSchema = z.object({ date: z.string(), regions: z.record(z.string(), regionSchema) });

export type Prices = z.infer<typeof regionSchema>;

/**
 * @param file JSON in the form of cli/cost/prices.json; the shipped prices when it is undefined
 * @throws TailraceError CONFIG when the file cannot be read, or has no prices for the region
 */
export function readPrices(
  region: string,
  file?: string,
): { readonly date: string; readonly prices: Prices } {
  const name = file ?? 'the shipped price list';
  const { date, regions } = parse(name, file === undefined ? shipped : read(file));
  const prices = Object.hasOwn(regions, region) ? regions[region] : undefined;
  if (!prices) {
    throw new TailraceError(
      'CONFIG',
      `${name} has no prices for ${region}, only for ${Object.keys(regions).join(', ')}: ` +
        'copy cli/cost/prices.json, add the region, and name the copy with --prices',
    );
  }
  return { date, prices };
}

function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const what = code === undefined ? message : `cannot be read (${code})`;
    throw new TailraceError('CONFIG', `${file}: ${what}`, { cause: error });
  }
}

function parse(name: string, json: unknown): z.infer<typeof fileSchema> {
  const parsed = fileSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new TailraceError('CONFIG', `${name}: ${issue.path.join('.')}: ${issue.message}`);
}
