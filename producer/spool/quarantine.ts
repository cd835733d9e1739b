/** What recovery and reading put aside: damaged pieces of the spool, kept for people. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The pieces in a spool's quarantine, by name, each to be read when it is asked for. */
export async function readQuarantine(spool: string): Promise<Map<string, () => Promise<Buffer>>> {
  const directory = join(spool, 'quarantine');
  const names = await readdir(directory);
  return new Map(names.toSorted().map((name) => [name, () => readFile(join(directory, name))]));
}
