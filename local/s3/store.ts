/**
 * Objects as files: each at its key as a path, so that a person can look at it with zcat.
 *
 * An object comes to be by one link(2) or rename(2) of a finished file: of many conditional writers one wins, and a
 * crash leaves no half object. What S3 keeps beside the bytes (ETag, content type, …) stands in a sidecar written
 * before that and named by the key and the file's inode, so that the two can't be of different writers.
 */
import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { noSuchBucket, noSuchKey, preconditionFailed, S3Error } from './error.ts';
import { type WalkOptions, walk } from './listing.ts';
import { checkBucket, checkKey, Layout } from './names.ts';

/** Headers that S3 keeps with an object and gives back with it. */
export type KeptHeaders = Readonly<Record<string, string>>;

export interface ObjectInfo {
  readonly key: string;
  /** Without the quotes. */
  readonly etag: string;
  readonly size: number;
  /** Milliseconds since 1970, whole seconds as S3 has them. */
  readonly modified: number;
  readonly headers: KeptHeaders;
  /** `x-amz-checksum-…` headers that came with the object. */
  readonly checksums: KeptHeaders;
}

export interface OpenObject {
  readonly info: ObjectInfo;
  readonly file: fs.FileHandle;
}

export interface PutOptions {
  readonly headers: KeptHeaders;
  /** Runs when all bytes are there and before the object is; throws when they aren't what was promised. */
  readonly verify: () => KeptHeaders;
  /** If-None-Match: * */
  readonly onlyIfAbsent: boolean;
}

type Sidecar = Pick<ObjectInfo, 'key' | 'etag' | 'headers' | 'checksums'>;

export class Store {
  readonly #layout: Layout;
  readonly #now: () => number;

  private constructor(layout: Layout, now: () => number) {
    this.#layout = layout;
    this.#now = now;
  }

  static async open(root: string, now: () => number = Date.now): Promise<Store> {
    const layout = new Layout(root);
    // What a crash has left half written belongs to nobody.
    await fs.rm(layout.temporary, { recursive: true, force: true });
    await fs.mkdir(layout.temporary, { recursive: true });
    return new Store(layout, now);
  }

