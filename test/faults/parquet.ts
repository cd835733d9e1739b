/**
 * Counts the rows of Parquet objects against the lines of data objects, hour by hour and event by event, with nothing
 * of the pipeline's own knowledge but where an hour's objects are. DuckDB reads the Parquet.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { ArchiveReader } from '../../archive/verify/verify.ts';
import { DATA_OBJECT, idsIn, textsOf } from './oracle.ts';

const EXAMPLES = 10;
/** `dt=2026-11-28/hour=07` of a key. */
const HOUR = /\/(dt=[\d-]+\/hour=\d\d)\//;
/** The name of an object begins with the number of its hour's entry. */
const FURTHER = /\/(?!1-)\d+-[^/]*$/;
const PARQUET = /^parquet\/.*\.parquet$/;
/** An event's id, or the bytes that a foreign record was kept as. */
const ROW_ID = `coalesce(
  nullif(regexp_extract(row, '@[a-z][a-z0-9-]*:[0-9]+@'), ''),
  nullif(regexp_extract(row, '"base64":"([^"]*)"', 1), ''))`;

export interface ParquetVerdict {
  /** Hours that have Parquet objects. */
  readonly hours: number;
  readonly objects: number;
  /** Objects of what came after an hour was compacted. */
  readonly late: number;
  readonly rows: number;
  /** Lines of the data objects of these hours. */
  readonly events: number;
  readonly lost: number;
  readonly repeated: number;
  /** Rows of no line. */
  readonly invented: number;
  /** Hours with data objects that have no Parquet, as `dt=…/hour=…`. */
  readonly without: readonly string[];
  readonly examples: readonly string[];
}

/** @param folder for files that are read */
export async function countParquet(archive: ArchiveReader, folder: string): Promise<ParquetVerdict> {
  const data = new Map<string, string[]>();
  const parquet = new Map<string, string[]>();
  for await (const { key } of archive.list('')) {
    const hour = HOUR.exec(key)?.[1];
    if (hour === undefined) continue;
    const keys = PARQUET.test(key) ? parquet : DATA_OBJECT.test(key) ? data : null;
    keys?.set(hour, [...(keys.get(hour) ?? []), key]);
  }
  const counts = {
    hours: parquet.size,
    objects: 0,
    late: 0,
    rows: 0,
    events: 0,
    lost: 0,
    repeated: 0,
    invented: 0,
  };
  const examples: string[] = [];
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const rowsOf = async (key: string): Promise<readonly (string | null)[]> => {
    // Under a name of its own: DuckDB keeps parts of a file that it has read by that.
    const path = join(folder, `counted-${counts.objects}.parquet`);
    writeFileSync(path, (await archive.get(key))!);
    const reader = await connection.runAndReadAll(
      `SELECT ${ROW_ID} FROM (SELECT to_json(t)::VARCHAR AS row FROM read_parquet('${path}') t)`,
    );
    rmSync(path);
    return (reader.getColumns()[0] as (string | null)[] | undefined) ?? [];
  };
  const example = (what: string, hour: string, id: string): void => {
    if (examples.length < EXAMPLES) examples.push(`${what} in ${hour}: ${id.slice(0, 80)}`);
  };
  try {
    for (const [hour, keys] of parquet) {
      /** How often each line is still to be found. */
      const due = new Map<string, number>();
      for (const key of data.get(hour) ?? []) {
        for (const text of textsOf(key, (await archive.get(key))!)) {
          for (const id of idsIn(key, text)) {
            due.set(id, (due.get(id) ?? 0) + 1);
            counts.events += 1;
          }
        }
      }
      const known = new Set(due.keys());
      for (const key of keys) {
        counts.objects += 1;
        if (FURTHER.test(key)) counts.late += 1;
        for (const id of await rowsOf(key)) {
          counts.rows += 1;
          const left = id === null ? undefined : due.get(id);
          if (left !== undefined) {
            if (left === 1) due.delete(id!);
            else due.set(id!, left - 1);
          } else if (id !== null && known.has(id)) {
            counts.repeated += 1;
            example('repeated', hour, id);
          } else {
            counts.invented += 1;
            example('invented', hour, id ?? `a row without an id in ${key}`);
          }
        }
      }
      for (const [id, left] of due) {
        counts.lost += left;
        example('lost', hour, id);
      }
    }
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
  const without = [...data.keys()].filter((hour) => !parquet.has(hour));
  return { ...counts, without, examples };
}
