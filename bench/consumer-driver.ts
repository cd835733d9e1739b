/** KCL's side of the multilang protocol, and the chunks that it hands over: for benches of what serves shards. */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as readline from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { readHeader, setCrc, writeHeader } from '../chunk/header.ts';
import { encodeChunk } from '../chunk/writer.ts';
import { ndjson } from './ndjson-lines.ts';
import { accessLines } from './tail-lines.ts';

export const CHILD = path.join(import.meta.dirname, '..', 'consumer', 'shard', 'child.ts');
const TICKS_PER_SECOND = 100;

/** KCL's side of the protocol: a line out, lines in until the status. */
export class Driver {
  readonly #input: Writable;
  readonly #output: Readable;
  #done: (() => void) | null = null;
  checkpoints = 0;

  constructor(input: Writable, output: Readable) {
    this.#input = input;
    this.#output = output;
    readline.createInterface({ input: output }).on('line', (line) => this.#onLine(line));
  }

  call(line: string): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve;
      this.#input.write(`${line}\n`);
    });
  }

  destroy(): void {
    this.#input.destroy();
    this.#output.destroy();
  }

  #onLine(line: string): void {
    if (line === '') return;
    const message = JSON.parse(line) as { action: string; sequenceNumber?: string };
    if (message.action === 'checkpoint') {
      this.checkpoints += 1;
      const answer = { action: 'checkpoint', checkpoint: message.sequenceNumber };
      this.#input.write(`${JSON.stringify(answer)}\n`);
    } else if (message.action === 'status') {
      this.#done?.();
    }
  }
}

const LANE = '0'.repeat(31).concat('1');

/** What a bench's chunks hold: text that does not compress any further, or access logs. */
export type Content = 'dense' | 'logs';

/** A compressed access log line, bytes, by and large. */
const LOG_LINE_BYTES = 46;

/** A chunk of about a full record's size, for each sequence. */
export function makeChunk(
  i: number,
  bytes: number,
  content: Content = 'dense',
): (sequence: number) => Buffer {
  const copy = chunkCopies(bytes, content, i);
  return (sequence) => copy(LANE, sequence);
}

/** The same content for many lanes and sequences: a chunk costs a copy and a checksum. */
export function chunkCopies(
  bytes: number,
  content: Content = 'dense',
  i = 0,
): (lane: string, sequence: number) => Buffer {
  const { lines, events } = content === 'dense' ? denseLines(bytes) : logLines(i, bytes);
  const first = {
    lane: LANE,
    sequence: 1,
    producer: LANE,
    epoch: '0'.repeat(15).concat('1'),
    ordinal: 1,
    floor: '0'.repeat(15).concat('1'),
    previous: null,
    end: false,
    tag: `bench.${i % 2}`,
    hour: 494_000,
    firstTime: 494_000 * 3_600_000,
    lastTime: 494_000 * 3_600_000,
    events,
  };
  const template = encodeChunk(lines, first, { codec: 'gzip', level: 1 });
  const header = readHeader(template);
  const tag = Buffer.from(header.tag);
  return (lane, sequence) => {
    const chunk = Buffer.from(template);
    writeHeader(chunk, 'gzip', tag, { ...header, lane, producer: lane, sequence, ordinal: sequence });
    setCrc(chunk, 'gzip', crc32(chunk));
    return chunk;
  };
}

interface Lines {
  readonly lines: Buffer;
  readonly events: number;
}

function denseLines(bytes: number): Lines {
  const message = randomBytes((bytes * 3) / 4).toString('base64');
  return { lines: Buffer.from(`${JSON.stringify({ message })}\n`), events: 1 };
}

function logLines(i: number, bytes: number): Lines {
  const events = Math.round(bytes / LOG_LINE_BYTES);
  return { lines: ndjson(Buffer.from(accessLines(i * events, events, 494_000 * 3_600_000))), events };
}

export function cpuSeconds(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    readline.createInterface({ input: child.stdout! }).once('line', resolve);
  });
}
