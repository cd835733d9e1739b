/**
 * Objects as files: each at the path of its key, so that a person can read it with zcat.
 *
 * An object is created by one link(2) or rename(2) of a finished file: exactly one of many conditional writers wins, and
 * a crash leaves no partial object. What S3 stores with the bytes (ETag, content type, …) is in a sidecar file written
 * before that and named after the key and the file's inode, so that both always come from the same writer.
 */
import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { noSuchBucket, noSuchKey, preconditionFailed, S3Error } from './error.ts';
import { type WalkOptions, walk } from './listing.ts';
import { checkBucket, checkKey, Layout } from './names.ts';

/** Headers that S3 stores with an object and returns with it. */
export type KeptHeaders = Readonly<Record<string, string>>;

export interface ObjectInfo {
  readonly key: string;
  /** Without the quotes. */
  readonly etag: string;
  readonly size: number;
  /** Milliseconds since 1970, whole seconds as in S3. */
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
  /** Runs after all bytes have arrived and before the object exists; throws when they do not match what was declared. */
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
    // Partial files left by a crash belong to nobody.
    await fs.rm(layout.temporary, { recursive: true, force: true });
    await fs.mkdir(layout.temporary, { recursive: true });
    return new Store(layout, now);
  }

  /** A folder of any name as a bucket, for reading alone: changes nothing in it, and a running stack may be using it. */
  static openForReading(folder: string, bucket: string): Store {
    const folders = new Map([[bucket, path.basename(folder)]]);
    return new Store(new Layout(path.dirname(folder), folders), Date.now);
  }

  /** A folder of any name as a bucket, to which objects are added; a running stack may be using it. */
  static async openForAdding(folder: string, bucket: string): Promise<Store> {
    const store = Store.openForReading(folder, bucket);
    await fs.mkdir(store.#layout.temporary, { recursive: true });
    return store;
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
        // Not with a write stream: a file handle's close() waits for its streams to close it.
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
   * Opens an object for reading; the caller closes the file. An opened object stays readable when it is replaced.
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
        // The same file without a sidecar was put there by hand; otherwise it has just been replaced.
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

  /** An object's metadata; null when there is none. */
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

  /** As in S3, deleting a missing key succeeds. */
  async delete(bucket: string, key: string): Promise<void> {
    checkKey(key);
    await this.headBucket(bucket);
    const target = this.#layout.object(bucket, key);
    const stat = await fs.lstat(target, { bigint: true }).catch(() => null);
    if (!stat?.isFile()) return;
    await fs.rm(target, { force: true });
    await fs.rm(this.#layout.sidecar(bucket, key, stat.ino), { force: true });
    // Folders are not objects: an empty one is removed with its last object.
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

  /** @returns the path of the replaced object's sidecar */
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
        // A concurrent deletion removed the empty folder.
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
            `This embedded S3 stores objects as files and cannot store ${JSON.stringify(key)} next to a key that is a parent or child folder of it`,
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

/** For a promise's catch: returns `make()` for a missing path and rethrows any other failure. */
function absentAs(make: () => S3Error): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    throw error.code === 'ENOENT' || error.code === 'ENOTDIR' ? make() : error;
  };
}
