/** Writes the few msgpack values that the server itself says. */

export type Packable = boolean | string | Buffer | readonly Packable[] | { readonly [key: string]: Packable };

/** Encodes a value; a Buffer becomes bin. */
export function pack(value: Packable): Buffer {
  if (typeof value === 'boolean') return Buffer.of(value ? 0xc3 : 0xc2);
  if (typeof value === 'string') return packString(value);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(value.length, 0xc4), value]);
  if (Array.isArray(value)) return Buffer.concat([container(value.length, 0x90, 0xdc), ...value.map(pack)]);
  const entries = Object.entries(value);
  const pairs = entries.flatMap(([key, inner]) => [packString(key), pack(inner)]);
  return Buffer.concat([container(entries.length, 0x80, 0xde), ...pairs]);
}

/** `{"ack": value}`, with the value's bytes as they are. */
export function packAck(value: Buffer): Buffer {
  return Buffer.concat([ACK, value]);
}

const ACK = Buffer.from('\x81\xa3ack', 'latin1');

function packString(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([stringHead(bytes.length), bytes]);
}

export function stringHead(length: number): Buffer {
  return length < 32 ? Buffer.of(0xa0 | length) : head(length, 0xd9);
}

export function mapHead(count: number): Buffer {
  return container(count, 0x80, 0xde);
}

/** The head of a str or bin: `type8` is the type with one byte of length. */
function head(length: number, type8: number): Buffer {
  if (length < 0x100) return Buffer.of(type8, length);
  if (length < 0x10000) return Buffer.of(type8 + 1, length >> 8, length & 0xff);
  const bytes = Buffer.alloc(5);
  bytes[0] = type8 + 2;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function container(count: number, fixed: number, type16: number): Buffer {
  if (count < 16) return Buffer.of(fixed | count);
  if (count < 0x10000) return Buffer.of(type16, count >> 8, count & 0xff);
  const bytes = Buffer.alloc(5);
  bytes[0] = type16 + 1;
  bytes.writeUInt32BE(count, 1);
  return bytes;
}
