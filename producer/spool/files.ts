/** The file system calls of the spool, in one place so that tests can make each of them fail. */
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';

export interface SegmentFile {
  /** Appends all of `parts`, in as many calls as it takes. */
  append(parts: readonly Uint8Array[]): Promise<void>;
  /** fdatasync(2). */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

export interface SpoolFiles {
  /** Creates a file for appending, mode 0600; it may not exist. The new name is durable when this resolves. */
  create(path: string): Promise<SegmentFile>;
  read(path: string): Promise<Buffer>;
  /** Reads `length` bytes at `offset`. */
  readRange(path: string, offset: number, length: number): Promise<Buffer>;
  remove(path: string): Promise<void>;
  /** Shortens a file and syncs it. */
  truncate(path: string, length: number): Promise<void>;
  /** Writes a whole file durably, through a temporary name. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  list(directory: string): Promise<string[]>;
  makeDirectory(directory: string): Promise<void>;
}

/** A recovery by root must not be led out of a directory that is another user's: the spool has no symbolic links. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW;

/** writev takes at most IOV_MAX (1024 on Linux) pieces. */
const MAX_PIECES = 1024;

async function syncDirectory(directory: string): Promise<void> {
  const handle = await fs.open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function parent(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

async function appendAll(handle: fs.FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  let left = parts.filter((part) => part.length > 0);
  while (left.length > 0) {
    const pieces = left.slice(0, MAX_PIECES);
    let { bytesWritten } = await handle.writev(pieces);
    // A short write is how a disk that is almost full begins to fail: go on behind it and let the next call say so.
    let done = 0;
    while (done < pieces.length && bytesWritten >= pieces[done]!.length)
      bytesWritten -= pieces[done++]!.length;
    left = left.slice(done);
    if (bytesWritten > 0) left[0] = left[0]!.subarray(bytesWritten);
  }
}

export const nodeFiles: SpoolFiles = {
  async create(path) {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND;
    const handle = await fs.open(path, flags, 0o600);
    try {
      await syncDirectory(parent(path));
    } catch (error) {
      await handle.close();
      await fs.unlink(path);
      throw error;
    }
    return {
      append: (parts) => appendAll(handle, parts),
      sync: () => handle.datasync(),
      truncate: (length) => handle.truncate(length),
      close: () => handle.close(),
    };
  },
  read: (path) => fs.readFile(path, { flag: READ_FLAGS }),
  async readRange(path, offset, length) {
    const handle = await fs.open(path, READ_FLAGS);
    try {
      const bytes = Buffer.allocUnsafe(length);
      const { bytesRead } = await handle.read(bytes, 0, length, offset);
      return bytes.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  },
  remove: (path) => fs.unlink(path),
  async truncate(path, length) {
    const handle = await fs.open(path, constants.O_RDWR | constants.O_NOFOLLOW);
    try {
      await handle.truncate(length);
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async write(path, bytes) {
    const temporary = `${path}.tmp`;
    await fs.rm(temporary, { force: true });
    const handle = await fs.open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.rename(temporary, path);
    await syncDirectory(parent(path));
  },
  list: (directory) => fs.readdir(directory),
  async makeDirectory(directory) {
    await fs.mkdir(directory, { recursive: true, mode: 0o700 });
  },
};
