/** What an archive needs of an object store: strongly consistent reads and lists, and conditional writes. */

export type ObjectKind = 'commit' | 'gzip' | 'zstd' | 'parquet';

export interface ArchiveStore {
  /**
   * Writes an object unless there is one of that name (If-None-Match: *).
   *
   * @param sha256 of the body in hex, when it is known: hashing it once more costs as much as sending it
   * @returns `exists` when there is one; it may be the one of this very call, after a lost response
   */
  putIfAbsent(
    key: string,
    body: readonly Uint8Array[],
    kind: ObjectKind,
    sha256?: string,
  ): Promise<'created' | 'exists'>;
  /** The whole object; null when there is none. */
  get(key: string): Promise<Buffer | null>;
  /** Length of an object; null when there is none. */
  head(key: string): Promise<number | null>;
  /** The first key with this prefix in the order of UTF-8 bytes; null when there is none. */
  first(prefix: string): Promise<string | null>;
  /** What follows `prefix` up to the next `/`, each once, in order. */
  folders(prefix: string): Promise<string[]>;
}
