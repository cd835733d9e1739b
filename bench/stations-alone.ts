/**
 * The stations of the agent, each alone in a process of its own that bench/stations.ts starts: it does its work over
 * the same events round after round, and in between compresses the same NDJSON by zstd level 1, the bare cost.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { pino } from 'pino';
import type { ChunkHeader, Codec } from '../chunk/header.ts';
import { readChunk } from '../chunk/reader.ts';
import { encodeChunk } from '../chunk/writer.ts';
import { Builders, DEFAULT_BUILDER_LIMITS, MAX_LINE_BYTES } from '../producer/builder.ts';
import { compressionOf } from '../producer/compression.ts';
import { Counters } from '../producer/counters.ts';
import { compileFormat } from '../producer/format/compile.ts';
import { Tally } from '../producer/format/json-bytes.ts';
import { RawLines } from '../producer/format/raw-lines.ts';
import { Transform } from '../producer/format/transform.ts';
import { EventTaker } from '../producer/forward/events.ts';
import { readMessage } from '../producer/forward/message.ts';
import { openStream } from '../producer/sender/stream.ts';
import { Spool } from '../producer/spool/spool.ts';
import { StateMap } from '../producer/state.ts';
import { NO_METADATA } from '../test/support/metadata-double.ts';
import { ndjson } from './ndjson-lines.ts';
import { forwardRecord, PER_MESSAGE } from './peers-rows.ts';
import { accessLines } from './tail-lines.ts';

/** Work over all events, and the NDJSON that it is compared with. */
interface Station {
  readonly lines: Buffer;
  work(): void | Promise<void>;
  end?(): void | Promise<void>;
}

/** What a station's process reports: CPU seconds of a million events, a value for each round. */
export interface StationReport {
  readonly seconds: readonly number[];
  readonly bare: readonly number[];
}

const EVENTS = 100_000;
/** Events of a chunk. */
const PIECE = 5000;
/** Rounds until the code is compiled. */
const WARM_UP = 3;
const START = Date.now() - 1_800_000;

/** What an input reads at a time. */
const READ_BYTES = 256 * 1024;

const text = Buffer.from(accessLines(0, EVENTS, START));

/** Whose lines are dropped as soon as there is a chunk's worth. */
function emptied(counters: Counters): Builders {
  const limits = { ...DEFAULT_BUILDER_LIMITS, chunkBytes: 4 * 2 ** 20 };
  return new Builders(limits, Date.now, counters, (builder) => builder.clear());
}

function format(type: 'nginx' | 'none'): Station {
  const builders = emptied(new Counters());
  const target = { builders: builders.tag('bench'), tally: new Tally(), clock: { now: Date.now() } };
  const parser = compileFormat({ type }, target, new Transform({}));
  const buffer = RawLines.buffer(READ_BYTES);
  return {
    lines: ndjson(text, { type }),
    // As the tail input does, without its files: whole lines of one read after the other.
    work() {
      for (let from = 0; from < text.length; ) {
        const end = text.lastIndexOf(0x0a, Math.min(from + READ_BYTES, text.length) - 1) + 1;
        const read = text.copy(buffer, 0, from, end);
        for (let at = 0; at < read; ) {
          at = parser.lines?.(buffer, at, read, MAX_LINE_BYTES) ?? at;
          if (at === read) break;
          const newline = buffer.indexOf(0x0a, at);
          parser.parse(buffer, at, newline);
          at = newline + 1;
        }
        from = end;
      }
    },
  };
}

function forward(fields: 'one' | 'nine'): Station {
  const lines = text.toString('latin1').trimEnd().split('\n');
  const seconds = Math.floor(START / 1000);
  const messages: Buffer[] = [];
  for (let at = 0; at < lines.length; at += PER_MESSAGE) {
    const entries = lines
      .slice(at, at + PER_MESSAGE)
      .map((line) => encode([seconds, forwardRecord(line, fields)]));
    messages.push(Buffer.from(encode(['bench', Buffer.concat(entries)])));
  }
  const counters = new Counters();
  const context = {
    builders: emptied(counters),
    state: new StateMap(),
    afterDurable: (done: () => void) => done(),
    log: pino({ level: 'silent' }),
    now: Date.now,
    uptime: () => performance.now(),
    counters,
    metadata: NO_METADATA,
  };
  const options = { tagPrefix: null, routes: [], transform: {}, placeholders: {}, joinPartials: true };
  const taker = new EventTaker(options, context, { input: 'forward' });
  return {
    lines: ndjson(text, { type: fields === 'one' ? 'none' : 'nginx' }),
    work() {
      for (const bytes of messages) {
        const message = readMessage(bytes, 0, bytes.length)!;
        taker.take(message, bytes, message.from, message.to);
      }
    },
  };
}

