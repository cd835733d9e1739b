/**
 * The body of a PutObject as the AWS SDKs send it: plain, or `aws-chunked` (hexadecimal sizes, optional chunk
 * signatures, and checksums in a trailer); and the verification of the checksums and lengths declared for it.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
 */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import * as zlib from 'node:zlib';
import { invalidArgument, notImplemented, S3Error } from './error.ts';
import type { KeptHeaders } from './store.ts';

const MAX_LINE_BYTES = 8192;
const CHECKSUM = 'x-amz-checksum-';

/** The bytes of the object, followed by the contents of the trailer. */
export class Body {
  readonly #headers: IncomingHttpHeaders;
  readonly #chunked: boolean;
  readonly #digests = new Map<string, Digest>();
  #trailers: Record<string, string> = {};
  #bytes = 0;

  constructor(headers: IncomingHttpHeaders) {
    this.#headers = headers;
    this.#chunked =
      header(headers, 'x-amz-content-sha256').startsWith('STREAMING-') ||
      header(headers, 'content-encoding')
        .split(',')
        .some((coding) => coding.trim() === 'aws-chunked');
    const promised = Object.keys(headers).filter(isChecksum);
    promised.push(
      ...header(headers, 'x-amz-trailer')
        .split(',')
        .map((name) => name.trim())
        .filter(isChecksum),
    );
    for (const name of promised) this.#digests.set(name, digestFor(name));
    if (headers['content-md5'] !== undefined)
      this.#digests.set('content-md5', new HashDigest('md5', 'base64'));
    if (/^[0-9a-f]{64}$/.test(header(headers, 'x-amz-content-sha256'))) {
      this.#digests.set('x-amz-content-sha256', new HashDigest('sha256', 'hex'));
    }
  }

  async *decode(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const bytes of this.#chunked ? this.#dechunk(source) : source) {
      this.#bytes += bytes.length;
      for (const digest of this.#digests.values()) digest.update(bytes);
      yield bytes;
    }
  }

  /**
   * Call this when all bytes have been read.
   *
   * @returns the checksums to store with the object
   * @throws S3Error IncompleteBody or BadDigest
   */
  verify(): KeptHeaders {
    const length = header(this.#headers, this.#chunked ? 'x-amz-decoded-content-length' : 'content-length');
    if (length !== '' && Number(length) !== this.#bytes) {
      throw new S3Error(
        400,
        'IncompleteBody',
        `You did not provide the number of bytes specified: ${length} were announced, ${this.#bytes} received`,
      );
    }
    const checksums: Record<string, string> = {};
    for (const [name, digest] of this.#digests) {
      const value = digest.value();
      const promised = header(this.#headers, name) || this.#trailers[name];
      if (promised !== value) {
        throw new S3Error(
          400,
          name === 'x-amz-content-sha256' ? 'XAmzContentSHA256Mismatch' : 'BadDigest',
          `The ${name} you specified did not match what we received.`,
        );
      }
      if (isChecksum(name)) checksums[name] = value;
    }
    return checksums;
  }

  async *#dechunk(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const reader = new ByteReader(source);
    for (;;) {
      const line = await reader.line();
      const size = /^([0-9a-fA-F]{1,8})(?:;.*)?$/.exec(line)?.[1];
      if (size === undefined) throw invalidArgument('not a chunk of an aws-chunked body');
      let left = Number.parseInt(size, 16);
      if (left === 0) break;
      while (left > 0) {
        const bytes = await reader.some(left);
        left -= bytes.length;
        yield bytes;
      }
      if ((await reader.line()) !== '') throw invalidArgument('a chunk of an aws-chunked body is too long');
    }
    for (let line = await reader.line(); line !== ''; line = await reader.line()) {
      const colon = line.indexOf(':');
      this.#trailers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
    }
    await reader.end();
  }
}

/** Headers that S3 stores with the object; `aws-chunked` belongs to the transfer, not to the object. */
export function keptHeaders(headers: IncomingHttpHeaders): KeptHeaders {
  const kept: Record<string, string> = {};
  for (const name of [
    'content-type',
    'cache-control',
    'content-disposition',
    'content-language',
    'expires',
  ]) {
    if (headers[name] !== undefined) kept[name] = header(headers, name);
  }
  const codings = header(headers, 'content-encoding')
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'aws-chunked');
  if (codings.length > 0) kept['content-encoding'] = codings.join(',');
  for (const name of Object.keys(headers)) {
    if (name.startsWith('x-amz-meta-')) kept[name] = header(headers, name);
  }
  return kept;
}

interface Digest {
  update(bytes: Buffer): void;
  value(): string;
}

class HashDigest implements Digest {
  readonly #hash: ReturnType<typeof createHash>;
  readonly #encoding: 'base64' | 'hex';

  constructor(algorithm: string, encoding: 'base64' | 'hex') {
    this.#hash = createHash(algorithm);
    this.#encoding = encoding;
  }

  update(bytes: Buffer): void {
    this.#hash.update(bytes);
  }

  value(): string {
    return this.#hash.digest(this.#encoding);
  }
}

class Crc32Digest implements Digest {
  #crc = 0;

  update(bytes: Buffer): void {
    this.#crc = zlib.crc32(bytes, this.#crc);
  }

  value(): string {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#crc);
    return bytes.toString('base64');
  }
}

function digestFor(name: string): Digest {
  switch (name.slice(CHECKSUM.length)) {
    case 'crc32':
      return new Crc32Digest();
    case 'sha1':
      return new HashDigest('sha1', 'base64');
    case 'sha256':
      return new HashDigest('sha256', 'base64');
    default:
      // Better rejected than left unverified: CRC32 is what the SDKs send by default.
      throw notImplemented(`The checksum ${name}`);
  }
}

function isChecksum(name: string): boolean {
  return name.startsWith(CHECKSUM) && name !== 'x-amz-checksum-mode' && name !== 'x-amz-checksum-algorithm';
}

function header(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

/** Reads lines and pieces from a stream of buffers. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Up to `limit` bytes, at least one. */
  async some(limit: number): Promise<Buffer> {
    if (this.#held.length === 0) await this.#more();
    const bytes = this.#held.subarray(0, limit);
    this.#held = this.#held.subarray(bytes.length);
    return bytes;
  }

  /** The next line, without its CRLF. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#held.indexOf('\r\n');
      if (end !== -1) {
        const line = this.#held.toString('latin1', 0, end);
        this.#held = this.#held.subarray(end + 2);
        return line;
      }
      if (this.#held.length > MAX_LINE_BYTES)
        throw invalidArgument('a line of an aws-chunked body is too long');
      await this.#more();
    }
  }

  async end(): Promise<void> {
    if (this.#held.length > 0 || !(await this.#source.next()).done) {
      throw invalidArgument('bytes after the end of an aws-chunked body');
    }
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#source.next();
    if (done) throw new S3Error(400, 'IncompleteBody', 'The request body terminated unexpectedly');
    this.#held = this.#held.length === 0 ? value : Buffer.concat([this.#held, value]);
  }
}
