/** What a Kinesis record holds: whole chunks say so themselves, another agent's lines are counted. */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { codecAt } from '../chunk/header.ts';
import { readChunks } from '../chunk/reader.ts';

const NEWLINE = 0x0a;
const GZIP_MAGIC = 0x1f8b;
/** The magic number of a zstd frame, as the file has it (RFC 8878, section 3.1.1). */
const ZSTD_MAGIC = 0x28b52ffd;

export interface Part {
  /** Of a chunk: equal for each time that it comes. */
  readonly name: string | null;
  readonly bytes: number;
  readonly events: number;
}

export function partsOf(record: Buffer): readonly Part[] {
  if (codecAt(record, 0) === null) {
    return [{ name: null, bytes: record.length, events: linesOf(record) }];
  }
  return Array.from(readChunks(record), ({ header: { lane, sequence, bytes, events } }) => ({
    name: `${lane}/${sequence}`,
    bytes,
    events,
  }));
}

function linesOf(record: Buffer): number {
  const lines = decompress(record);
  let events = 0;
  for (let at = lines.indexOf(NEWLINE); at !== -1; at = lines.indexOf(NEWLINE, at + 1)) events++;
  // A last line may lack its newline.
  return lines.length > 0 && lines.at(-1) !== NEWLINE ? events + 1 : events;
}

function decompress(record: Buffer): Buffer {
  if (record.length >= 2 && record.readUInt16BE(0) === GZIP_MAGIC) return gunzipSync(record);
  if (record.length >= 4 && record.readUInt32BE(0) === ZSTD_MAGIC) return zstdDecompressSync(record);
  return record;
}
