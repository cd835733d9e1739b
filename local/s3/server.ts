/** Serves the S3 requests that this project makes, path style, from a folder; anything else is rejected by name. */
import * as http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Body, keptHeaders } from './body.ts';
import { invalidArgument, notImplemented, preconditionFailed, S3Error } from './error.ts';
import { type ListRequest, listPage } from './listing.ts';
import { parseRange } from './range.ts';
import type { ObjectInfo, Store } from './store.ts';
import { deleteXml, errorXml, listXml, parseDelete } from './xml.ts';

const MAX_KEYS = 1000;
const MAX_DELETE_BYTES = 2 * 1024 * 1024;
/** Query parameters that do not select an operation. */
const HARMLESS = new Set([
  'x-id',
  'list-type',
  'prefix',
  'delimiter',
  'start-after',
  'continuation-token',
  'max-keys',
  'encoding-type',
  'fetch-owner',
  'delete',
]);

export function createS3Server(store: Store): http.Server {
  let requests = 0;
  const server = http.createServer({ keepAliveTimeout: 75_000, requestTimeout: 0 }, (request, response) => {
    requests++;
    const id = requests.toString(16).padStart(16, '0');
    response.setHeader('x-amz-request-id', id);
    response.setHeader('server', 'tailrace-local-s3');
    answer(store, request, response).catch((error: unknown) => {
      refuse(request, response, id, error);
    });
  });
  return server;
}

async function answer(
  store: Store,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { bucket, key, query } = parseTarget(request.url ?? '/');
  for (const name of query.keys()) if (!HARMLESS.has(name)) throw notImplemented(`The parameter "${name}"`);
  const operation = `${request.method} ${key !== '' ? 'object' : bucket !== '' ? 'bucket' : 'service'}`;
  switch (operation) {
    case 'PUT object':
      return putObject(store, bucket, key, request, response);
    case 'GET object':
    case 'HEAD object':
      return getObject(store, bucket, key, request, response);
    case 'DELETE object':
      if (request.headers['if-match'] !== undefined) throw notImplemented('If-Match in DeleteObject');
      await store.delete(bucket, key);
      response.writeHead(204).end();
      return;
    case 'GET bucket':
      if (query.get('list-type') !== '2') throw notImplemented('ListObjects without list-type=2');
      return listObjects(store, bucket, query, response);
    case 'POST bucket':
      if (!query.has('delete')) throw notImplemented('POST');
      return deleteObjects(store, bucket, request, response);
    case 'PUT bucket':
      request.resume();
      if (!(await store.createBucket(bucket))) {
        throw new S3Error(409, 'BucketAlreadyOwnedByYou', 'The bucket is yours already.');
      }
      response.writeHead(200, { location: `/${bucket}` }).end();
      return;
    case 'HEAD bucket':
      await store.headBucket(bucket);
      response.writeHead(200, { 'x-amz-bucket-region': 'us-east-1' }).end();
      return;
    default:
      throw notImplemented(operation);
  }
}

/** Splits a request target by hand: URL parsers resolve `..`, which has no meaning in a key. */
function parseTarget(target: string): { bucket: string; key: string; query: URLSearchParams } {
  const question = target.indexOf('?');
  const path = question === -1 ? target : target.slice(0, question);
  const query = new URLSearchParams(question === -1 ? '' : target.slice(question + 1));
  const slash = path.indexOf('/', 1);
  try {
    return {
      bucket: decodeURIComponent(slash === -1 ? path.slice(1) : path.slice(1, slash)),
      key: slash === -1 ? '' : decodeURIComponent(path.slice(slash + 1)),
      query,
    };
  } catch {
    throw new S3Error(400, 'InvalidURI', "Couldn't parse the specified URI.");
  }
}

async function putObject(
  store: Store,
  bucket: string,
  key: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { headers } = request;
  const condition = headers['if-none-match'];
  if (condition !== undefined && condition !== '*') throw notImplemented(`If-None-Match: ${condition}`);
  if (headers['if-match'] !== undefined) throw notImplemented('If-Match in PutObject');
  if (headers['x-amz-copy-source'] !== undefined) throw notImplemented('CopyObject');
  const body = new Body(headers);
  if (headers.expect === '100-continue') response.writeContinue();
  const info = await store.put(bucket, key, Readable.from(body.decode(request)), {
    headers: keptHeaders(headers),
    verify: () => {
      if (!request.complete) throw new S3Error(400, 'IncompleteBody', 'The request body ended early.');
      return body.verify();
    },
    onlyIfAbsent: condition === '*',
  });
  response.writeHead(200, { etag: `"${info.etag}"`, ...info.checksums, 'content-length': 0 }).end();
}

