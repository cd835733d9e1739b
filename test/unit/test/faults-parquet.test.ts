/** The fault harness's count of Parquet rows sees what is lost, repeated and made up, in the hour in which it is. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import type { ArchiveReader } from '../../../archive/verify/verify.ts';
import { eventId } from '../../faults/oracle.ts';
import { countParquet } from '../../faults/parquet.ts';
import { temporaryDirectory } from '../../support/agent-process.ts';

const HOUR = 'dt=2026-11-23/hour=07';
const line = (n: number): string => `{"path":"/items?e=${eventId('log', n)}","code":200}\n`;

test('rows of Parquet are compared with lines event by event', async (context) => {
  const folder = temporaryDirectory(context);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const parquet = async (text: string): Promise<Buffer> => {
    const [from, to] = [join(folder, 'lines.json'), join(folder, 'made.parquet')];
    writeFileSync(from, text);
    await connection.run(`COPY (SELECT * FROM read_json('${from}')) TO '${to}' (FORMAT parquet)`);
    return readFileSync(to);
  };
  const count = async (...texts: string[]) => {
    const objects: Record<string, Buffer> = {
      [`logs/tag=web/${HOUR}/a.ndjson.gz`]: gzipSync(line(0) + line(1)),
      [`logs/tag=web/${HOUR}/b.ndjson.gz`]: gzipSync(line(2)),
      [`logs/tag=foreign.s/${HOUR}/c.ndjson.gz`]: gzipSync('{"base64":"H4sI"}\n'),
      'logs/tag=web/dt=2026-11-23/hour=08/d.ndjson.gz': gzipSync(line(3)),
    };
    for (const [i, text] of texts.entries())
      objects[`parquet/tag=web/${HOUR}/${i + 1}-0123456789abcdef.parquet`] = await parquet(text);
    const archive = {
      async *list() {
        for (const key of Object.keys(objects)) yield { key };
      },
      get: async (key: string) => objects[key] ?? null,
    } as unknown as ArchiveReader;
    const { lost, repeated, invented, ...rest } = await countParquet(archive, folder);
    return { found: [lost, repeated, invented], ...rest };
  };
  const kept = '{"base64":"H4sI"}\n';

  const sound = await count(line(0) + line(1) + kept, line(2));
  assert.deepEqual(sound, {
    found: [0, 0, 0],
    hours: 1,
    objects: 2,
    late: 1,
    rows: 4,
    events: 4,
    without: ['dt=2026-11-23/hour=08'],
    examples: [],
  });
  assert.deepEqual((await count(line(0) + kept, line(2))).found, [1, 0, 0]);
  assert.deepEqual((await count(line(0) + line(1), line(2))).found, [1, 0, 0]);
  assert.deepEqual((await count(line(0) + line(1) + kept, line(2) + line(1))).found, [0, 1, 0]);
  // The number of rows is right.
  assert.deepEqual((await count(line(0) + line(0) + kept, line(2))).found, [1, 1, 0]);
  // An event of another hour.
  assert.deepEqual((await count(line(0) + line(1) + kept + line(3), line(2))).found, [0, 0, 1]);
  connection.closeSync();
  instance.closeSync();
});
