/** Called every hour, where the stack says so: makes Parquet of the hours of the archive that are closed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { DEFAULT_KEY_TEMPLATE } from '../archive/commit-keys.ts';
import { compactArchive, type HourResult } from '../archive/compact/compact-archive.ts';
import { DEFAULT_HOURS_POLICY } from '../archive/hours/policy.ts';
import { requireConditionalWrites } from '../archive/probe.ts';
import { S3Store } from '../archive/s3.ts';
import { duration } from '../base/units.ts';
import { readEnvironment, wholeNumber } from './runtime/environment.ts';
import { withLogging } from './runtime/handler.ts';
import { log } from './runtime/log.ts';

const text = z.string().check(z.minLength(1));
const schema = z.object({
  AWS_REGION: text,
  ARCHIVE_BUCKET: text,
  ARCHIVE_PREFIX: z._default(z.string(), ''),
  ARCHIVE_KEY_TEMPLATE: z._default(text, DEFAULT_KEY_TEMPLATE),
  /** Hours that ended longer ago are compacted though something keeps them open. */
  OPEN_AFTER: duration,
  /** How far back a call looks. */
  LOOK_BACK: duration,
  /** MiB; set by Lambda. */
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: wholeNumber,
  AWS_ENDPOINT_URL_S3: z.optional(text),
});
const HOUR_MS = 3_600_000;
const S3_TRIES = 6;
/** DuckDB's share of the memory: Node and the object that is put have the rest. */
const MEMORY_SHARE = 0.5;
/** Milliseconds that must be left of a call for a further hour; what is cut off is completed by the next call. */
const HOUR_TAKES_MS = 120_000;

export const handler = withLogging().handler(
  async (_event: unknown, context: { getRemainingTimeInMillis(): number }) => {
    const env = readEnvironment(schema);
    const store = new S3Store(
      { bucket: env.ARCHIVE_BUCKET, region: env.AWS_REGION, endpoint: env.AWS_ENDPOINT_URL_S3 },
      { tries: S3_TRIES, onTrouble: (trouble) => log.warn(trouble, 'S3 call failed, retrying') },
    );
    const folder = mkdtempSync(join(tmpdir(), 'tailrace-compact-'));
    const now = Date.now();
    const done = { hours: 0, objects: 0, rows: 0, faults: 0, open: 0 };
    try {
      await requireConditionalWrites(store, env.ARCHIVE_PREFIX);
      const open = await compactArchive({
        archive: { store, prefix: env.ARCHIVE_PREFIX, keyTemplate: env.ARCHIVE_KEY_TEMPLATE },
        hours: [Math.floor((now - env.LOOK_BACK) / HOUR_MS), Math.floor(now / HOUR_MS)],
        policy: { ...DEFAULT_HOURS_POLICY, now, isGone: () => false },
        openAfter: env.OPEN_AFTER,
        parquet: {
          folder,
          memory: `${Math.floor(env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE * MEMORY_SHARE)}MiB`,
        },
        goesOn: () => context.getRemainingTimeInMillis() > HOUR_TAKES_MS,
        onHour: (hour) => note(hour, done),
      });
      done.open = open.length;
      log.info(done, 'compacted');
      return done;
    } finally {
      store.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

function note({ report, made, newColumns, faults }: HourResult, done: Record<string, number>): void {
  const hour = new Date(report.hour * HOUR_MS).toISOString();
  done['hours']! += 1;
  for (const { key, tag, rows } of made) {
    done['objects']! += 1;
    done['rows']! += rows;
    const columns = newColumns.get(tag) ?? [];
    log.info({ hour, key, tag, rows, newColumns: columns }, 'made a Parquet object');
  }
  for (const { message } of faults) {
    done['faults']! += 1;
    log.error({ hour, fault: message }, 'objects of the hour are not compacted');
  }
}
