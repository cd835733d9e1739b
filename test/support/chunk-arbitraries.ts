/** Chunks and arbitrary values for tests. */
import fc from 'fast-check';
import type { ChunkHeader, Codec } from '../../chunk/header.ts';
import { encodeChunk } from '../../chunk/writer.ts';

export const hex = (digits: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits });

export const codecs: fc.Arbitrary<Codec> = fc.constantFrom('gzip', 'zstd');

/** NDJSON lines of arbitrary strings. */
export const lines: fc.Arbitrary<string> = fc
  .array(fc.record({ message: fc.string({ unit: 'binary' }) }), { maxLength: 40 })
  .map((events) => events.map((event) => `${JSON.stringify(event)}\n`).join(''));

const count = fc.maxSafeNat();
const epochs = hex(16).filter((epoch) => epoch !== '0'.repeat(16));

/** Any header that the format can express, except for the raw size. */
export const headers: fc.Arbitrary<Omit<ChunkHeader, 'rawBytes'>> = fc.record({
  lane: hex(32),
  sequence: count,
  producer: hex(32),
  epoch: epochs,
  ordinal: count,
  floor: epochs,
  previous: fc.option(fc.tuple(epochs, count).map(([epoch, ordinal]) => ({ epoch, ordinal }))),
  end: fc.boolean(),
  tag: fc.string({ unit: 'grapheme', maxLength: 60 }),
  hour: fc.nat(),
  firstTime: count,
  lastTime: count,
  events: fc.nat(),
});

export const ZERO_HEADER: Omit<ChunkHeader, 'rawBytes'> = {
  lane: '00'.repeat(16),
  sequence: 1,
  producer: '11'.repeat(16),
  epoch: '22'.repeat(8),
  ordinal: 1,
  floor: '22'.repeat(8),
  previous: null,
  end: false,
  tag: 'test',
  hour: 490_000,
  firstTime: 1_764_000_000_000,
  lastTime: 1_764_000_000_000,
  events: 1,
};

export function chunkOf(text: string, header: Partial<ChunkHeader> = {}, codec: Codec = 'gzip'): Buffer {
  return encodeChunk(Buffer.from(text), { ...ZERO_HEADER, ...header }, { codec, level: 1 });
}
