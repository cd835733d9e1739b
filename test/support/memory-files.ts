/** The spool's file system in memory: it tracks what was synced, can crash, and can be made to fail. */
import type { SpoolFiles } from '../../producer/spool/files.ts';

export type FileCall = 'create' | 'append' | 'sync' | 'write' | 'truncate' | 'remove';

interface MemoryFile {
  bytes: Buffer;
  synced: number;
}

export class MemoryFiles implements SpoolFiles {
  readonly files = new Map<string, MemoryFile>();
  /** Called before each call; what it returns is thrown, after half of an append's bytes have been written. */
  fail: (call: FileCall, path: string) => Error | null = () => null;

  static noRoom(): Error {
    return Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  }

  async create(path: string) {
    this.#check('create', path);
    if (this.files.has(path)) throw Object.assign(new Error(path), { code: 'EEXIST' });
    const file: MemoryFile = { bytes: Buffer.alloc(0), synced: 0 };
    this.files.set(path, file);
    return {
      append: async (parts: readonly Uint8Array[]) => {
        const all = Buffer.concat(parts);
        const error = this.fail('append', path);
        file.bytes = Buffer.concat([file.bytes, error ? all.subarray(0, all.length >> 1) : all]);
        if (error) throw error;
      },
      sync: async () => {
        this.#check('sync', path);
        file.synced = file.bytes.length;
      },
      truncate: async (length: number) => {
        this.#check('truncate', path);
        file.bytes = file.bytes.subarray(0, length);
        file.synced = Math.min(file.synced, length);
      },
      close: async () => {},
    };
  }

  async read(path: string): Promise<Buffer> {
    return Buffer.from(this.#file(path).bytes);
  }

  async readRange(path: string, offset: number, length: number): Promise<Buffer> {
    return Buffer.from(this.#file(path).bytes.subarray(offset, offset + length));
  }

  async remove(path: string): Promise<void> {
    this.#check('remove', path);
    this.files.delete(path);
  }

  async truncate(path: string, length: number): Promise<void> {
    const file = this.#file(path);
    file.bytes = file.bytes.subarray(0, length);
    file.synced = length;
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    this.#check('write', path);
    this.files.set(path, { bytes: Buffer.from(bytes), synced: bytes.length });
  }

  async list(directory: string): Promise<string[]> {
    const names = [...this.files.keys()].filter((path) => path.startsWith(`${directory}/`));
    return names.map((path) => path.slice(directory.length + 1)).filter((name) => !name.includes('/'));
  }

  async makeDirectory(): Promise<void> {}

  /** The machine stops: of the unsynced bytes, the share `keep` (0 to 1) survives. */
  crash(keep: number): void {
    for (const file of this.files.values()) {
      const unsynced = file.bytes.length - file.synced;
      file.bytes = Buffer.from(file.bytes.subarray(0, file.synced + Math.floor(unsynced * keep)));
      file.synced = file.bytes.length;
    }
  }

  #check(call: FileCall, path: string): void {
    const error = this.fail(call, path);
    if (error) throw error;
  }

  #file(path: string): MemoryFile {
    const file = this.files.get(path);
    if (!file) throw Object.assign(new Error(path), { code: 'ENOENT' });
    return file;
  }
}
