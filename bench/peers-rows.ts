/** The rows of the peers' table: what each kind of work is made of, and what is measured of it. */
import { encode } from '@msgpack/msgpack';
import { accessLines } from './tail-lines.ts';

export type Work = 'parsed' | 'raw' | 'forward';

export interface Row {
  readonly name: string;
  readonly work: Work;
  readonly codec: 'zstd' | 'gzip';
  /** Of each forward event: the raw line, or what the nginx parser makes of it. */
  readonly fields?: 'one' | 'nine';
  /** Messages of a connection that may be without an ack; the client asks for none unless given. */
  readonly unacknowledged?: number;
  /** Of the forward client; one unless given. */
  readonly connections?: number;
  /** Measured only where `--rows` asks for it. */
  readonly extra?: true;
}

export const ROWS: readonly Row[] = [
  { name: 'parsed, zstd', work: 'parsed', codec: 'zstd' },
  { name: 'parsed, gzip', work: 'parsed', codec: 'gzip' },
  { name: 'raw, zstd', work: 'raw', codec: 'zstd' },
  { name: 'raw, gzip', work: 'raw', codec: 'gzip' },
  { name: 'forward, one field, zstd', work: 'forward', codec: 'zstd', fields: 'one' },
  { name: 'forward, nine fields, zstd', work: 'forward', codec: 'zstd', fields: 'nine' },
  { name: 'forward, nine fields, gzip', work: 'forward', codec: 'gzip', fields: 'nine' },
  { name: 'forward with acks, zstd', work: 'forward', codec: 'zstd', fields: 'nine', unacknowledged: 8 },
  ...(['one', 'nine'] as const).map(
    (fields): Row => ({
      name: `forward, ${fields} ${fields === 'one' ? 'field' : 'fields'}, zstd, 4 connections`,
      work: 'forward',
      codec: 'zstd',
      fields,
      connections: 4,
      extra: true,
    }),
  ),
];

/** Events of one forward message. */
export const PER_MESSAGE = 1000;
/** Different messages; a client sends them in turn. */
const MESSAGES = 200;

const LINE =
  /^(?<remote>\S+) (?<host>\S+) (?<user>\S+) \[[^\]]*\] "(?<method>\S+) (?<path>\S+) [^"]*" (?<code>\S+) (?<size>\S+) "(?<referer>[^"]*)" "(?<agent>[^"]*)"$/;

/** The fields of a forward event. */
export function forwardRecord(line: string, fields: 'one' | 'nine'): Record<string, string> {
  return fields === 'one' ? { log: line } : { ...LINE.exec(line)!.groups };
}

/** Forward messages of {@link PER_MESSAGE} events up to the option map, which the client appends. */
export function forwardMessages(fields: 'one' | 'nine'): Buffer[] {
  const start = Date.now() - 1_800_000;
  return Array.from({ length: MESSAGES }, (_, n) => {
    const lines = accessLines(n * PER_MESSAGE, PER_MESSAGE, start)
      .trimEnd()
      .split('\n');
    const entries = lines.map((line, i) => {
      const seconds = Math.floor(start / 1000) + Math.floor((n * PER_MESSAGE + i) / 2000);
      return encode([seconds, forwardRecord(line, fields)]);
    });
    // An array of two becomes one of three by its first byte.
    const message = Buffer.from(encode(['bench', Buffer.concat(entries)]));
    message[0] = 0x93;
    return message;
  });
}