  /** @returns whether it is new */
  async createBucket(bucket: string): Promise<boolean> {
    checkBucket(bucket);
    return (await fs.mkdir(this.#layout.bucket(bucket), { recursive: true })) !== undefined;
  }

  /** @throws S3Error NoSuchBucket */
  async headBucket(bucket: string): Promise<void> {
    checkBucket(bucket);
    const stat = await fs.stat(this.#layout.bucket(bucket)).catch(() => null);
    if (!stat?.isDirectory()) throw noSuchBucket();
  }

  /** @throws S3Error PreconditionFailed when `onlyIfAbsent` and the key has an object */
  async put(bucket: string, key: string, body: Readable, options: PutOptions): Promise<ObjectInfo> {
    checkKey(key);
    await this.headBucket(bucket);
    const target = this.#layout.object(bucket, key);
    const temporary = path.join(this.#layout.temporary, randomUUID());
    let sidecar: string | null = null;
    try {
      const md5 = createHash('md5');
      const file = await fs.open(temporary, 'wx');
      try {
        // Not by a write stream: a file handle's close() waits for its streams to close it.
        await pipeline(body, hashing(md5), (source) => file.writeFile(source));
        const checksums = options.verify();
        const modified = Math.floor(this.#now() / 1000);
        await file.utimes(modified, modified);
        const stat = await file.stat({ bigint: true });
        const kept: Sidecar = { key, etag: md5.digest('hex'), headers: options.headers, checksums };
        sidecar = this.#layout.sidecar(bucket, key, stat.ino);
        await writeFileWithFolders(sidecar, JSON.stringify(kept));
        const replaced = await this.#publish(temporary, bucket, key, target, options.onlyIfAbsent);
        if (replaced !== null && replaced !== sidecar) await fs.rm(replaced, { force: true });
        sidecar = null;
        return { ...kept, size: Number(stat.size), modified: modified * 1000 };
      } finally {
        await file.close();
      }
    } finally {
      await fs.rm(temporary, { force: true });
      if (sidecar !== null) await fs.rm(sidecar, { force: true });
    }
  }

  /**
   * Opens an object for reading; the caller closes the file. What was opened stays readable when it is replaced.
   *
   * @throws S3Error NoSuchKey or NoSuchBucket
   */
  async get(bucket: string, key: string): Promise<OpenObject> {
    checkKey(key);
    await this.headBucket(bucket);
    const target = this.#layout.object(bucket, key);
    for (;;) {
      const file = await fs.open(target, 'r').catch(absentAs(noSuchKey));
      try {
        const stat = await file.stat({ bigint: true });
        if (!stat.isFile()) throw noSuchKey();
        const sidecar = await this.#readSidecar(bucket, key, stat.ino);
        const size = Number(stat.size);
        const modified = Number(stat.mtimeMs);
        if (sidecar !== null) return { file, info: { ...sidecar, size, modified } };
        const now = await fs.stat(target, { bigint: true }).catch(absentAs(noSuchKey));
        // The same file and no sidecar: it was put there by hand. Else it has just been replaced.
        if (now.ino === stat.ino) {
          const etag = createHash('md5')
            .update(await fs.readFile(target))
            .digest('hex');
          return { file, info: { key, etag, size, modified, headers: {}, checksums: {} } };
        }
      } catch (error) {
        await file.close();
        throw error;
      }
      await file.close();
    }
  }

  /** What is known of an object, null when there is none. */
  async head(bucket: string, key: string): Promise<ObjectInfo | null> {
    try {
      const { file, info } = await this.get(bucket, key);
      await file.close();
      return info;
    } catch (error) {
      if (error instanceof S3Error && error.status === 404) return null;
      throw error;
    }
  }

  /** As in S3, deleting what isn't there is fine. */
  async delete(bucket: string, key: string): Promise<void> {
    checkKey(key);
    await this.headBucket(bucket);
    const target = this.#layout.object(bucket, key);
    const stat = await fs.lstat(target, { bigint: true }).catch(() => null);
    if (!stat?.isFile()) return;
    await fs.rm(target, { force: true });
    await fs.rm(this.#layout.sidecar(bucket, key, stat.ino), { force: true });
    // Folders are no objects: an empty one goes with the last object in it.
    const bucketFolder = this.#layout.bucket(bucket);
    for (let folder = path.dirname(target); folder !== bucketFolder; folder = path.dirname(folder)) {
      if (
        !(await fs.rmdir(folder).then(
          () => true,
          () => false,
        ))
      )
        break;
    }
  }

  /** Keys in the order of their UTF-8 bytes. */
  async *keys(bucket: string, options: WalkOptions): AsyncGenerator<string> {
    await this.headBucket(bucket);
    yield* walk(this.#layout.bucket(bucket), options);
  }

  /** @returns the path of the sidecar of what was replaced */
  async #publish(
    temporary: string,
    bucket: string,
    key: string,
    target: string,
    onlyIfAbsent: boolean,
  ): Promise<string | null> {
    for (;;) {
      try {
        await fs.mkdir(path.dirname(target), { recursive: true });
        if (onlyIfAbsent) {
          await fs.link(temporary, target);
          return null;
        }
        const before = await fs.lstat(target, { bigint: true }).catch(() => null);
        await fs.rename(temporary, target);
        return before === null ? null : this.#layout.sidecar(bucket, key, before.ino);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        // A deletion has taken the empty folder away again.
        if (code === 'ENOENT') continue;
        const isFolder = await fs.stat(target).then(
          (stat) => stat.isDirectory(),
          () => false,
        );
        if (code === 'EEXIST' && !isFolder && (await isFile(target))) throw preconditionFailed();
        if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR') {
          throw new S3Error(
            409,
            'InvalidRequest',
            `This embedded S3 keeps objects as files and can't keep ${JSON.stringify(key)} beside a key that is a folder of it`,
          );
        }
        throw error;
      }
    }
  }

  async #readSidecar(bucket: string, key: string, inode: bigint): Promise<Sidecar | null> {
    const text = await fs.readFile(this.#layout.sidecar(bucket, key, inode), 'utf8').catch(() => null);
    return text === null ? null : (JSON.parse(text) as Sidecar);
  }
}

function hashing(hash: ReturnType<typeof createHash>) {
  return async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const bytes of source) {
      hash.update(bytes);
      yield bytes;
    }
  };
}

async function isFile(target: string): Promise<boolean> {
  return fs.lstat(target).then(
    (stat) => stat.isFile(),
    () => false,
  );
}

async function writeFileWithFolders(file: string, text: string): Promise<void> {
  await fs.mkdir(path.dirname(file), { recursive: true });
  await fs.writeFile(file, text);
}

/** For a promise's catch: a path that isn't there is `make()`, any other failure itself. */
function absentAs(make: () => S3Error): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    throw error.code === 'ENOENT' || error.code === 'ENOTDIR' ? make() : error;
  };
}
