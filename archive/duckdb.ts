/** Loads DuckDB, an optional dependency of 70 MB, when a command needs it. */
import { TailraceError } from '../base/errors.ts';

/** The release that package.json names. */
export const DUCKDB_VERSION = '1.5.6-r.1';

export type DuckDb = typeof import('@duckdb/node-api');

/**
 * @param load for tests
 * @throws TailraceError DUCKDB_MISSING when it is not installed, or not for this system
 */
export async function loadDuckDb(
  load: () => Promise<DuckDb> = () => import('@duckdb/node-api'),
): Promise<DuckDb> {
  try {
    return await load();
  } catch (cause) {
    throw new TailraceError(
      'DUCKDB_MISSING',
      `this command needs DuckDB, which cannot be loaded: run npm install --no-save @duckdb/node-api@${DUCKDB_VERSION} ` +
        `in the folder of tailrace (${(cause as Error).message.split('\n', 1)[0]})`,
      { cause },
    );
  }
}