async function getObject(
  store: Store,
  bucket: string,
  key: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { info, file } = await store.get(bucket, key);
  try {
    checkConditions(request.headers, info);
    if (notModified(request.headers, info)) {
      response.writeHead(304, { etag: `"${info.etag}"` }).end();
      return;
    }
    const range = parseRange(request.headers.range, info.size);
    const headers: http.OutgoingHttpHeaders = {
      'content-type': 'application/octet-stream',
      ...info.headers,
      etag: `"${info.etag}"`,
      'last-modified': new Date(info.modified).toUTCString(),
      'accept-ranges': 'bytes',
      'content-length': range === null ? info.size : range.end - range.start,
    };
    if (range !== null) headers['content-range'] = `bytes ${range.start}-${range.end - 1}/${info.size}`;
    else if (request.headers['x-amz-checksum-mode'] === 'ENABLED') Object.assign(headers, info.checksums);
    response.writeHead(range === null ? 200 : 206, headers);
    const start = range?.start ?? 0;
    const end = range?.end ?? info.size;
    if (request.method === 'HEAD' || end === start) {
      response.end();
      return;
    }
    await pipeline(file.createReadStream({ start, end: end - 1 }), response);
  } finally {
    await file.close();
  }
}

function checkConditions(headers: http.IncomingHttpHeaders, info: ObjectInfo): void {
  const match = headers['if-match'];
  if (match !== undefined) {
    if (match !== '*' && !namesEtag(match, info)) throw preconditionFailed();
    return;
  }
  const since = secondsOf(headers['if-unmodified-since']);
  if (since !== null && Math.floor(info.modified / 1000) > since) throw preconditionFailed();
}

/** RFC 9110, section 13.2.2: a condition on the ETag makes that on the time void. */
function notModified(headers: http.IncomingHttpHeaders, info: ObjectInfo): boolean {
  const noneMatch = headers['if-none-match'];
  if (noneMatch !== undefined) return noneMatch === '*' || namesEtag(noneMatch, info);
  const since = secondsOf(headers['if-modified-since']);
  return since !== null && Math.floor(info.modified / 1000) <= since;
}

/** A date of HTTP has no milliseconds; one that cannot be parsed is ignored. */
function secondsOf(date: string | undefined): number | null {
  const time = Date.parse(date ?? '');
  return Number.isNaN(time) ? null : Math.floor(time / 1000);
}

function namesEtag(list: string, info: ObjectInfo): boolean {
  return list.split(',').some((etag) => etag.trim().replaceAll('"', '') === info.etag);
}

async function listObjects(
  store: Store,
  bucket: string,
  query: URLSearchParams,
  response: http.ServerResponse,
): Promise<void> {
  const maxKeys = Number(query.get('max-keys') ?? MAX_KEYS);
  if (!Number.isInteger(maxKeys) || maxKeys < 0) throw invalidArgument('max-keys is not a valid number');
  const continuationToken = query.get('continuation-token');
  const startAfter = query.get('start-after') ?? '';
  const request: ListRequest = {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    startAfter: continuationToken ? readToken(continuationToken) : startAfter,
    maxKeys: Math.min(maxKeys, MAX_KEYS),
  };
  await store.headBucket(bucket);
  const listing = await listPage((options) => store.keys(bucket, options), request);
  const objects: ObjectInfo[] = [];
  for (const key of listing.keys) {
    const info = await store.head(bucket, key);
    // Deleted since it was listed.
    if (info !== null) objects.push(info);
  }
  const nextToken = listing.next === null ? null : makeToken(listing.next);
  const urlEncoded = query.get('encoding-type') === 'url';
  sendXml(
    response,
    200,
    listXml({
      bucket,
      request,
      startAfter,
      continuationToken,
      nextToken,
      urlEncoded,
      withOwner: query.get('fetch-owner') === 'true',
      listing,
      objects,
    }),
  );
}

/** Tokens are opaque: clients must not come to rely on one being a key. */
function makeToken(after: string): string {
  return Buffer.from(`1${after}`).toString('base64url');
}

function readToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString();
  if (!text.startsWith('1')) throw invalidArgument('The continuation token provided is incorrect');
  return text.slice(1);
}

async function deleteObjects(
  store: Store,
  bucket: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const body = new Body(request.headers);
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body.decode(request)) {
    bytes += piece.length;
    if (bytes > MAX_DELETE_BYTES) throw new S3Error(400, 'MalformedXML', 'The list of keys is too long');
    pieces.push(piece);
  }
  body.verify();
  const { keys, quiet } = parseDelete(Buffer.concat(pieces).toString());
  if (keys.length > MAX_KEYS)
    throw new S3Error(400, 'MalformedXML', `At most ${MAX_KEYS} keys can be deleted at once`);
  await store.headBucket(bucket);
  const deleted: string[] = [];
  const failed: { key: string; code: string; message: string }[] = [];
  for (const key of keys) {
    try {
      await store.delete(bucket, key);
      if (!quiet) deleted.push(key);
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      failed.push({ key, code: error.code, message: error.message });
    }
  }
  sendXml(response, 200, deleteXml(deleted, failed));
}

function refuse(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  id: string,
  error: unknown,
): void {
  const known =
    error instanceof S3Error
      ? error
      : new S3Error(500, 'InternalError', error instanceof Error ? error.message : String(error));
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  if (!(error instanceof S3Error)) console.error(request.method, request.url, error);
  // A body that nobody will read must not block the next request on the connection.
  if (!request.complete) response.setHeader('connection', 'close');
  if (request.method === 'HEAD') response.writeHead(known.status).end();
  else sendXml(response, known.status, errorXml(known.code, known.message, request.url ?? '', id));
}

function sendXml(response: http.ServerResponse, status: number, xml: string): void {
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(xml) });
  response.end(xml);
}