function header(sequence: number): Omit<ChunkHeader, 'rawBytes'> {
  return {
    lane: '8'.padEnd(32, '0'),
    sequence,
    producer: '7'.padEnd(32, '0'),
    epoch: '6'.padEnd(16, '0'),
    ordinal: sequence,
    floor: '6'.padEnd(16, '0'),
    previous: null,
    end: false,
    tag: 'bench',
    hour: Math.floor(START / 3_600_000),
    firstTime: START,
    lastTime: START,
    events: PIECE,
  };
}

/** The NDJSON of a chunk each. */
function pieces(lines: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < lines.length; ) {
    let end = at;
    for (let line = 0; line < PIECE && end < lines.length; line++) end = lines.indexOf(0x0a, end) + 1;
    found.push(lines.subarray(at, end));
    at = end;
  }
  return found;
}

const fault = (): never => {
  throw new Error('a chunk did not decompress to its lines');
};
const compression = { gzip: compressionOf('gzip', fault), zstd: compressionOf('zstd', fault) };

function chunks(lines: Buffer, codec: Codec): Buffer[] {
  return pieces(lines).map((piece, i) => encodeChunk(piece, header(i + 1), compression[codec]));
}

function chunk(codec: Codec): Station {
  const lines = ndjson(text);
  return { lines, work: () => void chunks(lines, codec) };
}

async function spool(): Promise<Station> {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'));
  const options = { directory, segmentBytes: 16 * 2 ** 20, maxBytes: 2 ** 30 };
  const held = await Spool.open(options, pino({ level: 'silent' }), new Counters());
  const lines = ndjson(text);
  const cut = chunks(lines, 'zstd').map((bytes) => ({ bytes, header: readChunk(bytes) }));
  return {
    lines,
    async work() {
      for (let i = 0; i < cut.length; i += 4) {
        for (const one of await held.append(cut.slice(i, i + 4), {})) await held.acknowledge(one);
      }
    },
    end: () => rmSync(directory, { recursive: true }),
  };
}

function send(port: number): Station {
  const stream = openStream({
    name: 'bench',
    region: 'us-east-1',
    endpoint: `https://127.0.0.1:${port}`,
  });
  const lines = ndjson(text);
  const records = chunks(lines, 'zstd').map((Data, i) => ({
    Data,
    PartitionKey: `bench/${i}`,
    ExplicitHashKey: '1',
  }));
  return {
    lines,
    async work() {
      for (let i = 0; i < records.length; i += 8) await stream.put(records.slice(i, i + 8));
    },
    end: () => stream.close(),
  };
}

const STATIONS: Readonly<Record<string, (port: number) => Station | Promise<Station>>> = {
  'raw lines to NDJSON': () => format('none'),
  'nginx lines parsed to NDJSON': () => format('nginx'),
  'forward, one field, to NDJSON': () => forward('one'),
  'forward, nine fields, to NDJSON': () => forward('nine'),
  'chunks, zstd': () => chunk('zstd'),
  'chunks, gzip': () => chunk('gzip'),
  'spool, a cut for four chunks': spool,
  'requests over TLS': send,
};

export const ALONE: readonly string[] = Object.keys(STATIONS);

function compress(parts: readonly Buffer[]): void {
  const params = { [constants.ZSTD_c_compressionLevel]: 1 };
  for (const part of parts) zstdCompressSync(part, { params });
}

async function cpuOf(work: () => void | Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const used = process.cpuUsage(before);
  // Microseconds an event are seconds a million.
  return (used.user + used.system) / EVENTS;
}

async function measureAlone(name: string, rounds: number, port: number): Promise<StationReport> {
  const station = await STATIONS[name]!(port);
  const parts = pieces(station.lines);
  const seconds: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < WARM_UP + rounds; round++) {
    const own = await cpuOf(() => station.work());
    const alone = await cpuOf(() => compress(parts));
    if (round < WARM_UP) continue;
    seconds.push(own);
    bare.push(alone);
  }
  await station.end?.();
  return { seconds, bare };
}

if (import.meta.main) {
  const [name, rounds, port] = process.argv.slice(2);
  process.send!(await measureAlone(name!, Number(rounds), Number(port)), () => process.exit(0));
}
