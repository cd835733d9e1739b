/** A commit's objects while it is decided what goes into them: chunks and foreign records, in stream order. */
import type { Codec } from '../../chunk/header.ts';
import type { Form } from '../commit.ts';
import type { ReceivedChunk } from './record.ts';

/** A record, or what is left of one, that is not a chunk. */
export interface ForeignRecord {
  readonly arrival: number;
  readonly data: Buffer;
}

/** What one object will hold: chunks, or foreign records, never both. */
export interface Draft {
  readonly tag: string;
  /** Whole hours since 1970. */
  readonly hour: number;
  readonly form: Form;
  readonly codec: Codec;
  readonly chunks: ReceivedChunk[];
  readonly records: ForeignRecord[];
}

/** What tells the objects of one commit apart. */
export interface DraftName {
  readonly tag: string;
  readonly hour: number;
  readonly form: Form;
  readonly isForeign: boolean;
}

export class Drafts {
  readonly #drafts = new Map<string, Draft>();

  addChunk(form: Form, chunk: ReceivedChunk): void {
    const { tag, hour } = chunk.header;
    this.#draftOf({ tag, hour, form, isForeign: false }).chunks.push(chunk);
  }

  addForeign(tag: string, hour: number, form: Form, record: ForeignRecord): void {
    this.#draftOf({ tag, hour, form, isForeign: true }).records.push(record);
  }

  get(name: DraftName): Draft | undefined {
    return this.#drafts.get(keyOf(name));
  }

  /** In the order in which they began. */
  [Symbol.iterator](): Iterator<Draft> {
    return this.#drafts.values();
  }

  #draftOf(name: DraftName): Draft {
    const key = keyOf(name);
    let draft = this.#drafts.get(key);
    if (!draft) {
      const { tag, hour, form } = name;
      draft = { tag, hour, form, codec: form === 'frames' ? 'zstd' : 'gzip', chunks: [], records: [] };
      this.#drafts.set(key, draft);
    }
    return draft;
  }
}

function keyOf({ tag, hour, form, isForeign }: DraftName): string {
  return `${isForeign ? 'foreign' : 'chunks'} ${form} ${hour} ${tag}`;
}
