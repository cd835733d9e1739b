/** Arbitrary msgpack values, in any encoding, each with the JSON that it must become. */
import fc from 'fast-check';

export interface Sample {
  readonly bytes: Buffer;
  readonly json: string;
}

/** The head of a value whose length takes 1, 2 or 4 bytes, or is part of the type byte. */
function head(
  length: number,
  fixed: { type: number; most: number } | null,
  types: (number | null)[],
  wide = 0,
): Buffer {
  if (fixed && length <= fixed.most && wide === 0) return Buffer.of(fixed.type | length);
  const forms = types.flatMap((type, i) =>
    type !== null && length < 2 ** (8 << i) ? [{ type, bytes: 1 << i }] : [],
  );
  const form = forms[Math.min(Math.max(wide - 1, 0), forms.length - 1)]!;
  const bytes = Buffer.alloc(1 + form.bytes);
  bytes[0] = form.type;
  bytes.writeUIntBE(length, 1, form.bytes);
  return bytes;
}

export function str(text: string | Buffer, wide = 0): Buffer {
  const bytes = Buffer.from(text as string);
  return Buffer.concat([head(bytes.length, { type: 0xa0, most: 31 }, [0xd9, 0xda, 0xdb], wide), bytes]);
}

export function bin(bytes: Buffer, wide = 0): Buffer {
  return Buffer.concat([head(bytes.length, null, [0xc4, 0xc5, 0xc6], wide), bytes]);
}

export function array(items: readonly Buffer[], wide = 0): Buffer {
  return Buffer.concat([head(items.length, { type: 0x90, most: 15 }, [null, 0xdc, 0xdd], wide), ...items]);
}

export function map(pairs: readonly (readonly [Buffer, Buffer])[], wide = 0): Buffer {
  return Buffer.concat([
    head(pairs.length, { type: 0x80, most: 15 }, [null, 0xde, 0xdf], wide),
    ...pairs.flat(),
  ]);
}

export function ext(type: number, data: Buffer): Buffer {
  const fixed = [1, 2, 4, 8, 16].indexOf(data.length);
  if (fixed >= 0) return Buffer.concat([Buffer.of(0xd4 + fixed, type & 0xff), data]);
  return Buffer.concat([head(data.length, null, [0xc7, 0xc8, 0xc9]), Buffer.of(type & 0xff), data]);
}

export function eventTime(seconds: number, nanoseconds: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes[0] = 0xd7;
  bytes.writeUInt32BE(seconds, 2);
  bytes.writeUInt32BE(nanoseconds, 6);
  return bytes;
}

export function int(value: bigint | number, wide = 0): Buffer {
  const n = BigInt(value);
  const forms: Buffer[] = [];
  const add = (type: number, write: (bytes: Buffer) => void, length: number): void => {
    const bytes = Buffer.alloc(1 + length);
    bytes[0] = type;
    write(bytes);
    forms.push(bytes);
  };
  if (n >= 0n && n < 128n) forms.push(Buffer.of(Number(n)));
  if (n < 0n && n >= -32n) forms.push(Buffer.of(256 + Number(n)));
  for (const [i, bits] of [8n, 16n, 32n, 64n].entries()) {
    const length = 1 << i;
    if (n >= 0n && n < 1n << bits) {
      add(
        0xcc + i,
        (b) => (length === 8 ? b.writeBigUInt64BE(n, 1) : b.writeUIntBE(Number(n), 1, length)),
        length,
      );
    }
    if (n >= -(1n << (bits - 1n)) && n < 1n << (bits - 1n)) {
      add(
        0xd0 + i,
        (b) => (length === 8 ? b.writeBigInt64BE(n, 1) : b.writeIntBE(Number(n), 1, length)),
        length,
      );
    }
  }
  return forms[wide % forms.length]!;
}

