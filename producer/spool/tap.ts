/** Follows what an agent seals, from outside: reads the records that its spool's segments grow by. Changes nothing. */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { inflateChunk, readChunk } from '../../chunk/reader.ts';
import { RECORD_HEADER_BYTES, scanRecords } from './record.ts';
import { SEGMENT_NAME } from './segment.ts';

/** The NDJSON of one sealed chunk. */
export interface Tapped {
  readonly tag: string;
  readonly ndjson: Buffer;
}

export class SpoolTap {
  readonly #directory: string;
  /** Bytes of each segment that have been read, to the end of a record. */
  readonly #offsets = new Map<string, number>();
  #isFirst: boolean;

  /** @param fromStart whether to begin with what is in the spool already */
  constructor(directory: string, fromStart = false) {
    this.#directory = directory;
    this.#isFirst = !fromStart;
  }

  /**
   * The chunks that have come since the last call; those of a segment that was removed in between are not seen.
   *
   * @param wanted tags to inflate; others are passed over
   * @throws Error ENOENT when there is no spool
   */
  poll(wanted: (tag: string) => boolean): Tapped[] {
    const names = readdirSync(this.#directory)
      .filter((name) => SEGMENT_NAME.test(name))
      .sort();
    for (const name of this.#offsets.keys()) if (!names.includes(name)) this.#offsets.delete(name);
    const tapped = names.flatMap((name) => this.#read(name, this.#isFirst ? () => false : wanted));
    this.#isFirst = false;
    return tapped;
  }

  #read(name: string, wanted: (tag: string) => boolean): Tapped[] {
    const from = this.#offsets.get(name) ?? 0;
    const bytes = bytesFrom(join(this.#directory, name), from);
    const tapped: Tapped[] = [];
    let read = 0;
    for (const record of scanRecords(bytes)) {
      // The end of a record that is being written looks like damage; it is whole at the next call.
      if (record.type === 'damage') {
        if (record.end === bytes.length) break;
        continue;
      }
      read = record.offset + RECORD_HEADER_BYTES + record.payload.length;
      if (record.type !== 'chunk') continue;
      const header = readChunk(record.payload);
      if (header.events > 0 && wanted(header.tag))
        tapped.push({ tag: header.tag, ndjson: inflateChunk(record.payload, header) });
    }
    this.#offsets.set(name, from + read);
    return tapped;
  }
}

/** The bytes of a file from an offset on; none when the agent has removed it in the meantime. */
function bytesFrom(path: string, from: number): Buffer {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - from));
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from));
  } finally {
    closeSync(file);
  }
}
