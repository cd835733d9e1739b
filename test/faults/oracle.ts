/**
 * Counts every event by its id: what was promised against what is in the archive's objects, read as they lie there
 * and with none of the pipeline's own knowledge but the compression.
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { ArchiveReader } from '../../archive/verify/verify.ts';
import { zstdFrames } from '../../archive/zstd-frames.ts';

/** The id of an event, somewhere in its line. */
export function eventId(source: string, n: number): string {
  return `@${source}:${n}@`;
}

const ID = /@([a-z][a-z0-9-]*):(\d+)@/g;
/** A foreign record that was kept as the bytes that it has. */
const BYTES = /"base64":"([^"]*)"/;
export const DATA_OBJECT = /\.ndjson\.(gz|zst)$/;
const EXAMPLES = 10;
const SPLIT = /^@([^:]+):(\d+)@$/;

export interface Verdict {
  readonly promised: number;
  readonly archived: number;
  readonly lost: number;
  readonly repeated: number;
  /** In the archive, and never made. */
  readonly invented: number;
  /** Not there, and in chunks that were destroyed on the disk on purpose. */
  readonly destroyed: number;
  /** Chunks that are not what they say, kept as bytes. */
  readonly kept: number;
  readonly examples: readonly string[];
}

export class Oracle {
  /** How often each event of a source was found, by its number. */
  readonly #found = new Map<string, Uint8Array>();
  readonly #seen = new Set<string>();
  /** How often each chunk of a liar was found, by its bytes as base64. */
  readonly #kept = new Map<string, number>();
  /** Lines. */
  events = 0;

  /** Reads the objects that have come since the last time. */
  async read(archive: ArchiveReader): Promise<void> {
    for await (const { key } of archive.list('')) {
      if (!DATA_OBJECT.test(key) || this.#seen.has(key)) continue;
      const bytes = await archive.get(key);
      if (bytes === null) continue;
      this.#seen.add(key);
      for (const text of textsOf(key, bytes)) this.#count(key, text);
    }
  }

  get objects(): number {
    return this.#seen.size;
  }

  /** How many different events of a source have been found. */
  countOf(source: string): number {
    return this.#found.get(source)?.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0) ?? 0;
  }

  /**
   * @param promised for each source how many events it made: 0 to below that number
   * @param destroyed ids of events that may be missing because of bytes changed on the disk
   * @param lies chunks that must be kept as bytes, each once, as base64
   */
  compare(
    promised: ReadonlyMap<string, number>,
    destroyed: ReadonlySet<string>,
    lies: ReadonlySet<string> = new Set(),
  ): Verdict {
    const totals = { promised: 0, archived: 0, lost: 0, repeated: 0, invented: 0, destroyed: 0 };
    const examples: string[] = [];
    const example = (what: string, source: string, n: number): void => {
      if (examples.length < EXAMPLES) examples.push(`${what}: ${eventId(source, n)}`);
    };
    for (const source of new Set([...promised.keys(), ...this.#found.keys()])) {
      const made = promised.get(source) ?? 0;
      const found = this.#found.get(source) ?? new Uint8Array();
      totals.promised += made;
      for (let n = 0; n < Math.max(made, found.length); n++) {
        const count = found[n] ?? 0;
        if (count > 0) totals.archived++;
        if (count === 0 && n < made) {
          if (destroyed.has(eventId(source, n))) totals.destroyed++;
          else {
            totals.lost++;
            example('lost', source, n);
          }
        } else if (count > 0 && n >= made) {
          totals.invented++;
          example('invented', source, n);
        } else if (count > 1) {
          totals.repeated++;
          example('repeated', source, n);
        }
      }
    }
    for (const [bytes, count] of this.#kept) {
      if (lies.has(bytes) && count === 1) continue;
      totals[lies.has(bytes) ? 'repeated' : 'invented']++;
      if (examples.length < EXAMPLES) examples.push(`kept ${count} times: ${bytes}`);
    }
    for (const bytes of lies) {
      if (this.#kept.has(bytes)) continue;
      totals.lost++;
      if (examples.length < EXAMPLES) examples.push(`not kept: ${bytes}`);
    }
    return { ...totals, kept: this.#kept.size, examples };
  }

  #count(key: string, text: string): void {
    for (const id of idsIn(key, text)) {
      this.events++;
      const [, source, digits] = SPLIT.exec(id) ?? [];
      if (source === undefined) {
        this.#kept.set(id, (this.#kept.get(id) ?? 0) + 1);
        continue;
      }
      const n = Number(digits);
      let found = this.#found.get(source);
      if (found === undefined || found.length <= n) {
        const larger = new Uint8Array(Math.max(1 << 16, 2 * n));
        if (found) larger.set(found);
        found = larger;
        this.#found.set(source, found);
      }
      found[n] = Math.min(255, found[n]! + 1);
    }
  }
}

/** gzip's members are one stream to zlib; of zstd's frames it would read the first and say nothing of the others. */
export function* textsOf(key: string, bytes: Buffer): Generator<string> {
  if (key.endsWith('.gz')) yield gunzipSync(bytes).toString('latin1');
  else for (const frame of zstdFrames(bytes)) yield zstdDecompressSync(frame).toString('latin1');
}

/**
 * What each line of an object is: the id of an event, or the bytes, as base64, of what is not a sound chunk.
 *
 * @throws Error when a line is neither
 */
export function idsIn(key: string, text: string): string[] {
  const ids = Array.from(text.matchAll(ID), ([id]) => id);
  let lines = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines++;
  if (ids.length === lines) return ids;
  const each = text.split('\n').slice(0, -1);
  const kept = each.flatMap((line) => BYTES.exec(line)?.[1] ?? []);
  if (ids.length + kept.length !== lines) throw new Error(`${key}: ${lines} lines, but ${ids.length} ids`);
  return [...ids, ...kept];
}
