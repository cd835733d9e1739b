/** The first lines of some of an archive's objects, of which the first bytes alone are fetched. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atOnce } from '../base/at-once.ts';
import type { CommitObject } from './commit.ts';
import type { FieldsSeen } from './field-types.ts';
import { COLD, MISSING, type ObjectBytes } from './reading.ts';
import { BYTES_PER_FILE, sampleFields, spread } from './sample-fields.ts';

const MAX_OBJECTS = 32;
const AT_ONCE = 8;

export type SampledObject = Pick<CommitObject, 'key' | 'tag' | 'codec' | 'bytes'>;

export interface Sample {
  readonly seen: FieldsSeen;
  /** Objects that could not be read, and why. */
  readonly faults: readonly { readonly key: string; readonly fault: string }[];
}

/** The fields of some events of these objects: of each tag some, evenly spread. */
export async function sampleObjects(store: ObjectBytes, objects: readonly SampledObject[]): Promise<Sample> {
  const byTag = [...Map.groupBy(objects, ({ tag }) => tag).values()];
  const each = Math.max(2, Math.floor(MAX_OBJECTS / Math.max(1, byTag.length)));
  const chosen = byTag.flatMap((own) => spread(own, each));
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-sample-'));
  // In the order of the objects, so that the columns are in the same order each time.
  const paths: (string | undefined)[] = [];
  const faults: { key: string; fault: string }[] = [];
  try {
    await atOnce(AT_ONCE, [...chosen.entries()], async ([i, { key, codec, bytes }]) => {
      const fetched = await firstBytes(store, key, bytes);
      if (typeof fetched === 'string') {
        faults.push({ key, fault: fetched });
        return;
      }
      const path = join(folder, `${i}.ndjson.${codec === 'gzip' ? 'gz' : 'zst'}`);
      writeFileSync(path, fetched);
      paths[i] = path;
    });
    return { seen: await sampleFields(paths.filter((path) => path !== undefined)), faults };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns why they cannot be had, when they cannot */
async function firstBytes(store: ObjectBytes, key: string, bytes: number): Promise<Buffer | string> {
  try {
    const piece = await store.range(key, 0, Math.min(bytes, BYTES_PER_FILE) - 1);
    return piece ?? MISSING.fault;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'OBJECT_COLD') return COLD.fault;
    throw error;
  }
}
