/**
 * An S3 over HTTP whose objects are computed, for archives that would be long to put: lists, HEAD and GET as XML and bytes.
 * `hours-s3.ts FIRST_HOUR HOURS SHARDS` prints its port, and the number of requests whenever a line comes on stdin.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as readline from 'node:readline';
import { SeededArchive } from './seeded-archive.ts';

const PAGE = 1000;
const [firstHour, hours, shards] = process.argv.slice(2).map(Number) as [number, number, number];
const archive = new SeededArchive(firstHour, hours, shards);
/** Listings that have further pages, by their tokens. */
const open = new Map<string, AsyncGenerator<{ key: string; bytes: number }>>();
let requests = 0;
let tokens = 0;

const server = createServer((request, response) => {
  requests += 1;
  request.resume();
  const url = new URL(request.url!, 'http://s3');
  const key = decodeURIComponent(url.pathname.split('/').slice(2).join('/'));
  const answer = key === '' ? list(url.searchParams, response) : object(key, request.headers.range, response);
  answer.catch((error: Error) => response.writeHead(500).end(error.message));
});

async function object(key: string, range: string | undefined, response: ServerResponse): Promise<void> {
  const bytes = await archive.get(key);
  const isHead = response.req.method === 'HEAD';
  if (bytes === null) {
    response.writeHead(404).end(isHead ? undefined : '<Error><Code>NoSuchKey</Code></Error>');
    return;
  }
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  const part = first === undefined ? bytes : bytes.subarray(Number(first), Number(last) + 1);
  response.writeHead(first === undefined ? 200 : 206, {
    'content-length': part.length,
    ...(first === undefined ? {} : { 'content-range': `bytes ${first}-${last}/${bytes.length}` }),
    etag: '"0"',
  });
  response.end(isHead ? undefined : part);
}

async function list(parameters: URLSearchParams, response: ServerResponse): Promise<void> {
  const prefix = parameters.get('prefix') ?? '';
  const most = Number(parameters.get('max-keys') ?? PAGE);
  let contents = '';
  let token: string | null = null;
  if (parameters.has('delimiter')) {
    for (const folder of await archive.folders(prefix))
      contents += `<CommonPrefixes><Prefix>${prefix}${folder}/</Prefix></CommonPrefixes>`;
  } else if (most === 1) {
    const key = await archive.first(prefix);
    if (key !== null) contents = entry(key, 1000);
  } else {
    token = parameters.get('continuation-token');
    const listing = token === null ? archive.list(prefix) : open.get(token)!;
    if (token !== null) open.delete(token);
    token = null;
    for (let n = 0; n < most; n++) {
      const next = await listing.next();
      if (next.done) break;
      contents += entry(next.value.key, next.value.bytes);
      if (n === most - 1) {
        token = `${++tokens}`;
        open.set(token, listing);
      }
    }
  }
  const more = token === null ? '' : `<NextContinuationToken>${token}</NextContinuationToken>`;
  response.writeHead(200, { 'content-type': 'application/xml' });
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>${prefix}</Prefix><MaxKeys>${most}</MaxKeys><IsTruncated>${token !== null}</IsTruncated>${more}${contents}</ListBucketResult>`,
  );
}

/** As long as S3's. */
function entry(key: string, bytes: number): string {
  return `<Contents><Key>${key}</Key><LastModified>2026-11-23T07:05:11.000Z</LastModified><ETag>&quot;70ee1738b6b21e2c8a43f3a5ab0eee71&quot;</ETag><Size>${bytes}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
}

server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
readline
  .createInterface({ input: process.stdin })
  .on('line', () => process.stdout.write(`${requests}\n`))
  .on('close', () => process.exit(0));