export function float64(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xcb;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

export function float32(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = 0xca;
  bytes.writeFloatBE(value, 1);
  return bytes;
}

function floatJson(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  if (Number.isInteger(value) && Math.abs(value) >= 2 ** 63) return value.toExponential();
  return Number.isInteger(value) && Math.abs(value) < 1e15 ? `${value}.0` : String(value);
}

function lossy(bytes: Buffer): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

const wide = fc.nat({ max: 3 });
const bytes = fc.uint8Array({ maxLength: 70 }).map((a) => Buffer.from(a));
const text = fc.string({ unit: 'binary', maxLength: 300 }).filter((s) => s.isWellFormed());

const scalar: fc.Arbitrary<Sample> = fc.oneof(
  fc.constantFrom<Sample>(
    { bytes: Buffer.of(0xc0), json: 'null' },
    { bytes: Buffer.of(0xc2), json: 'false' },
    { bytes: Buffer.of(0xc3), json: 'true' },
  ),
  fc.tuple(fc.bigInt({ min: -(1n << 63n), max: (1n << 64n) - 1n }), fc.nat({ max: 8 })).map(([n, w]) => ({
    bytes: int(n, w),
    json: String(n),
  })),
  fc.tuple(fc.integer({ min: -40_000, max: 70_000 }), fc.nat({ max: 8 })).map(([n, w]) => ({
    bytes: int(n, w),
    json: String(n),
  })),
  fc
    .oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer({ max: 1e9 }).map((n) => n / 1000),
    )
    .map((x) => ({ bytes: float64(x), json: floatJson(x) })),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map((x) => ({ bytes: float32(x), json: floatJson(x) })),
  fc.tuple(text, wide).map(([s, w]) => ({ bytes: str(s, w), json: JSON.stringify(s) })),
  fc.tuple(bytes, wide).map(([b, w]) => ({ bytes: str(b, w), json: JSON.stringify(lossy(b)) })),
  fc.tuple(bytes, wide).map(([b, w]) => {
    const valid = Buffer.from(lossy(b)).equals(b);
    return {
      bytes: bin(b, w),
      json: valid ? JSON.stringify(lossy(b)) : `"base64:${b.toString('base64')}"`,
    };
  }),
  fc.tuple(fc.integer({ min: 1, max: 127 }), bytes).map(([type, b]) => ({
    bytes: ext(type, b),
    json: `{"ext":${type},"base64":"${b.toString('base64')}"}`,
  })),
  fc.tuple(fc.nat({ max: 2 ** 32 - 1 }), fc.nat({ max: 999 })).map(([s, ms]) => ({
    bytes: eventTime(s, ms * 1e6),
    json: JSON.stringify(new Date(s * 1000 + ms).toISOString().replace('.000Z', 'Z')),
  })),
);

export const value: fc.Arbitrary<Sample> = fc.letrec<{ value: Sample }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'msgpack' },
    { arbitrary: scalar, weight: 6 },
    { arbitrary: fc.tuple(fc.array(tie('value'), { maxLength: 20 }), wide).map(arrayOf), weight: 1 },
    { arbitrary: pairsOf(tie('value')).map(mapOf), weight: 2 },
  ),
})).value;

function arrayOf([items, w]: [Sample[], number]): Sample {
  return {
    bytes: array(
      items.map((item) => item.bytes),
      w,
    ),
    json: `[${items.map((item) => item.json).join()}]`,
  };
}

/** A key as it is written. */
function written(name: string): string {
  return name.replaceAll('\0', '\ufffd');
}

type Pairs = [(readonly [string, Sample])[], number];

/** Distinct keys, some of which differ only in one letter in the middle, which a hash may miss. */
function pairsOf(values: fc.Arbitrary<Sample>): fc.Arbitrary<Pairs> {
  const key = fc.oneof(
    text,
    fc.nat({ max: 60 }).map((n) => `k${n}k`),
  );
  const pair = fc.tuple(key, values);
  return fc.tuple(fc.uniqueArray(pair, { maxLength: 100, selector: ([name]) => written(name) }), wide);
}

function mapOf([pairs, w]: Pairs): Sample {
  return {
    bytes: map(
      pairs.map(([name, item]) => [str(name), item.bytes] as const),
      w,
    ),
    json: `{${pairs.map(([name, item]) => `${JSON.stringify(written(name))}:${item.json}`).join()}}`,
  };
}

/** Maps with distinct keys, none of them one that the server adds. */
export const record: fc.Arbitrary<Sample> = pairsOf(value)
  .map(([pairs, w]): Pairs => [pairs.filter(([name]) => name !== 'time' && name !== '_time'), w])
  .map(mapOf);
