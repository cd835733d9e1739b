/** The function that makes Parquet, called as its schedule does, on the embedded S3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactedHours, readCompactions } from '../../../archive/compact/compaction.ts';
import { S3Store } from '../../../archive/s3.ts';
import { ChunkSource } from '../../support/chunks.ts';
import { BUCKET, startLocalS3 } from '../../support/local-s3.ts';
import { archiveInto } from '../../support/small-archive.ts';

test('a call compacts what is due, the next one finds nothing to do', async (context) => {
  const s3 = await startLocalS3();
  context.after(() => s3.stop());
  Object.assign(process.env, {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '512',
    ARCHIVE_BUCKET: BUCKET,
    ARCHIVE_KEY_TEMPLATE: 'logs/tag={tag}/{name}',
    OPEN_AFTER: '2h',
    LOOK_BACK: '24h',
  });
  const store = new S3Store({ bucket: BUCKET, region: 'us-east-1', endpoint: s3.endpoint }, { tries: 1 });
  context.after(() => store.close());
  const hour = Math.floor(Date.now() / 3_600_000) - 5;
  const source = new ChunkSource({ name: 'p' });
  const chunks = [source.next('web', hour, 3), source.next('app', hour, 2)];
  await archiveInto(store, [chunks], 'shard-0', () => Date.now());
  const { handler } = await import('../../../functions/compact.ts');
  const call = async (left: number): Promise<object> =>
    (await handler({}, { getRemainingTimeInMillis: () => left } as never)) as unknown as object;
  const expected = { hours: 1, objects: 2, rows: 5, faults: 0 };
  const cut = await call(60_000);
  const first = await call(900_000);
  const second = await call(900_000);
  // Too little time is left for an hour.
  assert.partialDeepStrictEqual(cut, { hours: 0, objects: 0 });
  assert.partialDeepStrictEqual(first, expected);
  assert.partialDeepStrictEqual(second, { ...expected, objects: 0, rows: 0 });
  assert.deepEqual(await compactedHours(store, ''), [hour]);
  assert.equal((await readCompactions(store, '', hour)).length, 1);
});
