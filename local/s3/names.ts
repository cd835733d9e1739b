/** The buckets and keys that the store accepts, and their places in the file system. */
import { createHash } from 'node:crypto';
import * as path from 'node:path';
import { invalidArgument, S3Error } from './error.ts';

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const MAX_KEY_BYTES = 1024;
const MAX_NAME_BYTES = 255;

/** @throws S3Error InvalidBucketName; a valid name is one plain folder name */
export function checkBucket(bucket: string): void {
  if (!BUCKET.test(bucket) || bucket.includes('..')) {
    throw new S3Error(400, 'InvalidBucketName', 'The specified bucket is not valid.');
  }
}

/**
 * An object's path is its key, so a key that means something else to a file system is rejected.
 *
 * @throws S3Error KeyTooLongError or InvalidArgument
 */
export function checkKey(key: string): void {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new S3Error(400, 'KeyTooLongError', 'Your key is too long');
  }
  for (const name of key.split('/')) {
    if (name === '' || name === '.' || name === '..' || name.includes('\0') || name.includes('\uFFFD')) {
      throw invalidArgument(
        `This embedded S3 keeps each object at its key as a path and cannot store ${JSON.stringify(key)}`,
      );
    }
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
      throw new S3Error(400, 'KeyTooLongError', `A part of the key between two slashes has over 255 bytes`);
    }
  }
}

/** The layout of the store's folder: buckets as folders, everything else hidden. */
export class Layout {
  readonly root: string;
  readonly temporary: string;
  readonly #metadata: string;
  readonly #folders: ReadonlyMap<string, string>;

  /** @param folders names of buckets' folders, where they are not the buckets' own: not each folder's name is a bucket's */
  constructor(root: string, folders: ReadonlyMap<string, string> = new Map()) {
    this.root = path.resolve(root);
    this.#folders = folders;
    this.temporary = path.join(this.root, '.s3', 'temporary');
    this.#metadata = path.join(this.root, '.s3', 'metadata');
  }

  bucket(bucket: string): string {
    return path.join(this.root, this.#folder(bucket));
  }

  object(bucket: string, key: string): string {
    return path.join(this.bucket(bucket), key);
  }

  /** The folder of an object's sidecars and the start of their names; the file's inode number follows. */
  sidecar(bucket: string, key: string, inode: bigint): string {
    const hash = createHash('sha256').update(key).digest('hex').slice(0, 32);
    return path.join(
      this.#metadata,
      this.#folder(bucket),
      hash.slice(0, 2),
      `${hash.slice(2)}.${inode}.json`,
    );
  }

  #folder(bucket: string): string {
    return this.#folders.get(bucket) ?? bucket;
  }
}
