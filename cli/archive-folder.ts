/** An archive in a folder: read through the embedded S3, which serves it to this process alone. */
import { once } from 'node:events';
import { statSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { S3Store } from '../archive/s3.ts';
import { TailraceError } from '../base/errors.ts';
import { LOCAL_ENV } from '../local/clients.ts';
import { createS3Server } from '../local/s3/server.ts';
import { Store } from '../local/s3/store.ts';

const BUCKET = 'archive';

/**
 * @param isWritten whether objects are added to it
 * @throws TailraceError NO_ARCHIVE when there is no such folder
 */
export async function openFolder(folder: string, isWritten: boolean): Promise<S3Store> {
  const path = resolve(folder);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new TailraceError(
      'NO_ARCHIVE',
      `${folder} is not a folder: name one that holds an archive, such as data/s3/logs`,
    );
  Object.assign(process.env, LOCAL_ENV);
  const store = isWritten ? await Store.openForAdding(path, BUCKET) : Store.openForReading(path, BUCKET);
  const server = createS3Server(store);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The command ends when its own work is done.
  server.unref();
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return new S3Store({ bucket: BUCKET, region: 'us-east-1', endpoint }, { tries: 1 });
}
