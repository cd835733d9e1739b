/** An in-memory object store with S3's conditional writes. */
import type { ArchiveReader } from '../../archive/verify/verify.ts';
import { isVoid } from '../../archive/voiding.ts';

export class MemoryArchive implements ArchiveReader {
  readonly objects = new Map<string, Buffer>();

  async putIfAbsent(key: string, body: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    if (this.objects.has(key)) return 'exists';
    this.objects.set(key, Buffer.concat(body));
    return 'created';
  }

  async get(key: string): Promise<Buffer | null> {
    return this.objects.get(key) ?? null;
  }

  async head(key: string): Promise<number | null> {
    return this.objects.get(key)?.length ?? null;
  }

  async first(prefix: string): Promise<string | null> {
    return this.#keys(prefix)[0] ?? null;
  }

  async folders(prefix: string): Promise<string[]> {
    const names = this.#keys(prefix).map((key) => key.slice(prefix.length));
    return [...new Set(names.filter((rest) => rest.includes('/')).map((rest) => rest.split('/', 1)[0]!))];
  }

  async *list(prefix: string): AsyncGenerator<{ key: string; bytes: number }> {
    for (const key of this.#keys(prefix)) yield { key, bytes: this.objects.get(key)!.length };
  }

  #keys(prefix: string): string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  }
}

/** One that takes commits and voids, and no data, while its writer is dying. */
export class DyingArchive extends MemoryArchive {
  isDying = false;

  override async putIfAbsent(key: string, body: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    const isData = !key.includes('_commits/') && !isVoid('gzip', Buffer.concat(body).length);
    if (this.isDying && isData) throw new Error('killed');
    return super.putIfAbsent(key, body);
  }
}
